"""What is still to be done for an order by its state and its charge's, whatever the outbox knows of it."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Select, and_, case, select, union
from sqlalchemy.orm import Session

from portal import outbox
from portal.billing import charges
from portal.billing.charges import Charge
from portal.checkout import orders
from portal.checkout.orders import OPEN_STATES, Order
from portal.outbox import Task

UNSETTLED = ("new", "reserved")
NEEDED = case(
    (Order.state.in_(OPEN_STATES), "purchase"),
    (Charge.state == "refunding", "refund"),
    (and_(Order.state == "delivered", Charge.state.in_(UNSETTLED)), "capture"),
    (and_(Order.state == "failed", Charge.state.in_(UNSETTLED)), "void"),
    else_="",
)
"""The kind of task that an order needs, in SQL; "" for none."""


def forgotten() -> Select[Order, Charge, str]:
    """Orders with the kind of task that each needs and that is not in the outbox.

    Finished orders and charges are not looked at: both sides are found by their state's index.
    """
    begun = union(
        select(Order.number).where(Order.state.in_(OPEN_STATES)),
        select(Charge.order_number).where(Charge.state.in_([*UNSETTLED, "refunding"])),
    )
    there = select(Task.id).where(Task.subject == Order.number, Task.kind == NEEDED, Task.done_at.is_(None)).exists()
    return (
        select(Order, Charge, NEEDED).join(Charge, Charge.order_number == Order.number)
        .where(Order.number.in_(begun), NEEDED != "", ~there).order_by(Order.id)
    )  # fmt: skip


def enqueue_forgotten(session: Session, limit: int) -> dict[str, int]:
    """Put what is needed and missing into the outbox, with a word in each history; how many tasks, by kind."""
    chosen = forgotten().limit(limit).with_for_update(of=Order, skip_locked=True)
    made: Counter[str] = Counter()
    for order, charge, kind in session.execute(chosen):
        said = {"task": kind, "order": order.state, "charge": charge.state}
        if kind == "purchase":
            orders.note(session, order, "task_missing", said)
        else:
            charges.note(session, charge, "task_missing", said)
        # The time in which it must be settled begins anew: nobody was at it.
        if kind == "capture":
            charges.want_capture(session, order.number)
        elif kind == "void":
            charges.want_void(session, order.number)
        else:
            outbox.enqueue(session, kind, order.number)
        made[kind] += 1
    return dict(made)
