"""Compare our book with the operator's and the merchants', line by line, to the cent (invariant 6).

Three kinds of lines: what the operator charged, what it gave back, and what each merchant delivered. Each
difference is said with its explanation, as far as our own side knows one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.contract import DELIVERED, ConnectorError, NotOffered, OperatorCharge
from portal import clock, outbox
from portal.billing import write_offs
from portal.billing.charges import Charge
from portal.catalog.merchants import asking, checked
from portal.checkout import differences
from portal.checkout.orders import Order
from portal.checkout.steps import Means
from portal.checkout.verification import Breach

CLOCK_TOLERANCE = timedelta(days=1)
REFUNDS = "operator refunds"

Book = dict[str, int]
"""Amounts in cents by order number."""


@dataclass(frozen=True)
class Period:
    """The purchases that are compared: those accepted from `first` on and before `end` (UTC); None: ever."""

    first: datetime | None = None
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies within it."""
        return (self.first is None or self.first <= at) and (self.end is None or at < self.end)


EVER = Period()


@dataclass(frozen=True)
class WrittenOff:
    """One delivery that nobody will ever be charged for; its amount in cents."""

    order: str
    merchant: str
    amount_cents: int
    currency: str
    by: str
    reason: str


@dataclass(frozen=True)
class Books:
    """What was compared: lines and totals in cents by book, and every difference.

    `moving` are the orders something was still happening to: a line that only one book has yet is no difference.
    `explained` are lines that could astonish, and are as they must be: what was written off.
    """

    lines: dict[str, int]
    totals: dict[str, int]
    differences: list[Breach]
    moving: frozenset[str] = frozenset()
    explained: list[WrittenOff] = field(default_factory=list)


@dataclass
class _Theirs:
    """The other sides' books as they are read; None where one cannot be read."""

    books: dict[str, Book | None] = field(default_factory=dict)
    unreadable: list[Breach] = field(default_factory=list)


def compare(means: Means, period: Period = EVER, step: Callable[[], None] = lambda: None) -> Books:
    """Read all books of a period and compare them; a book that cannot be read is a difference.

    Args:
        step: called for every payment whose refunds were read, which is what takes long.
    """
    with means.database.reading() as session:
        dates = {row.number: row.created_at for row in session.execute(select(Order.number, Order.created_at))}
        moving = outbox.open_subjects(session)
    since = (period.first or min(dates.values(), default=clock.now())) - CLOCK_TOLERANCE
    theirs = _Theirs()
    _read_operator(means, since, period, dates, theirs, step)
    for key in sorted(means.merchants.loaded):
        _read_merchant(means, key, since, period, dates, theirs)
    # Ours last: whatever they knew, and is not in motion, we know by now.
    with means.database.reading() as session:
        moving |= outbox.open_subjects(session)
        ours = _ours(session, period)
        found = theirs.unreadable
        for name in sorted(ours.keys() | theirs.books.keys()):
            if name not in theirs.books:
                found.append(Breach(6, name, "it is no longer configured, so its book cannot be read"))
                continue
            book = theirs.books[name]
            if book is not None:
                found += _differences(session, name, ours.get(name, {}), book, moving)
        explained = _explained(session, period)
    read = {"portal": ours["operator"], "portal refunds": ours[REFUNDS]}
    read |= {name: book for name, book in theirs.books.items() if book is not None}
    shown = {name: book for name, book in read.items() if book or not name.endswith("refunds")}
    return Books(
        {name: len(book) for name, book in shown.items()}, {name: sum(book.values()) for name, book in shown.items()},
        found, frozenset(moving), explained,
    )  # fmt: skip


def _wanted(reference: str, at: datetime, period: Period, dates: dict[str, datetime]) -> bool:
    """Whether a line of theirs is about the period: by our own date, and by theirs for what we do not know."""
    return period.holds(dates.get(reference, at))


