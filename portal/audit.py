"""The audit journal: append-only, each entry carrying the hash of the one before.

Nothing that happened is ever rewritten (invariant 7); a correction is a new entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.database import Base, UtcDateTime

GENESIS = "0" * 64
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
    """Append one entry within the caller's writing transaction, which serialises the chain."""
    previous = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1))
    entry = AuditEntry(
        at=clock.now(),
        actor=actor,
        action=action,
        subject=subject,
        before=before,
        after=after,
        address=_address.get(),
        previous_hash=previous or GENESIS,
    )
    entry.hash = entry.computed_hash()
    session.add(entry)
    session.flush()
    return entry


def first_broken(session: Session) -> AuditEntry | None:
    """The first entry whose hash or link does not hold, or None when the whole chain verifies."""
    previous = GENESIS
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=500)):
        if entry.previous_hash != previous or entry.hash != entry.computed_hash():
            return entry
        previous = entry.hash
    return None
