"""Whose turn a round is: one worker at a time on all machines, and how far the round has come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import String, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.database import Base, Database, UtcDateTime, insert_missing
from portal.outbox import CLOCKS_DIFFER_S

LEASE_S = 60
KEEP_S = 15
"""How often whoever has the turn says that he is still at it."""


class Turn(Base):
    """`done_at` is when the round was last ended; `reached` is up to when it has seen everything there was to see."""

    __tablename__ = "turns"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), default="")
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reached: Mapped[datetime | None] = mapped_column(UtcDateTime)


def held(session: Session, names: Sequence[str]) -> set[str]:
    """Which of these rounds somebody is at now."""
    return set(session.scalars(select(Turn.name).where(Turn.name.in_(names), Turn.lease_until >= clock.now())))


class TurnLost(Exception):
    """Somebody else has the turn now: stop here; whatever was done is done."""


class Held:
    """The turn while we have it; `reached` is how far the round before came, None if there was none."""

    def __init__(self, database: Database, name: str, owner: str, reached: datetime | None) -> None:
        self._database, self._name, self.owner = database, name, owner
        self._kept_at = time.monotonic()
        self.reached = reached

    def keep(self) -> None:
        """Say that we are still at it, if it is time to say so. Raises `TurnLost`."""
        if time.monotonic() - self._kept_at >= KEEP_S:
            self._write(lease_until=clock.now() + timedelta(seconds=LEASE_S))
            self._kept_at = time.monotonic()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """A block in which somebody says so for us: reading a long list may take longer than a lease without a word."""
        over = threading.Event()
        beat = threading.Thread(target=self._beat, args=(over,), name=f"turn-{self._name}", daemon=True)
        beat.start()
        try:
            yield
        finally:
            over.set()
            beat.join()

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(KEEP_S):
            try:
                self.keep()
            except (TurnLost, SQLAlchemyError):
                # Whoever does the work finds out by himself.
                return

    def reach(self, at: datetime) -> None:
        """Everything up to a time has been seen. Raises `TurnLost`."""
        self._write(reached=at)

    def end(self, *, done: bool) -> None:
        """Give the turn back; not done, whoever looks next goes on. Raises `TurnLost`."""
        self._write(lease_until=None, owner="", **({"done_at": clock.now()} if done else {}))

    def _write(self, **values: object) -> None:
        with self._database.transaction() as session:
            kept = session.execute(
                update(Turn).where(Turn.name == self._name, Turn.owner == self.owner).values(**values)
                .returning(Turn.name)
            ).first()  # fmt: skip
        if kept is None:
            raise TurnLost(self._name)


def take(database: Database, name: str, owner: str, *, done_before: datetime | None = None) -> Held | None:
    """The turn, unless somebody has it, or the round was ended at or after `done_before`; `owner` is nobody else's."""
    at = clock.now()
    # What lies further ahead than it can was written by a clock that was set back since.
    beyond = at + timedelta(seconds=LEASE_S + CLOCKS_DIFFER_S)
    free = [Turn.name == name, or_(Turn.lease_until.is_(None), Turn.lease_until < at, Turn.lease_until > beyond)]
    if done_before is not None:
        ahead = Turn.done_at > at + timedelta(seconds=CLOCKS_DIFFER_S)
        free.append(or_(Turn.done_at.is_(None), Turn.done_at < done_before, ahead))
    with database.transaction() as session:
        insert_missing(session, Turn, {"name": name, "owner": ""})
        taken = session.execute(
            update(Turn).where(*free).values(owner=owner, lease_until=at + timedelta(seconds=LEASE_S))
            .returning(Turn.reached)
        ).first()  # fmt: skip
    return Held(database, name, owner, taken[0]) if taken else None
