"""Accounts: the portal's memory of a person of the directory, keyed on the directory's stable id.

A rename keeps the account; a login used again by somebody else is a new account.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import audit, clock
from portal.database import Base, UtcDateTime, one_at_a_time
from portal.directory.answers import Group, Yes
from portal.directory.names import normalise

GROUPS_MAX_AGE = timedelta(minutes=5)


class Account(Base):
    """One person who has signed in at least once."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    directory_id: Mapped[str] = mapped_column(String(64), unique=True)
    dn: Mapped[str] = mapped_column(String(1000))
    login: Mapped[str] = mapped_column(String(256))
    login_key: Mapped[str] = mapped_column(String(256), index=True)
    name: Mapped[str] = mapped_column(String(256))
    mail: Mapped[str] = mapped_column(String(320))
    department: Mapped[str] = mapped_column(String(256))
    cost_centre: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(16))
    manager: Mapped[str] = mapped_column(String(1000))
    groups: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    groups_read_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def group_keys(self) -> frozenset[str]:
        """The groups as rules compare them."""
        return frozenset().union(*(Group(**group).keys for group in self.groups))

    @property
    def group_names(self) -> list[str]:
        """The groups' DNs, for people to read."""
        return sorted(group["dn"] for group in self.groups)

    def is_stale(self, at: datetime) -> bool:
        """Whether the directory must be asked for the groups again while browsing."""
        # Read in what is now the future: the clock was set back since.
        return abs(at - self.groups_read_at) >= GROUPS_MAX_AGE

    def is_in(self, groups: list[str]) -> bool:
        """Whether this person is, effectively, in one of these groups (DNs)."""
        return not self.group_keys.isdisjoint(normalise(dn) for dn in groups)


def remember(session: Session, answer: Yes) -> Account:
    """Store what the directory just said of a person, and journal a change of groups."""
    person = answer.person
    known = select(Account).where(Account.directory_id == person.id).with_for_update(key_share=True)
    account = session.scalar(known)
    if account is None:
        # There is no row to lock yet, and he may be signing in twice at this moment.
        one_at_a_time(session.connection(), f"account of {person.id}")
        account = session.scalar(known)
    groups = [group.as_dict() for group in answer.groups]
    if account is None:
        account = Account(directory_id=person.id, created_at=clock.now(), groups=[])
        session.add(account)
    elif account.groups != groups:
        audit.record(
            session, "directory", "groups_changed", f"account {account.id}",
            before={"groups": account.group_names}, after={"groups": [group.dn for group in answer.groups]},
        )  # fmt: skip
    account.dn, account.login, account.name = person.dn, person.login, person.name
    account.login_key, account.manager = fold_login(person.login), person.manager
    account.mail, account.department = person.mail, person.department
    account.cost_centre, account.language = person.cost_centre, person.language
    account.groups, account.groups_read_at = groups, clock.now()
    session.flush()
    return account


def find(session: Session, login: str) -> Account | None:
    """The account that last used a login, compared as a directory compares it."""
    query = select(Account).where(Account.login_key == fold_login(login))
    return session.scalar(query.order_by(Account.groups_read_at.desc(), Account.id.desc()))


def fold_login(login: str) -> str:
    """A login as a directory compares it: case, composed and decomposed accents, full-width letters (RFC 4518)."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", login).casefold()).split())[:256]
