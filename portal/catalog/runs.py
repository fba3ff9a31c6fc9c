"""How far the reading of each merchant's list has come, so that it goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import JSON, String, Text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.database import Base, UtcDateTime, one_at_a_time
from portal.outbox import CLOCKS_DIFFER_S


class RunRow(Base):
    """The reading that goes on, or the last one, of one merchant's list."""

    __tablename__ = "catalogue_runs"

    merchant: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int]
    attempt: Mapped[int]
    whole: Mapped[bool]
    cursor: Mapped[str] = mapped_column(Text, default="")
    listed: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str] = mapped_column(String(500), default="")
    refused: Mapped[int] = mapped_column(default=0)
    refusals: Mapped[list[str]] = mapped_column(JSON, default=list)
    """One sentence for each offer that cannot be shown, the first hundred of `refused`."""
    good_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was last read to its end: what is on sale is of then."""
    failures: Mapped[int] = mapped_column(default=0)
    """How often in a row it could not be."""
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a worker reads it again; None: as soon as one looks, unless it was read within the merchant's interval."""

    def is_due(self, every: timedelta) -> bool:
        """Whether a worker should read it, `every` being the interval between two readings."""
        at = clock.now()
        due_at = self.next_at or (self.good_at and self.good_at + every) or at
        # What lies further ahead than it can was written by a clock that was set back since.
        return not at < due_at <= at + 2 * every + timedelta(seconds=CLOCKS_DIFFER_S)


@dataclass(frozen=True)
class Run:
    """One reading, as its reader holds it: `whole` brings everything on sale, otherwise only what has changed."""

    merchant: str
    number: int
    attempt: int
    whole: bool
    cursor: str
    listed: int


class Superseded(Exception):
    """Another reading of the same list has begun: stop, and write nothing."""


def begin(session: Session, merchant: str) -> Run:
    """Begin a reading, or take up the one that was interrupted at a checkpoint."""
    one_at_a_time(session.connection(), f"catalogue of {merchant}")
    row = session.get(RunRow, merchant)
    if row is None:
        row = RunRow(merchant=merchant, number=0, attempt=0, whole=True, cursor="", listed=0, problem="")
        row.ended_at = clock.now()
        session.add(row)
    goes_on = row.ended_at is None and bool(row.cursor)
    if not goes_on:
        row.number, row.listed, row.started_at = row.number + 1, 0, clock.now()
        row.whole = not (row.ended_at and row.cursor)
    row.attempt, row.ended_at = row.attempt + 1, None
    session.flush()
    return Run(merchant, row.number, row.attempt, row.whole, row.cursor, row.listed)


def note(session: Session, run: Run, listed: int, cursor: str | None = None) -> None:
    """So many offers are stored, up to a checkpoint if one was given. Raises `Superseded`."""
    _write(session, run, listed=listed, **({} if cursor is None else {"cursor": cursor}))


def end(session: Session, run: Run, cursor: str, refused: int = 0, refusals: Sequence[str] = ()) -> None:
    """The list was read to its end; from `cursor` the next reading brings what has changed. Raises `Superseded`."""
    at = clock.now()
    told = {"refused": refused, "refusals": list(refusals)}
    _write(session, run, ended_at=at, good_at=at, cursor=cursor, problem="", failures=0, next_at=None, **told)


def fail(session: Session, run: Run, problem: str, *, start_again: bool) -> None:
    """The list could not be read on; `start_again` gives up its checkpoint. Raises `Superseded`."""
    given_up = {"cursor": ""} if start_again else {}
    _write(session, run, problem=problem[:500], failures=RunRow.failures + 1, next_at=None, **given_up)


def plan(session: Session, merchant: str, at: datetime | None) -> None:
    """A worker reads a merchant's list at this time (UTC), or as soon as one looks."""
    session.execute(update(RunRow).where(RunRow.merchant == merchant).values(next_at=at or clock.now()))


def overtake(session: Session, merchant: str) -> None:
    """Whoever reads this list writes nothing more."""
    session.execute(update(RunRow).where(RunRow.merchant == merchant).values(attempt=RunRow.attempt + 1))


def _write(session: Session, run: Run, **values: object) -> None:
    ours = (RunRow.merchant == run.merchant, RunRow.attempt == run.attempt)
    written = session.execute(
        update(RunRow).where(*ours).values(**values).returning(RunRow.number),
        execution_options={"synchronize_session": False},
    ).first()
    if written is None:
        raise Superseded(run.merchant)
