"""Compare our book with the operator's and the merchants', line by line, to the cent (invariant 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.contract import ConnectorError
from portal import clock, outbox
from portal.billing.charges import Charge
from portal.catalog.merchants import asking, checked
from portal.checkout.orders import Order
from portal.checkout.steps import Means
from portal.checkout.verification import Breach

CLOCK_TOLERANCE = timedelta(days=1)
CHARGED_STATES = ("captured", "refunding", "refunded")


@dataclass(frozen=True)
class Books:
    """What was compared: lines and totals in cents by book, and every difference.

    `moving` are the orders something was still happening to: a line that only one book has yet is no difference.
    """

    lines: dict[str, int]
    totals: dict[str, int]
    differences: list[Breach]
    moving: frozenset[str] = frozenset()


def compare(means: Means) -> Books:
    """Read all three books and compare them; a book that cannot be read is a difference."""
    with means.database.reading() as session:
        since = (session.scalar(select(func.min(Order.created_at))) or clock.now()) - CLOCK_TOLERANCE
        moving = outbox.open_subjects(session)
    unreadable: list[Breach] = []
    theirs = {"operator": _operator_book(means, since, unreadable)}
    for key in sorted(means.merchants.loaded):
        theirs[f"merchant {key}"] = _merchant_book(means, key, since, unreadable)
    # Ours last: whatever they knew, and is not in motion, we know by now.
    with means.database.reading() as session:
        moving |= outbox.open_subjects(session)
        ours = {"operator": _charged(session)}
        ours |= {f"merchant {key}": book for key, book in _delivered(session).items()}
    differences = unreadable
    for name in sorted(ours.keys() | theirs.keys()):
        book = theirs.get(name, {})
        if name not in theirs:
            differences.append(Breach(6, name, "it is no longer configured, so its book cannot be read"))
        elif book is not None:
            differences += _differences(name, ours.get(name, {}), book, moving)
    read = {"portal": ours["operator"]} | {name: book for name, book in theirs.items() if book is not None}
    lines = {name: len(book) for name, book in read.items()}
    totals = {name: sum(book.values()) for name, book in read.items()}
    return Books(lines, totals, differences, frozenset(moving))


def _operator_book(means: Means, since: datetime, unreadable: list[Breach]) -> dict[str, int] | None:
    book: dict[str, int] = {}
    try:
        for item in means.operator.list_charges(since):
            if item.state == "captured":
                book[item.reference] = book.get(item.reference, 0) + item.amount_cents
    except ConnectorError as error:
        unreadable.append(Breach(6, "operator", f"its list cannot be read: {error}"))
        return None
    return book


def _charged(session: Session) -> dict[str, int]:
    query = select(Charge.order_number, Charge.amount_cents).where(Charge.state.in_(CHARGED_STATES))
    return {row.order_number: row.amount_cents for row in session.execute(query)}


def _delivered(session: Session) -> dict[str, dict[str, int]]:
    books: dict[str, dict[str, int]] = {}
    query = select(Order.merchant, Order.number, Order.gross_cents).where(Order.state == "delivered")
    for merchant, number, cents in session.execute(query):
        books.setdefault(merchant, {})[number] = cents
    return books


def _merchant_book(means: Means, key: str, since: datetime, unreadable: list[Breach]) -> dict[str, int] | None:
    book: dict[str, int] = {}
    try:
        with asking(key):
            for line in map(checked, means.merchants.loaded[key].connector.list_orders(since)):
                if line.state == "delivered":
                    book[line.reference] = book.get(line.reference, 0) + line.gross_cents
    except ConnectorError as error:
        unreadable.append(Breach(6, f"merchant {key}", f"its list cannot be read: {error}"))
        return None
    return book


def _differences(whose: str, ours: dict[str, int], theirs: dict[str, int], moving: set[str]) -> list[Breach]:
    found = []
    for number in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(number), theirs.get(number)
        on_its_way = number in moving and (here is None or there is None)
        if here != there and not on_its_way:
            detail = f"{whose}: ours {'-' if here is None else here}, theirs {'-' if there is None else there}"
            found.append(Breach(6, number, detail))
    return found