def _read_operator(
    means: Means, since: datetime, period: Period, dates: dict[str, datetime], theirs: _Theirs, step: Callable[[], None]
) -> None:
    charged: Book = {}
    given_back: Book = {}
    theirs.books["operator"] = theirs.books[REFUNDS] = None
    try:
        captured = [
            item for item in means.operator.list_charges(since)
            if item.state == "captured" and _wanted(item.reference, item.created_at, period, dates)
        ]  # fmt: skip
        for item in captured:
            charged[item.reference] = charged.get(item.reference, 0) + item.amount_cents
        theirs.books["operator"] = charged
        for item in captured:
            step()
            cents = _given_back(means, item)
            if cents:
                given_back[item.reference] = given_back.get(item.reference, 0) + cents
        theirs.books[REFUNDS] = given_back
    except ConnectorError as error:
        theirs.unreadable.append(Breach(6, "operator", f"its list cannot be read: {error}"))


def _given_back(means: Means, item: OperatorCharge) -> int:
    return sum(made.amount_cents for made in means.operator.list_refunds(item.ref) if made.state == "done")


def _read_merchant(
    means: Means, key: str, since: datetime, period: Period, dates: dict[str, datetime], theirs: _Theirs
) -> None:
    book: Book = {}
    theirs.books[f"merchant {key}"] = None
    try:
        with asking(key):
            for line in map(checked, means.merchants.loaded[key].connector.list_orders(since)):
                if line.state == DELIVERED and _wanted(line.reference, line.at, period, dates):
                    book[line.reference] = book.get(line.reference, 0) + line.gross_cents
        theirs.books[f"merchant {key}"] = book
    except NotOffered:
        return
    except ConnectorError as error:
        theirs.unreadable.append(Breach(6, f"merchant {key}", f"its list cannot be read: {error}"))


def _ours(session: Session, period: Period) -> dict[str, Book]:
    books: dict[str, Book] = {"operator": {}, REFUNDS: {}}
    charged = (
        select(Charge.order_number, Charge.amount_cents, Charge.refunded_cents, func.coalesce(Order.created_at, Charge.created_at))
        .outerjoin(Order, Order.number == Charge.order_number).where(Charge.captured_at.is_not(None), Charge.state != "written_off")
    )  # fmt: skip
    for number, cents, refunded, at in session.execute(charged):
        if period.holds(at):
            books["operator"][number] = cents
            if refunded:
                books[REFUNDS][number] = refunded
    delivered = select(Order.merchant, Order.number, Order.gross_cents, Order.created_at)
    for merchant, number, cents, at in session.execute(delivered.where(Order.state == "delivered")):
        if period.holds(at):
            books.setdefault(f"merchant {merchant}", {})[number] = cents
    return books


def _differences(session: Session, whose: str, ours: Book, theirs: Book, moving: set[str]) -> list[Breach]:
    found = []
    for number in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(number), theirs.get(number)
        # Several parts are given back one after the other: theirs may be a part ahead.
        on_its_way = number in moving and (here is None or there is None or whose == REFUNDS)
        if here != there and not on_its_way:
            detail = f"{whose}: ours {'-' if here is None else here}, theirs {'-' if there is None else there}"
            found.append(Breach(6, number, detail, differences.explain(session, whose, number, here, there)))
    return found


def _explained(session: Session, period: Period) -> list[WrittenOff]:
    said = write_offs.reasons(session)
    query = (
        select(Charge, Order.created_at).join(Order, Order.number == Charge.order_number)
        .where(Charge.state == "written_off").order_by(Charge.id)
    )  # fmt: skip
    return [
        WrittenOff(
            charge.order_number, charge.merchant_name, charge.amount_cents, charge.currency,
            *(said.get(charge.order_number, {}).get(name, "") for name in ("by", "reason")),
        )
        for charge, at in session.execute(query) if period.holds(at)
    ]  # fmt: skip
