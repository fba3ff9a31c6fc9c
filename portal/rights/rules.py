"""Rules: a group and a scope give, or deny, the right to browse or to buy, for ever or between two dates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, bindparam, or_, select
from sqlalchemy.orm import Mapped, Session, contains_eager, joinedload, mapped_column, relationship

from portal import audit, clock
from portal.database import Base, UtcDateTime, one_at_a_time
from portal.directory.answers import Group
from portal.rights.groups import GroupRow, known
from portal.rights.scopes import Scope, Wanted, covering

RIGHTS = ("browse", "buy")
EFFECTS = ("allow", "deny")


class Rule(Base):
    """One rule; `starts_at` and `ends_at` (UTC, the end excluded) are None for no limit."""

    __tablename__ = "rules"
    __table_args__ = (
        CheckConstraint("\"right\" IN ('browse', 'buy')", "right_known"),
        CheckConstraint("effect IN ('allow', 'deny')", "effect_known"),
        CheckConstraint("scope_kind IN ('all', 'category', 'merchant', 'offer')", "scope_known"),
        CheckConstraint("starts_at IS NULL OR ends_at IS NULL OR starts_at < ends_at", "dates_in_order"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), index=True)
    scope_kind: Mapped[str] = mapped_column(String(16))
    scope_value: Mapped[str] = mapped_column(String(200))
    right: Mapped[str] = mapped_column(String(16))
    effect: Mapped[str] = mapped_column(String(16))
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    group: Mapped[GroupRow] = relationship()

    @property
    def scope(self) -> Scope:
        """What the rule covers."""
        return Scope(self.scope_kind, self.scope_value)

    def gives(self, right: str) -> bool:
        """Whether this rule speaks about a right: allowing to buy lets one see; denying to see denies both."""
        if self.effect == "allow":
            return self.right == right or (self.right, right) == ("buy", "browse")
        return self.right == right or (self.right, right) == ("browse", "buy")

    def is_in_force(self, at: datetime) -> bool:
        """Whether a moment lies between the rule's dates."""
        return (self.starts_at is None or self.starts_at <= at) and (self.ends_at is None or at < self.ends_at)

    def as_dict(self) -> dict[str, Any]:
        """The rule as exports, the journal and `--json` show it."""
        return {
            "id": self.id, "effect": self.effect, "group": self.group.dn, "group_id": self.group.directory_id,
            "right": self.right, "scope": str(self.scope),
            "starts_at": self.starts_at.isoformat() if self.starts_at else None,
            "ends_at": self.ends_at.isoformat() if self.ends_at else None,
        }  # fmt: skip


# Built once: making such a statement anew takes longer than the database needs for it.
IN_FORCE = (
    select(Rule)
    .join(Rule.group)
    .options(contains_eager(Rule.group))
    .where(
        GroupRow.key.in_(bindparam("keys", expanding=True)),
        or_(Rule.starts_at.is_(None), Rule.starts_at <= bindparam("at", type_=UtcDateTime)),
        or_(Rule.ends_at.is_(None), Rule.ends_at > bindparam("at", type_=UtcDateTime)),
    )
    .order_by(Rule.id)
)
ON_OFFER = IN_FORCE.where(covering(Rule.scope_kind, Rule.scope_value))


def add_rule(
    session: Session, actor: str, group: Group, scope: Scope, right: str, effect: str,
    starts_at: datetime | None = None, ends_at: datetime | None = None,
) -> Rule:  # fmt: skip
    """Make a rule, or return the one that already says the same."""
    # Two people may say the same at this moment.
    one_at_a_time(session.connection(), "rules")
    row = known(session, group)
    existing = session.scalar(
        select(Rule).where(
            Rule.group_id == row.id, Rule.scope_kind == scope.kind, Rule.scope_value == scope.value,
            Rule.right == right, Rule.effect == effect, Rule.starts_at == starts_at, Rule.ends_at == ends_at,
        )
    )  # fmt: skip
    if existing:
        return existing
    rule = Rule(
        group=row, scope_kind=scope.kind, scope_value=scope.value, right=right, effect=effect,
        starts_at=starts_at, ends_at=ends_at, created_at=clock.now(),
    )  # fmt: skip
    session.add(rule)
    session.flush()
    audit.record(session, actor, "rule_added", f"rule {rule.id}", after=rule.as_dict())
    return rule


def remove_rule(session: Session, actor: str, rule: Rule) -> None:
    """Take a rule away; the journal keeps what it said."""
    audit.record(session, actor, "rule_removed", f"rule {rule.id}", before=rule.as_dict())
    session.delete(rule)


def all_rules(session: Session) -> list[Rule]:
    """Every rule with its group, oldest first."""
    return list(session.scalars(select(Rule).options(joinedload(Rule.group)).order_by(Rule.id)))


def rules_for(session: Session, group_keys: frozenset[str]) -> list[Rule]:
    """Every rule in force that speaks about one of these groups, oldest first."""
    return list(session.scalars(IN_FORCE, {"keys": list(group_keys), "at": clock.now()}))


def rules_on(session: Session, group_keys: frozenset[str], wanted: Wanted) -> list[Rule]:
    """Those among them that cover one offer."""
    return list(session.scalars(ON_OFFER, {"keys": list(group_keys), "at": clock.now(), **wanted.values}))


def matching(rules: list[Rule], right: str, wanted: Wanted) -> list[Rule]:
    """The rules among these that decide a right on an offer."""
    return [rule for rule in rules if rule.gives(right) and rule.scope.covers(wanted)]
