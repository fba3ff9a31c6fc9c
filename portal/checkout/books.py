"""Compare our book with the operator's and the merchants', line by line, to the cent (invariant 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.contract import ConnectorError
from portal import clock
from portal.billing.charges import Charge
from portal.checkout.orders import Order
from portal.checkout.steps import Means
from portal.checkout.verification import Breach

CLOCK_TOLERANCE = timedelta(days=1)
CHARGED_STATES = ("captured", "refunding", "refunded")


@dataclass(frozen=True)
class Books:
    """What was compared: lines and totals in cents by book, and every difference."""

    lines: dict[str, int]
    totals: dict[str, int]
    differences: list[Breach]


def compare(means: Means) -> Books:
    """Read all three books and compare them; a book that cannot be read is a difference."""
    with means.database.reading() as session:
        first = session.scalar(select(func.min(Order.created_at))) or clock.now()
        charged = _charged(session)
        delivered = _delivered(session)
    since = first - CLOCK_TOLERANCE
    differences: list[Breach] = []
    lines = {"portal": len(charged)}
    totals = {"portal": sum(charged.values())}
    theirs: dict[str, int] = {}
    try:
        for item in means.operator.list_charges(since):
            if item.state == "captured":
                theirs[item.reference] = theirs.get(item.reference, 0) + item.amount_cents
    except ConnectorError as error:
        differences.append(Breach(6, "operator", f"its list cannot be read: {error}"))
    else:
        differences += _differences("operator", charged, theirs)
    lines["operator"], totals["operator"] = len(theirs), sum(theirs.values())
    for key in sorted({*means.merchants.loaded, *delivered}):
        book = _merchant_book(means, key, since, differences)
        if book is not None:
            differences += _differences(f"merchant {key}", delivered.get(key, {}), book)
            lines[key], totals[key] = len(book), sum(book.values())
    return Books(lines, totals, differences)


def _charged(session: Session) -> dict[str, int]:
    query = select(Charge.order_number, Charge.amount_cents).where(Charge.state.in_(CHARGED_STATES))
    return {row.order_number: row.amount_cents for row in session.execute(query)}


def _delivered(session: Session) -> dict[str, dict[str, int]]:
    books: dict[str, dict[str, int]] = {}
    query = select(Order.merchant, Order.number, Order.gross_cents).where(Order.state == "delivered")
    for merchant, number, cents in session.execute(query):
        books.setdefault(merchant, {})[number] = cents
    return books


def _merchant_book(means: Means, key: str, since: datetime, differences: list[Breach]) -> dict[str, int] | None:
    merchant = means.merchants.loaded.get(key)
    if merchant is None:
        differences.append(Breach(6, f"merchant {key}", "it is no longer configured, so its book cannot be read"))
        return None
    book: dict[str, int] = {}
    try:
        for line in merchant.connector.list_orders(since):
            if line.state == "delivered":
                book[line.reference] = book.get(line.reference, 0) + line.gross_cents
    except ConnectorError as error:
        differences.append(Breach(6, f"merchant {key}", f"its list cannot be read: {error}"))
        return None
    return book


def _differences(whose: str, ours: dict[str, int], theirs: dict[str, int]) -> list[Breach]:
    found = []
    for number in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(number), theirs.get(number)
        if here != there:
            found.append(Breach(6, number, f"{whose}: ours {here if here is not None else '-'}, theirs {there if there is not None else '-'}"))
    return found
