"""Who may manage rules and ceilings: administrators all of them, a delegate those of one group and one scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from portal import audit, clock
from portal.database import Base, UtcDateTime
from portal.directory.answers import Group
from portal.rights.groups import GroupRow, known
from portal.rights.scopes import Scope


class Delegation(Base):
    """The members of `delegates` may manage what rules and ceilings say of `target` within a scope, and nothing else."""

    __tablename__ = "delegations"
    __table_args__ = (
        CheckConstraint("scope_kind IN ('all', 'category', 'merchant', 'offer')", "scope_known"),
        CheckConstraint("delegates_id <> target_id", "not_over_themselves"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    delegates_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), index=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), index=True)
    scope_kind: Mapped[str] = mapped_column(String(16))
    scope_value: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    delegates: Mapped[GroupRow] = relationship(foreign_keys=[delegates_id])
    target: Mapped[GroupRow] = relationship(foreign_keys=[target_id])

    @property
    def scope(self) -> Scope:
        """Within what they may decide."""
        return Scope(self.scope_kind, self.scope_value)

    def as_dict(self) -> dict[str, Any]:
        """The delegation as exports, the journal and `--json` show it."""
        return {
            "id": self.id, "delegates": self.delegates.dn, "delegates_id": self.delegates.directory_id,
            "group": self.target.dn, "group_id": self.target.directory_id, "scope": str(self.scope),
        }  # fmt: skip


@dataclass(frozen=True)
class Authority:
    """What somebody may manage: everything, or what his delegations say."""

    is_admin: bool
    delegations: tuple[Delegation, ...] = ()

    @property
    def is_any(self) -> bool:
        """Whether there is anything to manage at all."""
        return self.is_admin or bool(self.delegations)

    def may_manage(self, group_key: str, scope: Scope, category: str = "") -> bool:
        """Whether a rule or ceiling of this group (`""`: of everyone) and scope may be made, changed or ended.

        Args:
            category: that of the offer, when the scope is one.
        """
        return self.is_admin or any(
            given.target.key == group_key and given.scope.contains(scope, category) for given in self.delegations
        )


def add_delegation(session: Session, actor: str, delegates: Group, target: Group, scope: Scope) -> Delegation:
    """Let the members of one group manage another group's rights within a scope."""
    made = Delegation(
        delegates=known(session, delegates), target=known(session, target), scope_kind=scope.kind,
        scope_value=scope.value, created_at=clock.now(),
    )  # fmt: skip
    session.add(made)
    session.flush()
    audit.record(session, actor, "delegation_added", f"delegation {made.id}", after=made.as_dict())
    return made


def end_delegation(session: Session, actor: str, delegation: Delegation) -> None:
    """Take a delegation away; what was decided under it stays."""
    delegation.ended_at = clock.now()
    audit.record(session, actor, "delegation_ended", f"delegation {delegation.id}", before=delegation.as_dict())


def live_delegations(session: Session) -> list[Delegation]:
    """Every delegation in force, oldest first."""
    query = select(Delegation).where(Delegation.ended_at.is_(None)).order_by(Delegation.id)
    return list(session.scalars(query.options(joinedload(Delegation.delegates), joinedload(Delegation.target))))


def authority_of(session: Session, group_keys: frozenset[str], *, is_admin: bool) -> Authority:
    """What a person of these groups may manage."""
    given = [] if is_admin else [each for each in live_delegations(session) if each.delegates.key in group_keys]
    return Authority(is_admin, tuple(given))
