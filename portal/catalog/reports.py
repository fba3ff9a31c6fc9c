"""What the last reading of each merchant's list came to, for whoever looks at it later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import JSON, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.database import Base, Database, UtcDateTime, one_at_a_time


class ReportRow(Base):
    """The last reading that ended, well or not. `refused` has the sentences that were told, the first of `refused_count`."""

    __tablename__ = "catalogue_reports"

    merchant: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    listed: Mapped[int]
    removed: Mapped[int]
    refused_count: Mapped[int]
    refused: Mapped[list[str]] = mapped_column(JSON)
    problem: Mapped[str] = mapped_column(Text)


def keep(
    database: Database, merchant: str, listed: int, removed: int, refused: Sequence[str], refused_count: int, problem: str
) -> None:  # fmt: skip
    """Keep what a reading came to, in the place of the one before."""
    row = ReportRow(
        merchant=merchant, at=clock.now(), listed=listed, removed=removed, refused_count=refused_count,
        refused=list(refused), problem=problem,
    )  # fmt: skip
    with database.transaction() as session:
        one_at_a_time(session.connection(), f"report of {merchant}")
        session.merge(row)


def all_of(session: Session) -> dict[str, ReportRow]:
    """The last report of each merchant, by its key."""
    return {row.merchant: row for row in session.scalars(select(ReportRow))}
