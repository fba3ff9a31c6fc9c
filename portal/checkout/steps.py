"""What every step of a purchase stands on: its means, its ways to wait, and its ways to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from connectors.contract import OperatorAdapter
from portal import logs
from portal.billing import charges
from portal.catalog.merchants import Merchants
from portal.checkout import orders, packs, requests
from portal.checkout.orders import Order
from portal.checkout.storage import Storage
from portal.database import Database
from portal.outbox import Lease
from portal.refusals import Reason
from portal.rights import holds

log = logs.get(__name__)


@dataclass(frozen=True)
class Means:
    """What a purchase is carried out with.

    `line` is the company's line at the operator (E.164); `offline_cents` is up to how much may wait for an
    operator that cannot be reached.
    """

    database: Database
    merchants: Merchants
    operator: OperatorAdapter
    line: str
    storage: Storage
    offline_cents: int = 0


@dataclass(frozen=True)
class Wait:
    """Nothing more can be done now; look again in `delay_s` seconds (None: back off)."""

    detail: str
    delay_s: float | None = None


@dataclass(frozen=True)
class Ended:
    """The order is delivered, and its task ended in the same transaction."""


Step = Callable[[Means, str, Lease], Wait | Ended | None]


def fail(session: Session, order: Order, reason: Reason, evidence: dict[str, object], *, void: bool = True) -> None:
    """End an order without a delivery: its holds are free again and nothing stays reserved."""
    order.reason = {"code": reason.code, "facts": reason.facts}
    orders.move(session, order, "refused", evidence)
    holds.release_holds(session, order.number)
    packs.release(session, order.number)
    requests.give_back(session, order.number)
    if void:
        charges.want_void(session, order.number)
    log.warning("order_failed", order=order.number, reason=reason.code)


def doubt(session: Session, order: Order, code: str, evidence: dict[str, object]) -> None:
    """Nobody can decide this automatically: an admin must, and the holds stay until then."""
    order.reason = {"code": code, "facts": {}}
    orders.move(session, order, "doubted", evidence)
    log.error("order_disputed", order=order.number, reason=code, **evidence)
