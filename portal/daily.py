"""What is done once a day by whichever worker comes first: a mark in the database says that today's is done."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from sqlalchemy import String, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import audit, clock, logs
from portal.database import Base, Database, insert_missing

log = logs.get(__name__)

LOOK_S = 300
"""How often a worker looks whether a new day of the company has begun."""


class DailyMark(Base):
    """The day (ISO 8601, the company's) on which a thing was last done."""

    __tablename__ = "daily_marks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[str] = mapped_column(String(10))


def once_a_day(database: Database, zone: ZoneInfo, name: str, work: Callable[[Session], None]) -> None:
    """Do something in a transaction of its own unless it was done today."""
    today = clock.now().astimezone(zone).date().isoformat()
    with database.transaction() as session:
        insert_missing(session, DailyMark, {"name": name, "day": ""})
        taken = session.execute(
            update(DailyMark).where(DailyMark.name == name, DailyMark.day != today).values(day=today)
            .returning(DailyMark.name)
        ).first()  # fmt: skip
        if taken:
            work(session)


def prove_writable(database: Database) -> None:
    """Write one row, durably: a database that is full, locked or read only says so. Raises `SQLAlchemyError`."""
    with database.transaction() as session:
        insert_missing(session, DailyMark, {"name": "written", "day": ""})
        session.execute(update(DailyMark).where(DailyMark.name == "written").values(day=f"{clock.now():%Y-%m-%d}"))


def log_newest_hash(session: Session) -> None:
    """The journal's newest hash leaves the database with the log: whoever rewrote the database cannot rewrite that."""
    newest = audit.newest(session)
    log.info("audit_head", entry=newest.id if newest else 0, hash=newest.hash if newest else audit.GENESIS)
