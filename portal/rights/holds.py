"""What purchases take from ceilings: held when confirmed, captured when charged, released when they fail.

Room is taken by one conditional update for each ceiling, so no race passes a limit (invariant 2). An
allowance somebody granted for one purchase widens a counter by exactly what that purchase lacked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Integer,
    String,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from portal import clock
from portal.database import Base, State, UtcDateTime, insert_missing
from portal.refusals import Refused
from portal.rights.ceilings import Ceiling, Price


class CeilingUse(Base):
    """How full one ceiling is for one subject in one period; `extra_cents` is what allowances have added to its limit."""

    __tablename__ = "ceiling_uses"
    __table_args__ = (
        UniqueConstraint("ceiling_id", "subject", "period_start"),
        CheckConstraint("held_cents >= 0", "held_not_negative"),
        CheckConstraint("captured_cents >= 0", "captured_not_negative"),
        CheckConstraint("extra_cents >= 0", "extra_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ceiling_id: Mapped[int] = mapped_column(ForeignKey("ceilings.id"))
    subject: Mapped[str] = mapped_column(String(64))
    period_start: Mapped[datetime] = mapped_column(UtcDateTime)
    held_cents: Mapped[int] = mapped_column(default=0)
    captured_cents: Mapped[int] = mapped_column(default=0)
    extra_cents: Mapped[int] = mapped_column(default=0)

    ceiling: Mapped[Ceiling] = relationship()

    @property
    def used_cents(self) -> int:
        """Held or spent."""
        return self.held_cents + self.captured_cents


class Hold(Base):
    """The amount an open order keeps from a ceiling, until it is captured or released; a refund gives it back."""

    __tablename__ = "holds"
    __table_args__ = (
        UniqueConstraint("order_number", "ceiling_use_id"),
        CheckConstraint("state IN ('held', 'captured', 'released')", "state_known"),
        CheckConstraint("amount_cents > 0", "amount_positive"),
        CheckConstraint("extra_cents BETWEEN 0 AND amount_cents", "extra_within_amount"),
        CheckConstraint("given_back_cents BETWEEN 0 AND amount_cents", "given_back_within_amount"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(String(32), index=True)
    ceiling_use_id: Mapped[int] = mapped_column(ForeignKey("ceiling_uses.id"), index=True)
    amount_cents: Mapped[int]
    extra_cents: Mapped[int] = mapped_column(default=0)
    given_back_cents: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(State)
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    use: Mapped[CeilingUse] = relationship()


# Built once: making such statements anew takes longer than the database needs for them.
_LIMIT = select(Ceiling.limit_cents).where(Ceiling.id == bindparam("the_ceiling"))
TAKE = (
    update(CeilingUse)
    .where(
        CeilingUse.ceiling_id == bindparam("the_ceiling"),
        CeilingUse.subject == bindparam("the_subject", type_=String),
        CeilingUse.period_start == bindparam("the_start", type_=UtcDateTime),
        CeilingUse.held_cents + CeilingUse.captured_cents + bindparam("the_amount", type_=Integer)
        <= _LIMIT.scalar_subquery() + CeilingUse.extra_cents,
    )
    .values(held_cents=CeilingUse.held_cents + bindparam("the_amount", type_=Integer))
    .returning(CeilingUse.id)
)
USED = select(
    CeilingUse.ceiling_id, CeilingUse.subject, CeilingUse.period_start,
    CeilingUse.held_cents + CeilingUse.captured_cents, CeilingUse.extra_cents,
).where(
    CeilingUse.ceiling_id.in_(bindparam("ceilings", expanding=True)),
    CeilingUse.subject.in_(bindparam("subjects", expanding=True)),
    CeilingUse.period_start.in_(bindparam("starts", expanding=True)),
)  # fmt: skip
KEEP = insert(Hold).values(
    order_number=bindparam("the_order"), ceiling_use_id=bindparam("the_use"), amount_cents=bindparam("the_amount"),
    extra_cents=bindparam("the_extra"), given_back_cents=0, state="held", at=bindparam("the_at", type_=UtcDateTime),
)  # fmt: skip


@dataclass(frozen=True)
class Room:
    """How full one ceiling is, in cents, and when it begins anew (UTC; None: at each purchase)."""

    ceiling: Ceiling
    used_cents: int
    left_cents: int
    renews_at: datetime | None

    @property
    def is_warning(self) -> bool:
        """Whether so much is used that people are warned."""
        percent = self.ceiling.warn_percent
        return percent > 0 and self.ceiling.limit_cents * percent <= self.used_cents * 100 and self.used_cents > 0

    def fits(self, price: Price) -> bool:
        """Whether a purchase has room."""
        return self.ceiling.counted(price) <= self.left_cents

    def refusal(self, price: Price) -> dict[str, Any]:
        """The facts of `over_ceiling`; plain values, since the transaction they were read in is rolled back."""
        return {
            "ceiling": self.ceiling.id, "amount_cents": self.ceiling.counted(price), "left_cents": self.left_cents,
            "limit_cents": self.ceiling.limit_cents, "currency": self.ceiling.currency, "period": self.ceiling.period,
            "renews_at": self.renews_at.isoformat() if self.renews_at else None, "who": self.ceiling.who,
            "group": self.ceiling.group.label if self.ceiling.group else "",
        }  # fmt: skip


def rooms_under(
    session: Session, ceilings: Sequence[Ceiling], account_id: int, at: datetime, zone: ZoneInfo
) -> tuple[Room, ...]:
    """What is left under each ceiling for a person at a moment, in the order of `ceilings`."""
    counted = [ceiling.id for ceiling in ceilings if ceiling.period != "purchase"]
    starts = {ceiling.period: _start(ceiling, at, zone) for ceiling in ceilings if ceiling.period != "purchase"}
    uses: dict[tuple[int, str, datetime], tuple[int, int]] = {}
    if counted:
        subjects = ["group", f"account {account_id}"]
        asked = {"ceilings": counted, "subjects": subjects, "starts": list(set(starts.values()))}
        uses = {(row[0], row[1], row[2]): (row[3], row[4]) for row in session.connection().execute(USED, asked)}
    rooms = []
    for ceiling in ceilings:
        if ceiling.period == "purchase":
            rooms.append(Room(ceiling, 0, ceiling.limit_cents, None))
            continue
        used, extra = uses.get((ceiling.id, ceiling.subject(account_id), starts[ceiling.period]), (0, 0))
        renews_at = clock.next_period_start(ceiling.period, at, zone)  # type: ignore[arg-type]
        rooms.append(Room(ceiling, used, max(0, ceiling.limit_cents + extra - used), renews_at))
    return tuple(rooms)


def hold(
    session: Session, ceilings: Iterable[Ceiling], account_id: int, order_number: str, price: Price, zone: ZoneInfo,
    excused: frozenset[int] = frozenset(),
) -> None:  # fmt: skip
    """Take room for an order under every ceiling, or under none.

    Args:
        excused: ids of ceilings that somebody entitled lets this one purchase pass.

    Raises:
        Refused: `over_ceiling` with the ceiling, what is left and when it renews; the caller's
            transaction must be rolled back.
    """
    at = clock.now()
    for ceiling in ceilings:
        amount = ceiling.counted(price)
        if ceiling.period == "purchase":
            taken = amount <= ceiling.limit_cents or ceiling.id in excused
        else:
            taken = _take(session, ceiling, account_id, order_number, amount, at, zone, ceiling.id in excused)
        if not taken:
            (room,) = rooms_under(session, [ceiling], account_id, at, zone)
            raise Refused("over_ceiling", **room.refusal(price))


def _take(
    session: Session, ceiling: Ceiling, account_id: int, order_number: str, amount: int, at: datetime,
    zone: ZoneInfo, excused: bool,
) -> bool:  # fmt: skip
    if amount == 0:
        return True
    named = {
        "the_ceiling": ceiling.id,
        "the_subject": ceiling.subject(account_id),
        "the_start": _start(ceiling, at, zone),
    }
    asked = {**named, "the_amount": amount}
    connection = session.connection()
    use_id, extra = connection.scalar(TAKE, asked), 0
    if use_id is None:
        # Either there is no room, or nobody has used this ceiling in this period yet.
        insert_missing(session, CeilingUse, _fresh(named))
        use_id = connection.scalar(TAKE, asked)
    if use_id is None:
        if not excused:
            return False
        use_id, extra = _widen(session, named, amount)
    connection.execute(
        KEEP, {"the_order": order_number, "the_use": use_id, "the_amount": amount, "the_extra": extra, "the_at": at}
    )  # fmt: skip
    return True


def _fresh(named: dict[str, Any]) -> dict[str, Any]:
    key = {"ceiling_id": named["the_ceiling"], "subject": named["the_subject"], "period_start": named["the_start"]}
    return {**key, "held_cents": 0, "captured_cents": 0, "extra_cents": 0}


def _widen(session: Session, named: dict[str, Any], amount: int) -> tuple[int, int]:
    """Hold an amount all the same, the limit widened by what it lacks; the counter, and by how much, at most the amount."""
    use = session.scalars(
        select(CeilingUse)
        .filter_by(ceiling_id=named["the_ceiling"], subject=named["the_subject"], period_start=named["the_start"])
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    limit = session.scalars(select(Ceiling.limit_cents).where(Ceiling.id == use.ceiling_id)).one()
    extra = min(max(0, use.used_cents + amount - limit - use.extra_cents), amount)
    use.extra_cents, use.held_cents = use.extra_cents + extra, use.held_cents + amount
    session.flush()
    return use.id, extra


def capture_holds(session: Session, order_number: str) -> None:
    """What an order held is spent."""
    for kept in _holds(session, order_number, "held"):
        _count(session, kept, held=-kept.amount_cents, captured=kept.amount_cents)
        kept.state, kept.at = "captured", clock.now()


def capture_many(session: Session, order_numbers: Sequence[str]) -> None:
    """What several orders held is spent: each counter is changed once."""
    spent = session.execute(
        update(Hold).where(Hold.order_number.in_(order_numbers), Hold.state == "held")
        .values(state="captured", at=clock.now()).returning(Hold.ceiling_use_id, Hold.amount_cents)
        .execution_options(synchronize_session=False)
    ).all()  # fmt: skip
    by_use: Counter[int] = Counter()
    for use_id, cents in spent:
        by_use[use_id] += cents
    # In the order of `hold` and of everybody else, or two could wait for each other.
    in_order = select(CeilingUse.id).where(CeilingUse.id.in_(by_use)).order_by(CeilingUse.ceiling_id, CeilingUse.id)
    for use_id in session.scalars(in_order).all():
        cents = by_use[use_id]
        change = {"held_cents": CeilingUse.held_cents - cents, "captured_cents": CeilingUse.captured_cents + cents}
        statement = update(CeilingUse).where(CeilingUse.id == use_id).values(change)
        session.execute(statement.execution_options(synchronize_session=False))


def release_holds(session: Session, order_number: str) -> None:
    """What an order held is free again, and what an allowance had added for it is gone."""
    for kept in _holds(session, order_number, "held"):
        _count(session, kept, held=-kept.amount_cents, extra=-kept.extra_cents)
        kept.state, kept.at, kept.extra_cents = "released", clock.now(), 0


def give_back(session: Session, order_number: str, refunded: Price) -> None:
    """A refund: the counters of the periods it was taken from go down by what came back, never below zero."""
    for kept in _holds(session, order_number, "captured"):
        back = min(kept.use.ceiling.counted(refunded), kept.amount_cents - kept.given_back_cents)
        extra = min(kept.extra_cents, back)
        _count(session, kept, captured=-back, extra=-extra)
        kept.given_back_cents, kept.extra_cents = kept.given_back_cents + back, kept.extra_cents - extra


def _holds(session: Session, order_number: str, state: str) -> list[Hold]:
    # Counters change in the order they were taken in, or two orders could wait for each other.
    query = select(Hold).where(Hold.order_number == order_number, Hold.state == state).order_by(Hold.id)
    return list(session.scalars(query.options(joinedload(Hold.use).joinedload(CeilingUse.ceiling))))


def _count(session: Session, kept: Hold, *, held: int = 0, captured: int = 0, extra: int = 0) -> None:
    session.execute(
        update(CeilingUse)
        .where(CeilingUse.id == kept.ceiling_use_id)
        .values(
            held_cents=CeilingUse.held_cents + held,
            captured_cents=CeilingUse.captured_cents + captured,
            extra_cents=CeilingUse.extra_cents + extra,
        )
    )


def _start(ceiling: Ceiling, at: datetime, zone: ZoneInfo) -> datetime:
    return clock.period_start(ceiling.period, at, zone)  # type: ignore[arg-type]
