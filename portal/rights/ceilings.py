"""Ceilings: optional limits on what may be spent. None exists until somebody makes one.

What a purchase takes from them is in `holds.py`. A change binds the very next confirmation; each limit a
ceiling ever had is kept with its moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, bindparam, or_, select
from sqlalchemy.orm import Mapped, Session, contains_eager, mapped_column, relationship
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key

from portal import audit, clock
from portal.database import Base, UtcDateTime
from portal.directory.answers import Group
from portal.rights.groups import GroupRow, known
from portal.rights.scopes import Scope, Wanted, covering

WHO = ("each", "shared", "everyone")
PERIODS = ("purchase", "day", "week", "month", "year")
WARN_PERCENT = 80


@dataclass(frozen=True)
class Price:
    """What one purchase costs, in cents: without VAT and with it."""

    net_cents: int
    gross_cents: int


@dataclass(frozen=True)
class Terms:
    """What a ceiling says.

    `who` is each person of the group, the group together (`shared`), or `everyone` each, without a group.
    `limit_cents` counts VAT when `with_vat`; from `warn_percent` of it on people are warned (0: never).
    """

    who: str
    scope: Scope
    period: str
    limit_cents: int
    currency: str = "EUR"
    with_vat: bool = True
    warn_percent: int = WARN_PERCENT


class Ceiling(Base):
    """One ceiling, with the limit it has now."""

    __tablename__ = "ceilings"
    __table_args__ = (
        CheckConstraint("who IN ('each', 'shared', 'everyone')", "who_known"),
        CheckConstraint("period IN ('purchase', 'day', 'week', 'month', 'year')", "period_known"),
        CheckConstraint("limit_cents >= 0", "limit_not_negative"),
        CheckConstraint("warn_percent BETWEEN 0 AND 100", "warn_percent_known"),
        CheckConstraint("(who = 'everyone') = (group_id IS NULL)", "group_named"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    who: Mapped[str] = mapped_column(String(16))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"), index=True)
    scope_kind: Mapped[str] = mapped_column(String(16))
    scope_value: Mapped[str] = mapped_column(String(200))
    period: Mapped[str] = mapped_column(String(16))
    limit_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    with_vat: Mapped[bool] = mapped_column(default=True)
    warn_percent: Mapped[int] = mapped_column(default=WARN_PERCENT)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    group: Mapped[GroupRow | None] = relationship()
    limits: Mapped[list[CeilingLimit]] = relationship(order_by="CeilingLimit.id")

    @property
    def scope(self) -> Scope:
        """What the ceiling covers."""
        return Scope(self.scope_kind, self.scope_value)

    def subject(self, account_id: int) -> str:
        """Whose counter this is."""
        return "group" if self.who == "shared" else f"account {account_id}"

    def counted(self, price: Price) -> int:
        """What a purchase takes from this ceiling, in cents."""
        return price.gross_cents if self.with_vat else price.net_cents

    def as_dict(self) -> dict[str, Any]:
        """The ceiling as exports, the journal and `--json` show it."""
        return {
            "id": self.id, "who": self.who, "group": self.group.dn if self.group else "",
            "group_id": self.group.directory_id if self.group else "", "period": self.period, "scope": str(self.scope),
            "limit_cents": self.limit_cents, "currency": self.currency, "with_vat": self.with_vat,
            "warn_percent": self.warn_percent,
        }  # fmt: skip


class CeilingLimit(Base):
    """A limit a ceiling has had since `since`; the newest is the one in force."""

    __tablename__ = "ceiling_limits"

    id: Mapped[int] = mapped_column(primary_key=True)
    ceiling_id: Mapped[int] = mapped_column(ForeignKey("ceilings.id"), index=True)
    limit_cents: Mapped[int]
    since: Mapped[datetime] = mapped_column(UtcDateTime)


# Built once: making such a statement anew takes longer than the database needs for it.
LIVE = (
    select(Ceiling)
    .outerjoin(Ceiling.group)
    .options(contains_eager(Ceiling.group))
    .where(Ceiling.ended_at.is_(None))
    .order_by(Ceiling.id)
)
APPLYING = (
    select(Ceiling)
    .outerjoin(Ceiling.group)
    .where(
        Ceiling.ended_at.is_(None),
        or_(Ceiling.who == "everyone", GroupRow.key.in_(bindparam("keys", expanding=True))),
        covering(Ceiling.scope_kind, Ceiling.scope_value),
    )
    .order_by(Ceiling.id)
)


GROUPS = select(GroupRow).where(GroupRow.id.in_(bindparam("ids", expanding=True)))


def add_ceiling(session: Session, actor: str, group: Group | None, terms: Terms) -> Ceiling:
    """Make a ceiling; it binds the very next confirmation. `group` is None for everyone."""
    at = clock.now()
    ceiling = Ceiling(
        who=terms.who, group=known(session, group) if group else None, scope_kind=terms.scope.kind,
        scope_value=terms.scope.value, period=terms.period, limit_cents=terms.limit_cents, currency=terms.currency,
        with_vat=terms.with_vat, warn_percent=terms.warn_percent, created_at=at,
        limits=[CeilingLimit(limit_cents=terms.limit_cents, since=at)],
    )  # fmt: skip
    session.add(ceiling)
    session.flush()
    audit.record(session, actor, "ceiling_added", f"ceiling {ceiling.id}", after=ceiling.as_dict())
    return ceiling


def change_ceiling(session: Session, actor: str, ceiling: Ceiling, limit_cents: int, warn_percent: int) -> None:
    """Give a ceiling another limit or warning; what was spent stays, also above the new limit."""
    before = ceiling.as_dict()
    if (limit_cents, warn_percent) == (ceiling.limit_cents, ceiling.warn_percent):
        return
    if limit_cents != ceiling.limit_cents:
        ceiling.limits.append(CeilingLimit(limit_cents=limit_cents, since=clock.now()))
    ceiling.limit_cents, ceiling.warn_percent = limit_cents, warn_percent
    session.flush()
    audit.record(
        session, actor, "ceiling_changed", f"ceiling {ceiling.id}", before=before, after=ceiling.as_dict()
    )  # fmt: skip


def end_ceiling(session: Session, actor: str, ceiling: Ceiling) -> None:
    """Stop applying a ceiling; its history stays."""
    ceiling.ended_at = clock.now()
    audit.record(session, actor, "ceiling_ended", f"ceiling {ceiling.id}", before=ceiling.as_dict())


def revive_ceiling(session: Session, actor: str, ceiling: Ceiling) -> None:
    """Apply a ceiling again that had been ended, with all it had counted."""
    ceiling.ended_at = None
    audit.record(session, actor, "ceiling_added", f"ceiling {ceiling.id}", after=ceiling.as_dict())


def live_ceilings(session: Session) -> list[Ceiling]:
    """Every ceiling that applies to somebody now, oldest first."""
    return list(session.scalars(LIVE))


def applying(session: Session, group_keys: frozenset[str], wanted: Wanted) -> list[Ceiling]:
    """Every live ceiling that a purchase of this offer by a person of these groups must pass."""
    found = list(session.scalars(APPLYING, {"keys": list(group_keys), **wanted.values}))
    # Mostly their groups are at hand already, from the rules just read; to read each row again would cost more.
    named = {ceiling.group_id for ceiling in found if ceiling.group_id}
    unread = [number for number in named if identity_key(GroupRow, number) not in session.identity_map]
    groups = {row.id: row for row in session.scalars(GROUPS, {"ids": unread})} if unread else {}
    for ceiling in found:
        # Set as read, so that it is there after the session has ended.
        set_committed_value(ceiling, "group", groups.get(ceiling.group_id or 0) or ceiling.group)
    return found
