"""The audit journal: append-only, each entry carrying the hash of the one before.

Nothing that happened is ever rewritten (invariant 7); a correction is a new entry. Entries are linked
at the end of their transaction: whoever links keeps others from doing so until it has committed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, String, event, select
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, SessionTransaction, mapped_column

from portal import clock
from portal.database import Base, UtcDateTime, one_at_a_time

GENESIS = "0" * 64
UNLINKED = "portal.audit: entries without a link"
_address: ContextVar[str] = ContextVar("address", default="")


@contextmanager
def acting_from(address: str) -> Iterator[None]:
    """Within this block every entry notes where its actor is: a network address, or `user@host` of a terminal."""
    token = _address.set(address[:64])
    try:
        yield
    finally:
        _address.reset(token)


def note_address(address: str) -> None:
    """From now on, in this thread, every entry notes this address: for a request that begins."""
    _address.set(address[:64])


class AuditEntry(Base):
    """Who did what to what, with the state before and after."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(200))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    address: Mapped[str] = mapped_column(String(64), default="")
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)

    def computed_hash(self) -> str:
        """SHA-256 over the canonical JSON of everything but the hash itself."""
        content = [
            self.at.isoformat(),
            self.actor,
            self.action,
            self.subject,
            self.before,
            self.after,
            self.previous_hash,
            # Entries made before addresses were kept have none, and keep their hash.
            *([self.address] if self.address else []),
        ]
        canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def record(
    session: Session,
    actor: str,
    action: str,
    subject: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry with the caller's writing transaction; its number and its hash come at the commit."""
    entry = AuditEntry(
        at=clock.now(), actor=actor, action=action, subject=subject, before=before, after=after, address=_address.get()
    )
    session.info.setdefault(UNLINKED, []).append(entry)
    if session.in_nested_transaction():
        # What a savepoint takes back must go with it.
        _link(session)
    return entry


def is_recent(session: Session, action: str, subject: str, after: dict[str, Any], within: timedelta) -> bool:
    """Whether the very same was noted already, not longer ago than this."""
    same = (AuditEntry.action == action, AuditEntry.subject == subject, AuditEntry.at > clock.now() - within)
    return after in session.scalars(select(AuditEntry.after).where(*same)).all()


def recorded(session: Session) -> list[AuditEntry]:
    """What this transaction has recorded so far and not linked yet; numbers are given when it ends."""
    return list(session.info.get(UNLINKED, []))


@event.listens_for(Session, "before_commit")
def _link(session: Session) -> None:
    """Give each new entry its place in the chain, after everything else of its transaction that may have to wait."""
    entries = session.info.pop(UNLINKED, [])
    if not entries:
        return
    session.flush()
    one_at_a_time(session.connection(), "audit chain")
    with session.no_autoflush:
        previous = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or GENESIS
    for entry in entries:
        entry.previous_hash = previous
        entry.hash = previous = entry.computed_hash()
        session.add(entry)
        session.flush()


@event.listens_for(Session, "do_orm_execute")
def _link_before_reading(asked: ORMExecuteState) -> None:
    """Whoever reads the journal within its own transaction finds what it wrote there."""
    if UNLINKED in asked.session.info and any(mapper.class_ is AuditEntry for mapper in asked.all_mappers):
        _link(asked.session)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, ended: SessionTransaction) -> None:
    if not ended.nested:
        session.info.pop(UNLINKED, None)


def newest(session: Session) -> AuditEntry | None:
    """The last entry, whose hash stands for all before it."""
    return session.scalar(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))


def has_hash(session: Session, digest: str) -> bool:
    """Whether the journal still has an entry with a hash that was noted earlier."""
    return digest == GENESIS or session.scalar(select(AuditEntry.id).where(AuditEntry.hash == digest)) is not None


def first_broken(session: Session) -> AuditEntry | None:
    """The first entry whose hash or link does not hold, or None when the whole chain verifies."""
    previous = GENESIS
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=500)):
        if entry.previous_hash != previous or entry.hash != entry.computed_hash():
            return entry
        previous = entry.hash
    return None
