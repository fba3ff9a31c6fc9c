"""What an employee may use at this moment: accesses, licences and links with their end, and what has just ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from connectors.terms import LASTING
from portal import clock
from portal.checkout.orders import OPEN_STATES, DeliveryRow, Order
from portal.checkout.quotes import QuoteRow
from portal.database import one_at_a_time
from portal.refusals import Refused

KINDS = ("access", "licence", "link")
ENDING_PART = 5
BEFORE = timedelta(days=7)
SHORTEST = timedelta(days=27)
"""A new period is offered once less than a fifth of the time is left, and a week before the end of a month or more,
whichever month, since a mail is written then: who buys a day or a week knows when it ends."""
REMEMBERED = timedelta(days=30)
MOST = 50

Standing = Literal["running", "ending", "ended"]


@dataclass(frozen=True)
class Running:
    """One purchase that lasts; `may_renew`: a further period, which is a further purchase, makes sense now."""

    order: Order
    standing: Standing
    may_renew: bool


def standing(order: Order) -> Standing:
    """Whether what was delivered can be used, and for long."""
    now = clock.now()
    if order.ends_at is None or order.ends_at > now:
        return (
            "ending"
            if order.ends_at and _is_ending(order.ends_at - now, order.ends_at - order.created_at)
            else "running"
        )
    return "ended"


def _is_ending(left: timedelta, lasts: timedelta) -> bool:
    return left * ENDING_PART < lasts or (left <= BEFORE and lasts >= SHORTEST)


def list_running(session: Session, account_id: int, closed: Collection[str] = ()) -> list[Running]:
    """What an employee may use, the first end first; then what ended lately and was not bought again.

    Args:
        closed: merchants that sell nothing now, of whom nothing can be renewed.
    """
    now = clock.now()
    lasts = or_(Order.ends_at > now - REMEMBERED, Order.ends_at.is_(None) & (DeliveryRow.kind == "licence"))
    query = (
        select(Order).join(DeliveryRow).options(joinedload(Order.offer), selectinload(Order.deliveries))
        .where(
            Order.account_id == account_id, Order.state == "delivered", DeliveryRow.kind.in_(KINDS),
            Order.pricing != "pack", lasts,
        ).order_by(Order.id.desc()).limit(MOST)
    )  # fmt: skip
    found: list[Running] = []
    newest: set[tuple[int, str]] = set()
    for order in session.scalars(query):
        same = (order.offer_id, repr(sorted(order.inputs.items())))
        is_newest, now_is = same not in newest, standing(order)
        newest.add(same)
        lasting = order.pricing in LASTING
        if now_is == "ended" and not (lasting and is_newest):
            continue
        is_sold = order.offer.removed_at is None and order.merchant not in closed
        may_renew = lasting and is_newest and now_is != "running" and is_sold
        found.append(Running(order, now_is, may_renew))
    return sorted(found, key=lambda each: (each.standing == "ended", each.order.ends_at is None, _end(each.order)))


def _end(order: Order) -> float:
    return order.ends_at.timestamp() if order.ends_at else 0.0


def overlapping(session: Session, quote: QuoteRow) -> Order | None:
    """What the same employee has running, or on its way, of the same offer for the same inputs; the one that ends last."""
    return next(iter(_same(session, quote)), None)


def require_seen(session: Session, quote: QuoteRow) -> None:
    """Make sure that whoever confirms was shown what he has of the same already: another window may have bought it since.

    Raises:
        Refused: `bought_meanwhile`; a price asked for now is shown with it, and may be confirmed.
    """
    one_at_a_time(session.connection(), f"time of {quote.account_id} {quote.offer_id}")
    if any(order.created_at >= quote.created_at for order in _same(session, quote)):
        raise Refused("bought_meanwhile")


def _same(session: Session, quote: QuoteRow) -> list[Order]:
    query = select(Order).where(
        Order.account_id == quote.account_id, Order.offer_id == quote.offer_id,
        Order.state.in_(["delivered", *OPEN_STATES]), Order.pricing.in_(LASTING), Order.ends_at > clock.now(),
    ).order_by(Order.ends_at.desc())  # fmt: skip
    return [order for order in session.scalars(query) if order.inputs == quote.inputs]
