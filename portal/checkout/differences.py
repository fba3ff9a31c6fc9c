"""Why a line of the operator's or a merchant's book is not as ours, as far as our own side knows."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.billing.charges import Charge
from portal.billing.refunds import Refund
from portal.checkout.orders import Order


def explain(session: Session, whose: str, number: str, ours: int | None, theirs: int | None) -> str:
    """The code of one difference's explanation; amounts in cents, None where a book has no such line."""
    order = session.scalar(select(Order).where(Order.number == number))
    charge = session.scalar(select(Charge).where(Charge.order_number == number))
    if order is None and charge is None:
        return "unknown_here"
    if whose.endswith("refunds"):
        return _of_refunds(session, number, ours or 0, theirs or 0)
    if theirs is None:
        return "not_there"
    if ours is not None:
        return "other_amount"
    if whose == "operator":
        return f"charge_{charge.state}" if charge else "charge_missing"
    return f"order_{order.state}" if order else "order_missing"


def _of_refunds(session: Session, number: str, ours: int, theirs: int) -> str:
    states = set(session.scalars(select(Refund.state).where(Refund.order_number == number)))
    if "disputed" in states:
        return "refund_in_doubt"
    return "refund_by_others" if theirs > ours else "refund_not_there"
