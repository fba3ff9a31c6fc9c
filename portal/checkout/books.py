"""Compare our book with the operator's and the merchants', line by line, to the cent (invariant 6).

Three kinds of lines: what the operator charged, what it gave back, and what each merchant delivered. Each
difference is said with its explanation, as far as our own side knows one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.contract import DELIVERED, ConnectorError, MerchantConnector, NotOffered, OperatorCharge
from portal import breakers, clock, outbox
from portal.billing import orphans, write_offs
from portal.billing.charges import Charge
from portal.catalog.merchants import asking, checked
from portal.checkout import differences
from portal.checkout.orders import Order, OrderEvent
from portal.checkout.steps import Means
from portal.checkout.verification import Breach

CLOCK_TOLERANCE = timedelta(days=3)
"""Their clock may differ from ours, and ours may have been set back by two days between two steps."""
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
class Explained:
    """One line that stays in one book only because a person decided so; its amount in cents.

    `written_off`: delivered, and nobody will ever be charged for it. `given_up`: a purchase somebody has given up, of
    which its merchant says that it was delivered.
    """

    kind: Literal["written_off", "given_up"]
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
    `explained` are lines that could astonish, and are as a person has decided. `elsewhere` counts the
    charges of operators that are not in force any more, by operator: nobody can read their book.
    """

    lines: dict[str, int]
    totals: dict[str, int]
    differences: list[Breach]
    moving: frozenset[str] = frozenset()
    explained: list[Explained] = field(default_factory=list)
    elsewhere: dict[str, int] = field(default_factory=dict)


@dataclass
class _Theirs:
    """The other sides' books as they are read; None where one cannot be read. `reserved` is in nobody's book yet."""

    books: dict[str, Book | None] = field(default_factory=dict)
    unreadable: list[Breach] = field(default_factory=list)
    reserved: list[OperatorCharge] = field(default_factory=list)


@breakers.asking_anyway()
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
    for key, merchant in sorted(means.merchants.loaded.items()):
        _read_merchant(merchant.connector, key, since, period, dates, theirs)
    # Ours last: whatever they knew, and is not in motion, we know by now.
    with means.database.reading() as session:
        moving |= outbox.open_subjects(session)
        elsewhere = _elsewhere(session, period, means.operator.identity)
        # Two profiles may lead to one account, whose list then has the charges of both.
        known = theirs.books["operator"] or {}
        elsewhere = {number: identity for number, identity in elsewhere.items() if number not in known}
        ours = _ours(session, period, elsewhere)
        found, explained = theirs.unreadable, _written_off(session, period)
        given_up = _given_up(session)
        for name in sorted(ours.keys() | theirs.books.keys()):
            if name not in theirs.books:
                found.append(Breach(6, name, "it is no longer configured, so its book cannot be read"))
                continue
            book = theirs.books[name]
            if book is not None:
                here = ours.get(name, {})
                decided = book.keys() & given_up.keys() - here.keys() if name.startswith("merchant ") else set()
                explained += [replace(given_up[number], amount_cents=book[number]) for number in sorted(decided)]
                rest = {number: cents for number, cents in book.items() if number not in decided}
                found += _differences(session, name, here, rest, moving)
        found += [
            Breach(6, item.reference or item.ref, f"operator: ours -, theirs {item.amount_cents} {item.state}", "unknown_here")
            for item in orphans.among(session, theirs.reserved)
        ]  # fmt: skip
    read = {"portal": ours["operator"], "portal refunds": ours[REFUNDS]}
    read |= {name: book for name, book in theirs.books.items() if book is not None}
    shown = {name: book for name, book in read.items() if book or not name.endswith("refunds")}
    return Books(
        {name: len(book) for name, book in shown.items()}, {name: sum(book.values()) for name, book in shown.items()},
        found, frozenset(moving), explained, dict(Counter(elsewhere.values())),
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
        captured: list[OperatorCharge] = []
        for item in means.operator.list_charges(since):
            if item.state not in orphans.ENDED and _wanted(item.reference, item.created_at, period, dates):
                (captured if item.state == "captured" else theirs.reserved).append(item)
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
    connector: MerchantConnector, key: str, since: datetime, period: Period, dates: dict[str, datetime], theirs: _Theirs
) -> None:
    book: Book = {}
    theirs.books[f"merchant {key}"] = None
    try:
        with asking(key):
            for line in map(checked, connector.list_orders(since)):
                if line.state == DELIVERED and _wanted(line.reference, line.at, period, dates):
                    book[line.reference] = book.get(line.reference, 0) + line.gross_cents
        theirs.books[f"merchant {key}"] = book
    except NotOffered:
        return
    except ConnectorError as error:
        theirs.unreadable.append(Breach(6, f"merchant {key}", f"its list cannot be read: {error}"))


