"""How far the reading of each merchant's list has come, so that it goes on where it was interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, Text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.database import Base, UtcDateTime, one_at_a_time


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


def end(session: Session, run: Run, cursor: str) -> None:
    """The list was read to its end; from `cursor` the next reading brings what has changed. Raises `Superseded`."""
    _write(session, run, ended_at=clock.now(), cursor=cursor, problem="")


def fail(session: Session, run: Run, problem: str, *, start_again: bool) -> None:
    """The list could not be read on; `start_again` gives up its checkpoint. Raises `Superseded`."""
    _write(session, run, problem=problem[:500], **({"cursor": ""} if start_again else {}))


def _write(session: Session, run: Run, **values: object) -> None:
    ours = (RunRow.merchant == run.merchant, RunRow.attempt == run.attempt)
    written = session.execute(
        update(RunRow).where(*ours).values(**values).returning(RunRow.number),
        execution_options={"synchronize_session": False},
    ).first()
    if written is None:
        raise Superseded(run.merchant)
