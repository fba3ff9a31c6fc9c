"""What a person decides about one purchase: its order, when the merchant's answer never came, and its charge.

The charge's own rules are in `portal.billing`; screens and commands come in by `settle`, for both.
"""

from __future__ import annotations

from typing import Literal, cast, get_args

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from portal import audit, outbox
from portal.billing import charges, refunds
from portal.billing import disputes as charge_disputes
from portal.billing.charges import Charge
from portal.billing.operators import Operators
from portal.billing.write_offs import write_off
from portal.checkout import orders
from portal.checkout.orders import Order, OrderEvent
from portal.checkout.steps import fail
from portal.database import Database
from portal.refusals import Reason, Refused

Choice = Literal["ask_again", "accept_shorter", "give_up"]
"""`ask_again` looks the order up at the merchant once more; `give_up` ends it undelivered and uncharged.

`accept_shorter` looks it up as well, and takes an access that ends earlier than promised as it is, at its price.
"""

ORDER_CHOICES = get_args(Choice)
LONGEST_REASON = 500
ASKING = {"look", "capture_again", "void", "refund", "refund_again"}
"""Choices that the charge's own operator is asked for."""


def settle(
    database: Database, operators: Operators, actor: str, number: str, choice: str, reason: str,
    amount_cents: int | None = None, key: str = "",
) -> None:  # fmt: skip
    """Carry out one choice about a purchase, in a transaction of its own; the caller has made sure that the actor may.

    Args:
        choice: one of `choices`, or of `portal.billing.disputes.choices`; `look` changes nothing and needs no reason.
        amount_cents: of a refund, VAT included; None for all that is left.
        key: of a refund, as the form that asks for it was given it (`refunds.new_key`).

    Raises:
        Refused: what the choice itself refuses (`reason_missing`, `choice_gone`, …), or `operator_earlier` for what
            only an operator could answer that is not in force any more; nothing was changed.
    """
    if choice == "look" or (choice == "write_off" and _is_disputed(database, number)):
        # Whoever gives money up must know what the operator says now.
        charge_disputes.look(database, operators.asked_about(number), number)
    if choice == "look":
        return
    with database.transaction() as session:
        operators.staying(session)
        order, charge = locked(session, number), charges.locked(session, number)
        if order is None or charge is None:
            raise Refused("choice_gone")
        if choice in ASKING:
            operators.require(session, charge)
        if choice in ORDER_CHOICES:
            decide(session, actor, order, cast(Choice, choice), reason)
        elif choice == "write_off":
            write_off(session, actor, charge, reason)
        elif choice == "refund" and charge.state != "disputed":
            refunds.ask(session, actor, charge, amount_cents, reason, key)
        else:
            charge_disputes.decide(session, actor, charge, cast(charge_disputes.Choice, choice), reason)


def _is_disputed(database: Database, number: str) -> bool:
    with database.reading() as session:
        return charges.of_order(session, number).state == "disputed"


def choices(order: Order) -> list[Choice]:
    """What may safely be decided on an order as it stands now, its charge beside it.

    Neither can deliver twice or charge what was not delivered: the merchant is looked up by the order's own key,
    and what is given up is cancelled at the operator's.
    """
    if order.state != "disputed":
        return []
    is_held = order.charge.state in {"reserved", "free"} or (
        order.charge.state == "new" and order.charge.offline_at is not None
    )
    if order.sent_at is None or not is_held:
        return ["give_up"]
    is_shorter = (order.reason or {}).get("code") == "access_shorter"
    return ["ask_again", "accept_shorter", "give_up"] if is_shorter else ["ask_again", "give_up"]


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
    said: dict[str, object] = {"by": actor, "reason": reason, "choice": choice}
    audit.record(session, actor, f"dispute_{choice}", order.number, after=said)
    if choice == "give_up":
        fail(session, order, Reason("given_up"), said, void=order.charge.state in {"new", "reserved"})
        return
    order.reason = None
    prepared = any(event.event == "prepared" for event in events(session, order))
    orders.move(session, order, "waited_for_again" if prepared else "asked_again", said)
    outbox.enqueue(session, "purchase", order.number, lane=outbox.merchant_lane(order.merchant))
