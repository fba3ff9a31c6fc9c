"""The ledger: double-entry lines for every move of money, written in the transaction of the move and never changed.

A debit is positive and a credit negative, in cents; the lines of one posting sum to zero. A posting is
named after what it books, and each account stands in it once, so that nothing can be booked twice.
Source: docs/decisions/0017-a-ledger.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, String, UniqueConstraint, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.database import Base, UtcDateTime

ACCOUNTS = (
    "committed", "held", "reserved", "disputed", "expense", "vat_recoverable", "operator_payable", "uncharged",
    "written_off",
)  # fmt: skip
COUNTERPARTS = {"new": "held", "reserved": "reserved", "disputed": "disputed"}
"""Against which account a commitment stands, by the state of its charge; in every other state it has ended."""


class LedgerLine(Base):
    """One line of one posting."""

    __tablename__ = "ledger_lines"
    __table_args__ = (
        UniqueConstraint("posting", "account"),
        CheckConstraint(f"account IN {ACCOUNTS}", "account_known"),
        CheckConstraint("amount_cents <> 0", "amount_not_zero"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    posting: Mapped[str] = mapped_column(String(120))
    order_number: Mapped[str] = mapped_column(String(32), index=True)
    account: Mapped[str] = mapped_column(String(32))
    cost_centre: Mapped[str] = mapped_column(String(64))
    amount_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Amount:
    """An amount in cents, VAT included in `gross_cents`."""

    gross_cents: int
    vat_cents: int


@dataclass(frozen=True)
class About:
    """Whose lines they are: an order, the cost centre that bears it, and the currency."""

    order_number: str
    cost_centre: str
    currency: str


def vat_within(whole: Amount, part_cents: int) -> int:
    """The VAT in a part of an amount, halves rounded up; parts that make up the whole hold all of its VAT."""
    return (2 * whole.vat_cents * part_cents + whole.gross_cents) // (2 * whole.gross_cents)


def counterpart(state: str, *, captured: bool) -> str:
    """Against which account the commitment of a charge stands; "" when it has ended or been charged."""
    return "" if captured else COUNTERPARTS.get(state, "")


def commitment(before: str, after: str, gross_cents: int) -> dict[str, int]:
    """A commitment begins (`before` is ""), goes from one counterpart to another, or ends (`after` is "")."""
    if before == after:
        return {}
    return {before or "committed": gross_cents, after or "committed": -gross_cents}


def charged(amount: Amount) -> dict[str, int]:
    """The operator has put an amount on the invoice."""
    net_cents = amount.gross_cents - amount.vat_cents
    return {
        "expense": net_cents, "vat_recoverable": amount.vat_cents, "operator_payable": -amount.gross_cents,
    }  # fmt: skip


def given_back(amount: Amount) -> dict[str, int]:
    """The operator has taken an amount off the invoice again."""
    return {account: -cents for account, cents in charged(amount).items()}


def written_off(gross_cents: int) -> dict[str, int]:
    """What was delivered will never be charged."""
    return {"uncharged": gross_cents, "written_off": -gross_cents}


def post(session: Session, posting: str, about: About, *parts: Mapping[str, int]) -> None:
    """Write the lines of one posting within the caller's transaction; parts on one account are added up.

    Raises:
        ValueError: they do not sum to zero.
        IntegrityError: this posting was written before.
    """
    post_many(session, [(posting, about, parts)])


def post_many(session: Session, postings: Iterable[tuple[str, About, Iterable[Mapping[str, int]]]]) -> None:
    """Write several postings by one statement. Raises like `post`."""
    at = clock.now()
    rows = [row for posting, about, parts in postings for row in _rows(posting, about, parts, at)]
    if rows:
        session.execute(insert(LedgerLine), rows)


def _rows(posting: str, about: About, parts: Iterable[Mapping[str, int]], at: datetime) -> list[dict[str, object]]:
    lines: dict[str, int] = {}
    for part in parts:
        for account, cents in part.items():
            lines[account] = lines.get(account, 0) + cents
    if sum(lines.values()):
        raise ValueError(f"{posting}: {lines} does not sum to zero")
    return [
        {"posting": posting, "order_number": about.order_number, "account": account,
         "cost_centre": about.cost_centre if account == "expense" else "", "amount_cents": cents,
         "currency": about.currency, "at": at}
        for account, cents in lines.items() if cents
    ]  # fmt: skip


def times_posted(session: Session, order_number: str, what: str) -> int:
    """How often something that may happen again has been booked for an order."""
    named = select(func.count(LedgerLine.posting.distinct())).where(
        LedgerLine.order_number == order_number, LedgerLine.posting.startswith(f"{order_number} {what} ")
    )
    return session.scalar(named) or 0


def expected(state: str, whole: Amount, refunded_cents: int, *, captured: bool) -> dict[str, int]:
    """What every account must hold for a charge that stands like this, zero left out."""
    after = counterpart(state, captured=captured)
    lines = commitment("", after, whole.gross_cents)
    if captured and state != "written_off":
        lines |= charged(
            Amount(whole.gross_cents - refunded_cents, whole.vat_cents - vat_within(whole, refunded_cents))
        )
    if state == "written_off":
        lines |= written_off(whole.gross_cents)
    return {account: cents for account, cents in lines.items() if cents}


def balances(session: Session) -> dict[str, int]:
    """What each account holds in all, in cents."""
    query = select(LedgerLine.account, func.sum(LedgerLine.amount_cents)).group_by(LedgerLine.account)
    return {account: int(cents) for account, cents in session.execute(query)}


def balances_by_order(session: Session) -> dict[str, dict[str, int]]:
    """What each account holds for each order that has lines, in cents, zero left out."""
    query = select(LedgerLine.order_number, LedgerLine.account, func.sum(LedgerLine.amount_cents)).group_by(
        LedgerLine.order_number, LedgerLine.account
    )
    held: dict[str, dict[str, int]] = {}
    for number, account, cents in session.execute(query):
        lines = held.setdefault(number, {})
        if cents:
            lines[account] = int(cents)
    return held


def unbalanced(session: Session) -> Iterator[tuple[str, int]]:
    """Every posting whose lines do not sum to zero, and their sum."""
    total = func.sum(LedgerLine.amount_cents)
    query = select(LedgerLine.posting, total).group_by(LedgerLine.posting).having(total != 0)
    for posting, cents in session.execute(query):
        yield posting, int(cents)
