"""Orders in dispute: what a person may decide when the merchant's answer never came, or was not what was agreed.

The charge has disputes of its own (`portal.billing.disputes`); both are shown on one screen.
"""

from __future__ import annotations

from typing import Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from portal import audit, outbox
from portal.billing.charges import Charge
from portal.checkout import orders
from portal.checkout.orders import Order, OrderEvent
from portal.checkout.steps import fail
from portal.refusals import Reason, Refused

Choice = Literal["ask_again", "give_up"]
"""`ask_again` looks the order up at the merchant once more; `give_up` ends it undelivered and uncharged."""

LONGEST_REASON = 500


def choices(order: Order) -> list[Choice]:
    """What may safely be decided on an order as it stands now, its charge beside it.

    Neither can deliver twice or charge what was not delivered: the merchant is looked up by the order's own key,
    and what is given up is cancelled at the operator's.
    """
    if order.state != "disputed":
        return []
    asked_before = order.sent_at is not None and order.charge.state == "reserved"
    return ["ask_again", "give_up"] if asked_before else ["give_up"]


def open_cases(session: Session) -> list[Order]:
    """Every order that waits for a person, for its delivery's sake or its charge's, the oldest first."""
    unpaid = (Order.state == "delivered") & (Charge.state == "voided")
    waiting = or_(Order.state == "disputed", Charge.state == "disputed", unpaid)
    query = select(Order).join(Charge, Charge.order_number == Order.number).where(waiting)
    return list(session.scalars(query.options(joinedload(Order.charge)).order_by(Order.id)))


def events(session: Session, order: Order) -> list[OrderEvent]:
    """What happened to an order, with the evidence kept of it, oldest first."""
    return list(session.scalars(select(OrderEvent).where(OrderEvent.order_id == order.id).order_by(OrderEvent.id)))


def locked(session: Session, number: str) -> Order | None:
    """An order as it stands now; nobody else moves it before this transaction ends."""
    asked = select(Order).where(Order.number == number).with_for_update()
    return session.scalar(asked.execution_options(populate_existing=True))


def decide(session: Session, actor: str, order: Order, choice: Choice, reason: str) -> None:
    """Carry out one of `choices`.

    Args:
        actor: who decides, as the journal names him; the caller has made sure that he may.
        order: as `locked` gives it, so that nobody else decides at the same moment.

    Raises:
        Refused: `reason_missing`, or `choice_gone` when the choice is not safe (any more); nothing was changed.
    """
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if not reason:
        raise Refused("reason_missing")
    if choice not in choices(order):
        raise Refused("choice_gone")
    said: dict[str, object] = {"by": actor, "reason": reason}
    audit.record(session, actor, f"dispute_{choice}", order.number, after=said)
    if choice == "give_up":
        fail(session, order, Reason("given_up"), said, void=order.charge.state in {"new", "reserved"})
        return
    order.reason = None
    prepared = any(event.event == "prepared" for event in events(session, order))
    orders.move(session, order, "waited_for_again" if prepared else "asked_again", said)
    outbox.enqueue(session, "purchase", order.number)
