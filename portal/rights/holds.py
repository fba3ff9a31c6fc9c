"""What purchases take from ceilings: held when confirmed, captured when charged, released when they fail.

Room is taken by one conditional update for each ceiling, so no race passes a limit (invariant 2). An
allowance somebody granted for one purchase widens a counter by exactly what that purchase lacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, select, update
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
        query = select(
            CeilingUse.ceiling_id, CeilingUse.subject, CeilingUse.period_start,
            CeilingUse.held_cents + CeilingUse.captured_cents, CeilingUse.extra_cents,
        ).where(
            CeilingUse.ceiling_id.in_(counted), CeilingUse.subject.in_(["group", f"account {account_id}"]),
            CeilingUse.period_start.in_(set(starts.values())),
        )  # fmt: skip
        uses = {(row[0], row[1], row[2]): (row[3], row[4]) for row in session.execute(query)}
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
    use_id = _use(session, ceiling, account_id, _start(ceiling, at, zone))
    limit = select(Ceiling.limit_cents).where(Ceiling.id == ceiling.id).scalar_subquery()
    used = CeilingUse.held_cents + CeilingUse.captured_cents
    taken = session.execute(
        update(CeilingUse)
        .where(CeilingUse.id == use_id, used + amount <= limit + CeilingUse.extra_cents)
        .values(held_cents=CeilingUse.held_cents + amount)
        .returning(CeilingUse.id)
        .execution_options(synchronize_session=False)
    ).first()
    extra = 0
    if taken is None:
        if not excused:
            return False
        extra = _widen(session, use_id, amount)
    kept = Hold(order_number=order_number, ceiling_use_id=use_id, amount_cents=amount, extra_cents=extra)
    kept.state, kept.at, kept.given_back_cents = "held", at, 0
    session.add(kept)
    return True


def _widen(session: Session, use_id: int, amount: int) -> int:
    """Hold an amount all the same, the limit widened by what it lacks; at most the amount itself."""
    use = session.scalars(
        select(CeilingUse).where(CeilingUse.id == use_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    limit = session.scalars(select(Ceiling.limit_cents).where(Ceiling.id == use.ceiling_id)).one()
    lacking = max(0, use.used_cents + amount - limit - use.extra_cents)
    extra = min(lacking, amount)
    use.extra_cents, use.held_cents = use.extra_cents + extra, use.held_cents + amount
    session.flush()
    return extra


def _use(session: Session, ceiling: Ceiling, account_id: int, start: datetime) -> int:
    named = {"ceiling_id": ceiling.id, "subject": ceiling.subject(account_id), "period_start": start}
    query = select(CeilingUse.id).filter_by(**named)
    found = session.scalar(query)
    if found is None:
        insert_missing(session, CeilingUse, {**named, "held_cents": 0, "captured_cents": 0, "extra_cents": 0})
        found = session.scalars(query).one()
    return found


def capture_holds(session: Session, order_number: str) -> None:
    """What an order held is spent."""
    for kept in _holds(session, order_number, "held"):
        _count(session, kept, held=-kept.amount_cents, captured=kept.amount_cents)
        kept.state, kept.at = "captured", clock.now()


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
    query = select(Hold).where(Hold.order_number == order_number, Hold.state == state)
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