def _ours(session: Session, period: Period, elsewhere: dict[str, str]) -> dict[str, Book]:
    books: dict[str, Book] = {"operator": {}, REFUNDS: {}}
    charged = (
        select(Charge.order_number, Charge.amount_cents, Charge.refunded_cents, func.coalesce(Order.created_at, Charge.created_at))
        .outerjoin(Order, Order.number == Charge.order_number).where(Charge.captured_at.is_not(None), Charge.state != "written_off")
    )  # fmt: skip
    for number, cents, refunded, at in session.execute(charged):
        if period.holds(at) and number not in elsewhere:
            books["operator"][number] = cents
            if refunded:
                books[REFUNDS][number] = refunded
    delivered = select(Order.merchant, Order.number, Order.gross_cents, Order.created_at)
    for merchant, number, cents, at in session.execute(delivered.where(Order.state == "delivered")):
        if period.holds(at):
            books.setdefault(f"merchant {merchant}", {})[number] = cents
    return books


def _elsewhere(session: Session, period: Period, operator: str) -> dict[str, str]:
    captured = (
        select(Charge.order_number, Charge.operator, func.coalesce(Order.created_at, Charge.created_at))
        .outerjoin(Order, Order.number == Charge.order_number)
        .where(Charge.captured_at.is_not(None), Charge.operator.not_in(["", operator]))
    )  # fmt: skip
    return {number: identity for number, identity, at in session.execute(captured) if period.holds(at)}


def _differences(session: Session, whose: str, ours: Book, theirs: Book, moving: set[str]) -> list[Breach]:
    found = []
    for number in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(number), theirs.get(number)
        # Several parts are given back one after the other: theirs may be a part ahead.
        on_its_way = number in moving and (here is None or there is None or whose == REFUNDS)
        # What cost nothing is on no invoice, and need not stand in a merchant's book.
        free = here == 0 and there is None
        if here != there and not on_its_way and not free:
            detail = f"{whose}: ours {'-' if here is None else here}, theirs {'-' if there is None else there}"
            found.append(Breach(6, number, detail, differences.explain(session, whose, number, here, there)))
    return found


def _written_off(session: Session, period: Period) -> list[Explained]:
    said = write_offs.reasons(session)
    query = (
        select(Charge, Order.created_at).join(Order, Order.number == Charge.order_number)
        .where(Charge.state == "written_off").order_by(Charge.id)
    )  # fmt: skip
    return [
        Explained(
            "written_off", charge.order_number, charge.merchant_name, charge.amount_cents, charge.currency,
            *(said.get(charge.order_number, {}).get(name, "") for name in ("by", "reason")),
        )
        for charge, at in session.execute(query) if period.holds(at)
    ]  # fmt: skip


def _given_up(session: Session) -> dict[str, Explained]:
    """Every purchase that somebody has given up, by its number."""
    query = (
        select(Order, OrderEvent.evidence).join(OrderEvent, OrderEvent.order_id == Order.id)
        .where(Order.state == "failed", OrderEvent.event == "refused").order_by(Order.id)
    )  # fmt: skip
    return {
        order.number: Explained(
            "given_up", order.number, order.seller["name"], order.gross_cents, order.currency, said["by"], said["reason"]
        )
        for order, said in session.execute(query) if (order.reason or {}).get("code") == "given_up"
    }  # fmt: skip
