"""The demonstration merchants' own book: their orders and the quotes they gave."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import request

from demo.shops import Content


@dataclass
class MerchantOrder:
    """One line of a merchant's book; amounts in cents."""

    merchant: str
    offer: str
    number: str
    po_number: str
    key: str
    body_hash: str
    net_cents: int
    vat_cents: int
    gross_cents: int
    state: str
    what: str
    at: datetime
    content: Content | None = None
    ready_at: float = 0.0
    percent: int = 100
    units: int = 0
    licence: str = ""


@dataclass(frozen=True)
class MerchantLine:
    """One request about orders as a merchant saw it; `key` is the order's key, sent or looked up."""

    at: datetime
    merchant: str
    method: str
    key: str


@dataclass
class MerchantsBook:
    """Every merchant's orders and quotes, and a journal of what was asked about orders; safe to use from several threads."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    by_key: dict[tuple[str, str], MerchantOrder] = field(default_factory=dict)
    quotes: dict[str, dict[str, Any]] = field(default_factory=dict)
    journal: list[MerchantLine] = field(default_factory=list)

    def orders(self) -> list[MerchantOrder]:
        """Every order, oldest first."""
        with self.lock:
            return list(self.by_key.values())

    def left(self, licence: str) -> int:
        """How many units a pack has left: those it was sold with, less what was delivered or is being prepared for it."""
        with self.lock:
            sold = sum(each.content.units for each in self.orders() if each.content and each.content.licence == licence)
            return sold - sum(
                each.units for each in self.orders() if each.licence == licence and each.state != "refused"
            )

    def hear(self, merchant: str) -> None:
        """Note the present request in the journal when it is about orders."""
        if request.path.startswith(f"/{merchant}/orders"):
            key = request.headers.get("Idempotency-Key", "") or request.args.get("client_reference", "")
            with self.lock:
                self.journal.append(MerchantLine(datetime.now(UTC), merchant, request.method, key))
