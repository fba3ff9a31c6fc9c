"""What is sold for a time: the end that is promised before the second click, and whether the merchant keeps it.

Nothing here starts anything: a term that has ended is over, and a further one is a further purchase.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.contract import Access, Delivery, Licence, Link
from connectors.terms import LASTING, WITH_AN_END, read_term
from portal import clock
from portal.checkout.orders import Order, OrderEvent
from portal.checkout.quotes import QuoteRow
from portal.checkout.steps import doubt

CLOCKS_DIFFER = timedelta(minutes=10)
HOUR_OF_CLOCKS = timedelta(hours=1)
"""By so much merchants that count elapsed hours differ from the calendar, where clocks change within the term."""
LEAST_PART = 10
ENDLESS_YEAR = 9000
"""An end that late is how machines write that there is none."""
TAKEN_AS_IT_IS = "accept_shorter"


def promised_end(term: str, start: datetime, zone: ZoneInfo) -> datetime | None:
    """When (UTC) a term ends that begins at `start`; None without a term."""
    return read_term(term).end(start, zone) if term else None


def agreed(quote: QuoteRow, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """What an order keeps of its offer's time, so that it outlives the offer."""
    return {"pricing": quote.pricing, "term": quote.term, "ends_at": promised_end(quote.term, at, zone)}


def end_of(delivery: Delivery) -> datetime | None:
    """When (UTC) what was delivered can be used no more; None when it says none."""
    until = None
    if isinstance(delivery, Access | Licence):
        until = delivery.until
    elif isinstance(delivery, Link):
        until = delivery.expires_at
    return until.astimezone(UTC) if until and until.year < ENDLESS_YEAR else None


def final_end(order: Order, delivery: Delivery) -> datetime | None:
    """The end (UTC) that the merchant gives; where it gives none, the promised one, by so much later as it is delivered."""
    given = end_of(delivery)
    if given or order.ends_at is None:
        return given
    return order.ends_at + max(clock.now() - order.created_at, timedelta())


def tolerance(term: str, promised: timedelta) -> timedelta:
    """How much earlier than promised an end may be: clocks differ, calendars of merchants too; a day is never nothing."""
    allowed = CLOCKS_DIFFER if read_term(term).is_elapsed else CLOCKS_DIFFER + HOUR_OF_CLOCKS
    return min(allowed, promised / LEAST_PART)


def dispute_end(session: Session, order: Order, delivery: Delivery, evidence: dict[str, object]) -> bool:
    """Leave an order to a person whose delivery cannot last, is over already, or ends before what was promised; whether it was.

    An earlier end is let pass once an administrator has accepted it for this order; one that is past never is.
    """
    if order.pricing in LASTING and delivery.kind not in WITH_AN_END:
        # No end was promised for such a thing: it is not what was sold.
        doubt(
            session, order, "merchant_unclear", {**evidence, "detail": f"sold for a time, it brought {delivery.kind}"}
        )
        return True
    given = end_of(delivery)
    if given is None:
        return False
    evidence = {**evidence, "until": given.isoformat()}
    if given <= clock.now():
        doubt(session, order, "access_ended", evidence)
        return True
    if not order.term or order.ends_at is None:
        return False
    least = order.ends_at - tolerance(order.term, order.ends_at - order.created_at)
    if given >= least or _is_accepted(session, order):
        return False
    doubt(session, order, "access_shorter", {**evidence, "promised": order.ends_at.isoformat()})
    return True


def _is_accepted(session: Session, order: Order) -> bool:
    said = session.scalars(select(OrderEvent.evidence).where(OrderEvent.order_id == order.id))
    return any(evidence.get("choice") == TAKEN_AS_IT_IS for evidence in said)
