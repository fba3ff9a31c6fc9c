"""Rules: a group and a scope give, or deny, the right to browse or to buy."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import audit, clock
from portal.database import Base, UtcDateTime
from portal.directory.names import normalise
from portal.rights.scopes import Scope, Wanted

RIGHTS = ("browse", "buy")
EFFECTS = ("allow", "deny")


class Rule(Base):
    """One rule. `group_key` is the normalised DN that decisions compare."""

    __tablename__ = "rules"
    __table_args__ = (
        UniqueConstraint("group_key", "scope_kind", "scope_value", "right", "effect"),
        CheckConstraint("\"right\" IN ('browse', 'buy')", "right_known"),
        CheckConstraint("effect IN ('allow', 'deny')", "effect_known"),
        CheckConstraint("scope_kind IN ('all', 'category', 'merchant', 'offer')", "scope_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    group_dn: Mapped[str] = mapped_column(String(1000))
    group_key: Mapped[str] = mapped_column(String(1000), index=True)
    scope_kind: Mapped[str] = mapped_column(String(16))
    scope_value: Mapped[str] = mapped_column(String(200))
    right: Mapped[str] = mapped_column(String(16))
    effect: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def scope(self) -> Scope:
        """What the rule covers."""
        return Scope(self.scope_kind, self.scope_value)

    def gives(self, right: str) -> bool:
        """Whether this rule speaks about a right: allowing to buy lets one see; denying to see denies both."""
        if self.effect == "allow":
            return self.right == right or (self.right, right) == ("buy", "browse")
        return self.right == right or (self.right, right) == ("browse", "buy")

    def as_dict(self) -> dict[str, str | int]:
        """The rule as exports, the journal and `--json` show it."""
        return {
            "id": self.id,
            "effect": self.effect,
            "group": self.group_dn,
            "right": self.right,
            "scope": str(self.scope),
        }


def add_rule(session: Session, actor: str, group_dn: str, scope: Scope, right: str, effect: str) -> Rule:
    """Make a rule, or return the one that already says the same."""
    group_key = normalise(group_dn)
    existing = session.scalar(
        select(Rule).where(
            Rule.group_key == group_key, Rule.scope_kind == scope.kind, Rule.scope_value == scope.value,
            Rule.right == right, Rule.effect == effect,
        )
    )  # fmt: skip
    if existing:
        return existing
    rule = Rule(
        group_dn=group_dn, group_key=group_key, scope_kind=scope.kind, scope_value=scope.value,
        right=right, effect=effect, created_at=clock.now(),
    )  # fmt: skip
    session.add(rule)
    session.flush()
    audit.record(session, actor, "rule_added", f"rule {rule.id}", after=rule.as_dict())
    return rule


def remove_rule(session: Session, actor: str, rule: Rule) -> None:
    """Take a rule away; the journal keeps what it said."""
    audit.record(session, actor, "rule_removed", f"rule {rule.id}", before=rule.as_dict())
    session.delete(rule)


def rules_for(session: Session, group_keys: frozenset[str]) -> list[Rule]:
    """Every rule that speaks about one of these groups, oldest first."""
    return list(session.scalars(select(Rule).where(Rule.group_key.in_(group_keys)).order_by(Rule.id)))


def matching(rules: list[Rule], right: str, wanted: Wanted) -> list[Rule]:
    """The rules among these that decide a right on an offer."""
    return [rule for rule in rules if rule.gives(right) and rule.scope.covers(wanted)]
