"""Ceilings: optional limits on what may be spent, held and captured atomically.

None exists until somebody makes one; all that apply to a purchase must have room. Room is taken by
one conditional update for each ceiling, so no race passes a limit (invariant 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from portal import audit, clock
from portal.clock import Period
from portal.database import Base, State, UtcDateTime, insert_missing
from portal.directory.names import normalise
from portal.refusals import Refused
from portal.rights.scopes import Scope, Wanted

WHO = ("each", "shared", "everyone")
PERIODS = ("purchase", "day", "week", "month", "year")


class Ceiling(Base):
    """A limit in cents, VAT included, by period: for each person of a group, shared by a group, or for everyone each."""

    __tablename__ = "ceilings"
    __table_args__ = (
        CheckConstraint("who IN ('each', 'shared', 'everyone')", "who_known"),
        CheckConstraint("period IN ('purchase', 'day', 'week', 'month', 'year')", "period_known"),
        CheckConstraint("limit_cents >= 0", "limit_not_negative"),
        CheckConstraint("(who = 'everyone') = (group_key = '')", "group_named"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    who: Mapped[str] = mapped_column(String(16))
    group_dn: Mapped[str] = mapped_column(String(1000))
    group_key: Mapped[str] = mapped_column(String(1000))
    scope_kind: Mapped[str] = mapped_column(String(16))
    scope_value: Mapped[str] = mapped_column(String(200))
    period: Mapped[str] = mapped_column(String(16))
    limit_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def subject(self, account_id: int) -> str:
        """Whose counter this is."""
        return "group" if self.who == "shared" else f"account {account_id}"

    def as_dict(self) -> dict[str, str | int]:
        """The ceiling as exports, the journal and `--json` show it."""
        return {
            "id": self.id, "who": self.who, "group": self.group_dn, "period": self.period,
            "scope": str(Scope(self.scope_kind, self.scope_value)),
            "limit_cents": self.limit_cents, "currency": self.currency,
        }  # fmt: skip


class CeilingUse(Base):
    """How full one ceiling is for one subject in one period."""

    __tablename__ = "ceiling_uses"
    __table_args__ = (
        UniqueConstraint("ceiling_id", "subject", "period_start"),
        CheckConstraint("held_cents >= 0", "held_not_negative"),
        CheckConstraint("captured_cents >= 0", "captured_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ceiling_id: Mapped[int] = mapped_column(ForeignKey("ceilings.id"))
    subject: Mapped[str] = mapped_column(String(64))
    period_start: Mapped[datetime] = mapped_column(UtcDateTime)
    held_cents: Mapped[int] = mapped_column(default=0)
    captured_cents: Mapped[int] = mapped_column(default=0)

    ceiling: Mapped[Ceiling] = relationship()


class Hold(Base):
    """The amount an open order keeps from a ceiling, until it is captured or released."""

    __tablename__ = "holds"
    __table_args__ = (
        UniqueConstraint("order_number", "ceiling_use_id"),
        CheckConstraint("state IN ('held', 'captured', 'released')", "state_known"),
        CheckConstraint("amount_cents > 0", "amount_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(String(32), index=True)
    ceiling_use_id: Mapped[int] = mapped_column(ForeignKey("ceiling_uses.id"), index=True)
    amount_cents: Mapped[int]
    state: Mapped[str] = mapped_column(State)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Room:
    """What is left under one ceiling, in cents, and when it begins anew (UTC; None: at each purchase)."""

    ceiling: Ceiling
    left_cents: int
    renews_at: datetime | None

    def refusal(self, amount_cents: int) -> dict[str, Any]:
        """The facts of `over_ceiling`; plain values, since the transaction they were read in is rolled back."""
        return {
            "amount_cents": amount_cents, "left_cents": self.left_cents, "renews_at": self.renews_at,
            "limit_cents": self.ceiling.limit_cents, "currency": self.ceiling.currency, "period": self.ceiling.period,
        }  # fmt: skip


def add_ceiling(
    session: Session, actor: str, who: str, group_dn: str, scope: Scope, period: str, limit_cents: int, currency: str
) -> Ceiling:
    """Make a ceiling; it binds the very next confirmation."""
    ceiling = Ceiling(
        who=who, group_dn=group_dn, group_key=normalise(group_dn) if group_dn else "", scope_kind=scope.kind,
        scope_value=scope.value, period=period, limit_cents=limit_cents, currency=currency, created_at=clock.now(),
    )  # fmt: skip
    session.add(ceiling)
    session.flush()
    audit.record(session, actor, "ceiling_added", f"ceiling {ceiling.id}", after=ceiling.as_dict())
    return ceiling


def end_ceiling(session: Session, actor: str, ceiling: Ceiling) -> None:
    """Stop applying a ceiling; its history stays."""
    ceiling.ended_at = clock.now()
    audit.record(session, actor, "ceiling_ended", f"ceiling {ceiling.id}", before=ceiling.as_dict())


def applying(session: Session, group_keys: frozenset[str], wanted: Wanted) -> list[Ceiling]:
    """Every live ceiling that a purchase of this offer by a person of these groups must pass."""
    live = session.scalars(select(Ceiling).where(Ceiling.ended_at.is_(None)).order_by(Ceiling.id))
    return [
        ceiling
        for ceiling in live
        if (ceiling.who == "everyone" or ceiling.group_key in group_keys)
        and Scope(ceiling.scope_kind, ceiling.scope_value).covers(wanted)
    ]


def room_under(session: Session, ceiling: Ceiling, account_id: int, at: datetime, zone: ZoneInfo) -> Room:
    """What is left under a ceiling for a person at a moment."""
    if ceiling.period == "purchase":
        return Room(ceiling, ceiling.limit_cents, None)
    period: Period = ceiling.period  # type: ignore[assignment]
    use = session.scalar(
        select(CeilingUse).where(
            CeilingUse.ceiling_id == ceiling.id,
            CeilingUse.subject == ceiling.subject(account_id),
            CeilingUse.period_start == clock.period_start(period, at, zone),
        )
    )
    used = use.held_cents + use.captured_cents if use else 0
    return Room(ceiling, max(0, ceiling.limit_cents - used), clock.next_period_start(period, at, zone))


def hold(
    session: Session, ceilings: list[Ceiling], account_id: int, order_number: str, amount_cents: int, zone: ZoneInfo
) -> None:
    """Take room for an order under every ceiling, or under none.

    Raises:
        Refused: `over_ceiling` with the ceiling, what is left and when it renews; the caller's
            transaction must be rolled back.
    """
    at = clock.now()
    for ceiling in ceilings:
        if not _take(session, ceiling, account_id, order_number, amount_cents, at, zone):
            room = room_under(session, ceiling, account_id, at, zone)
            raise Refused("over_ceiling", **room.refusal(amount_cents))


def _take(
    session: Session,
    ceiling: Ceiling,
    account_id: int,
    order_number: str,
    amount_cents: int,
    at: datetime,
    zone: ZoneInfo,
) -> bool:
    if ceiling.period == "purchase":
        return amount_cents <= ceiling.limit_cents
    use = _use(session, ceiling, account_id, clock.period_start(ceiling.period, at, zone))  # type: ignore[arg-type]
    limit = select(Ceiling.limit_cents).where(Ceiling.id == ceiling.id).scalar_subquery()
    taken = session.execute(
        update(CeilingUse)
        .where(CeilingUse.id == use.id, CeilingUse.held_cents + CeilingUse.captured_cents + amount_cents <= limit)
        .values(held_cents=CeilingUse.held_cents + amount_cents)
        .returning(CeilingUse.id)
    ).first()
    if taken is None:
        return False
    session.add(Hold(order_number=order_number, ceiling_use_id=use.id, amount_cents=amount_cents, state="held", at=at))
    return True


def _use(session: Session, ceiling: Ceiling, account_id: int, start: datetime) -> CeilingUse:
    subject = ceiling.subject(account_id)
    named = {"ceiling_id": ceiling.id, "subject": subject, "period_start": start}
    query = select(CeilingUse).filter_by(**named)
    use = session.scalar(query)
    if use is None:
        insert_missing(session, CeilingUse, {**named, "held_cents": 0, "captured_cents": 0})
        use = session.scalars(query).one()
    return use


def capture_holds(session: Session, order_number: str) -> None:
    """What an order held is spent."""
    _settle(session, order_number, "captured")


def release_holds(session: Session, order_number: str) -> None:
    """What an order held is free again."""
    _settle(session, order_number, "released")


def _settle(session: Session, order_number: str, state: str) -> None:
    held = session.scalars(select(Hold).where(Hold.order_number == order_number, Hold.state == "held"))
    for kept in list(held):
        captured = kept.amount_cents if state == "captured" else 0
        session.execute(
            update(CeilingUse)
            .where(CeilingUse.id == kept.ceiling_use_id)
            .values(
                held_cents=CeilingUse.held_cents - kept.amount_cents,
                captured_cents=CeilingUse.captured_cents + captured,
            )
        )
        kept.state, kept.at = state, clock.now()
