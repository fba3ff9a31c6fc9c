"""The journal as one looks something up in it: filtered, by pages, each entry with what it changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from portal.audit import AuditEntry
from portal.directory.accounts import Account

PAGE = 50


@dataclass(frozen=True)
class Filter:
    """What is looked for: text in actor, subject or address, an action, the company's days, the last included."""

    text: str = ""
    action: str = ""
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Change:
    """One value before and after; None where there was or is none."""

    name: str
    before: str | None
    after: str | None


def entries(session: Session, wanted: Filter, zone: ZoneInfo, before: int = 0) -> list[AuditEntry]:
    """One page, the newest first, of those numbered below `before`; one more than a page tells that there are others."""
    query = _matching(session, wanted, zone).order_by(AuditEntry.id.desc()).limit(PAGE + 1)
    return list(session.scalars(query.where(AuditEntry.id < before) if before else query))


def every_entry(session: Session, wanted: Filter, zone: ZoneInfo) -> Iterator[AuditEntry]:
    """All of them, the oldest first, a few at a time."""
    query = _matching(session, wanted, zone).order_by(AuditEntry.id).execution_options(yield_per=500)
    yield from session.scalars(query)


def actions(session: Session) -> list[str]:
    """Every action the journal tells of."""
    return list(session.scalars(select(AuditEntry.action).distinct().order_by(AuditEntry.action)))


def names_of_actors(session: Session) -> Mapping[str, str]:
    """What `account 7` is called."""
    query = select(Account.id, Account.name, Account.login)
    return {f"account {number}": name or login for number, name, login in session.execute(query)}


def changes(entry: AuditEntry) -> list[Change]:
    """What an entry changed, value by value."""
    before, after = entry.before or {}, entry.after or {}
    named = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
    return [Change(name, _text(before.get(name)), _text(after.get(name))) for name in named]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_row(entry: AuditEntry, zone: ZoneInfo) -> dict[str, Any]:
    """An entry for an export; the time is the company's."""
    return {
        "id": entry.id, "at": entry.at.astimezone(zone).isoformat(timespec="seconds"), "actor": entry.actor,
        "address": entry.address, "action": entry.action, "subject": entry.subject, "before": entry.before,
        "after": entry.after, "hash": entry.hash,
    }  # fmt: skip


def _matching(session: Session, wanted: Filter, zone: ZoneInfo) -> Select[AuditEntry]:
    query = select(AuditEntry)
    if wanted.action:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.first:
        query = query.where(AuditEntry.at >= _midnight(wanted.first, zone))
    if wanted.last:
        query = query.where(AuditEntry.at < _midnight(wanted.last + timedelta(days=1), zone))
    if wanted.text:
        text = wanted.text.casefold()
        named = [actor for actor, name in names_of_actors(session).items() if text in name.casefold()]
        columns = (AuditEntry.actor, AuditEntry.subject, AuditEntry.address)
        query = query.where(
            or_(
                *(func.lower(column).contains(text, autoescape=True) for column in columns),
                AuditEntry.actor.in_(named), AuditEntry.subject.in_(named),
            )
        )  # fmt: skip
    return query


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
