"""The groups that rules and ceilings name, each resolved once to the directory's own stable id.

A rename changes nothing. A group that vanished is marked as missing: whatever names it grants nothing
and is shown as broken, because nobody is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.database import Base, Database, UtcDateTime, insert_missing
from portal.directory.answers import Group

LOOKED_UP_EVERY = timedelta(minutes=5)


class GroupRow(Base):
    """A group of the directory that a rule, a ceiling or a delegation names. `key` is what people's groups are compared with."""

    __tablename__ = "groups"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(1000), unique=True)
    directory_id: Mapped[str] = mapped_column(String(64), default="")
    dn: Mapped[str] = mapped_column(String(1000))
    name: Mapped[str] = mapped_column(String(256), default="")
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    missing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def label(self) -> str:
        """What people call it: its name, or the first part of its DN."""
        return self.name or self.dn.partition(",")[0].partition("=")[2].replace("\\", "") or self.dn

    @property
    def reference(self) -> Group:
        """The group as the directory is asked for it."""
        return Group(self.dn, self.directory_id, self.name)


def known(session: Session, group: Group) -> GroupRow:
    """The row of a group the directory has just shown; its name and place are brought up to date."""
    query = select(GroupRow).where(GroupRow.key == group.key)
    row = session.scalar(query)
    if row is None:
        insert_missing(session, GroupRow, {"key": group.key, "directory_id": group.id, "dn": group.dn, "name": ""})
        row = session.scalars(query).one()
    row.dn, row.name = group.dn, group.name or row.name
    row.seen_at, row.missing_since = clock.now(), None
    session.flush()
    return row


def look_up_again(database: Database, find: Callable[[Group], Group | None], *, at_once: bool = False) -> None:
    """Ask the directory for every group that has not been seen for five minutes.

    Args:
        find: the group as it is now, None when it surely does not exist; whatever it raises passes
            through, and says nothing about any group.
    """
    with database.reading() as session:
        rows = list(session.scalars(select(GroupRow)))
    limit = clock.now() - LOOKED_UP_EVERY
    due = [row for row in rows if at_once or (row.seen_at or row.missing_since or limit) <= limit]
    answers = [(row.id, find(row.reference)) for row in due]
    if not answers:
        return
    with database.transaction() as session:
        for number, found in answers:
            _note(session, session.get_one(GroupRow, number), found)


def _note(session: Session, row: GroupRow, found: Group | None) -> None:
    if found is None:
        row.missing_since = row.missing_since or clock.now()
        row.seen_at = None
        return
    row.dn, row.name = found.dn, found.name or row.name
    row.seen_at, row.missing_since = clock.now(), None
    if not row.directory_id and session.scalar(select(GroupRow.id).where(GroupRow.key == found.key)) is None:
        row.directory_id, row.key = found.id, found.key
