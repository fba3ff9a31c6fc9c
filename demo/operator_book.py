"""The demonstration operator's own book: payments, refunds, and a journal of every request."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

RESERVATION_LIFE = timedelta(hours=24)


def rfc3339(at: datetime) -> str:
    """A time as the definition writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class PaymentLine:
    """One payment. Amounts in cents."""

    payment_id: str
    transaction: dict[str, Any]
    reference: str
    correlator: str
    merchant: str
    amount_cents: int
    tax_cents: int
    currency: str
    state: str
    created_at: datetime
    paid_at: datetime | None = None
    refunded_cents: int = 0
    refunds: list[dict[str, Any]] = field(default_factory=list)
    decided_at: datetime | None = None
    becomes: str = "reserved"
    gone_at: datetime | None = None
    """When a reservation runs out early; None: after `RESERVATION_LIFE`."""


@dataclass(frozen=True)
class JournalLine:
    """One request as the operator saw it; `key` is its `clientCorrelator`, of what asks for a payment or a refund."""

    at: datetime
    method: str
    path: str
    status: int
    x_correlator: str
    key: str = ""


class OperatorBook:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._payments: dict[str, PaymentLine] = {}
        self._journal: list[JournalLine] = []

    def kept(self) -> tuple[dict[str, PaymentLine], list[JournalLine]]:
        """What a later run needs to go on."""
        with self.lock:
            return self._payments, self._journal

    def recall(self, kept: tuple[dict[str, PaymentLine], list[JournalLine]]) -> None:
        """Go on from an earlier run."""
        with self.lock:
            self._payments, self._journal = kept

    def charges(self) -> list[PaymentLine]:
        """Every payment, in the order they were made."""
        return self.since(None)

    def since(self, at: datetime | None) -> list[PaymentLine]:
        """The payments created at a time or later, in the order they were made."""
        with self.lock:
            lines = [line for line in self._payments.values() if at is None or line.created_at >= at]
            for line in lines:
                self._age(line)
            return lines

    def journal(self) -> list[JournalLine]:
        """Every request, oldest first."""
        with self.lock:
            return list(self._journal)

    def write(self, line: JournalLine) -> None:
        """Add a request to the journal."""
        with self.lock:
            self._journal.append(line)

    def by_correlator(self, correlator: str) -> PaymentLine | None:
        """The payment made under a correlator."""
        with self.lock:
            made = (line for line in self._payments.values() if correlator and line.correlator == correlator)
            found = next(made, None)
            return self.get(found.payment_id) if found else None

    def get(self, payment_id: str) -> PaymentLine | None:
        """One payment."""
        with self.lock:
            line = self._payments.get(payment_id)
            if line:
                self._age(line)
            return line

    def open(
        self, transaction: dict[str, Any], cents: tuple[int, int], state: str, *, decided: bool = True
    ) -> PaymentLine:
        """Record a new payment; `cents` is amount and tax. Undecided, it is `processing` for a second first."""
        information = transaction["paymentAmount"]["chargingInformation"]
        line = PaymentLine(
            payment_id=f"P{secrets.token_hex(10)}", transaction=transaction, reference=transaction["referenceCode"],
            correlator=transaction.get("clientCorrelator", ""),
            merchant=transaction["paymentAmount"].get("chargingMetaData", {}).get("merchantName", ""),
            amount_cents=cents[0], tax_cents=cents[1], currency=information["currency"],
            state=state if decided else "processing", created_at=datetime.now(UTC), becomes=state,
        )  # fmt: skip
        line.paid_at = line.created_at if line.state == "succeeded" else None
        line.decided_at = None if decided else line.created_at + timedelta(seconds=1)
        with self.lock:
            self._payments[line.payment_id] = line
        return line

    def _age(self, line: PaymentLine) -> None:
        now = datetime.now(UTC)
        if line.state == "processing" and line.decided_at and now >= line.decided_at:
            line.state = line.becomes
            line.paid_at = line.decided_at if line.state == "succeeded" else None
        if line.state == "reserved" and now > (line.gone_at or line.created_at + RESERVATION_LIFE):
            line.state = "cancelled"
