"""Take a change of rights back: each one is undone from what the journal kept of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from portal.audit import AuditEntry
from portal.directory.answers import Group
from portal.refusals import Refused
from portal.rights.ceilings import Ceiling, change_ceiling, end_ceiling, revive_ceiling
from portal.rights.delegations import Delegation, end_delegation
from portal.rights.rules import Rule, add_rule, remove_rule
from portal.rights.scopes import parse_scope

Row = TypeVar("Row", Rule, Ceiling, Delegation)


def undo(session: Session, actor: str, entry: AuditEntry) -> None:
    """Undo the change one entry tells of, as a new change.

    Raises:
        Refused: `undo_impossible`, because it is no change of rights or something changed since.
    """
    take_back = UNDOING.get(entry.action)
    if take_back is None:
        raise Refused("undo_impossible")
    take_back(session, actor, entry)


def _remove_rule(session: Session, actor: str, entry: AuditEntry) -> None:
    remove_rule(session, actor, _still(session, Rule, entry.after))


def _add_rule(session: Session, actor: str, entry: AuditEntry) -> None:
    said = entry.before or {}
    add_rule(
        session, actor, Group(said["group"], said.get("group_id", "")), parse_scope(said["scope"]), said["right"],
        said["effect"], _moment(said.get("starts_at")), _moment(said.get("ends_at")),
    )  # fmt: skip


def _end_ceiling(session: Session, actor: str, entry: AuditEntry) -> None:
    end_ceiling(session, actor, _still(session, Ceiling, entry.after))


def _revive_ceiling(session: Session, actor: str, entry: AuditEntry) -> None:
    ceiling = session.get(Ceiling, (entry.before or {}).get("id"))
    if ceiling is None or ceiling.ended_at is None:
        raise Refused("undo_impossible")
    revive_ceiling(session, actor, ceiling)


def _change_back(session: Session, actor: str, entry: AuditEntry) -> None:
    ceiling, before = _still(session, Ceiling, entry.after), entry.before or {}
    change_ceiling(session, actor, ceiling, before["limit_cents"], before["warn_percent"])


def _end_delegation(session: Session, actor: str, entry: AuditEntry) -> None:
    end_delegation(session, actor, _still(session, Delegation, entry.after))


def _still(session: Session, table: type[Row], said: dict[str, Any] | None) -> Row:
    """The row, as long as it says what the journal kept."""
    row = session.get(table, (said or {}).get("id"))
    if row is None or getattr(row, "ended_at", None) or row.as_dict() != said:
        raise Refused("undo_impossible")
    return row


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


UNDOING: dict[str, Callable[[Session, str, AuditEntry], None]] = {
    "rule_added": _remove_rule,
    "rule_removed": _add_rule,
    "ceiling_added": _end_ceiling,
    "ceiling_ended": _revive_ceiling,
    "ceiling_changed": _change_back,
    "delegation_added": _end_delegation,
}
