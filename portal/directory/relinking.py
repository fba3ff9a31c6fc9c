"""Accounts tied again to the people of a directory that was rebuilt, in which everybody has another id.

A login alone is no proof: it may have passed to somebody else. The mail address or the name must agree as well, and
whatever two could claim is left to people.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.database import Database
from portal.directory import sessions
from portal.directory.accounts import Account, fold_login
from portal.directory.answers import Person, Unknown, Yes
from portal.directory.config import DirectoryUnknown
from portal.directory.lookup import LdapDirectory

RETIRED = "retired:"


@dataclass(frozen=True)
class Match:
    """What became of one account.

    `verdict`: `relink`, or why not: `no_such_login`, `ambiguous` (several people, or several accounts, for one
    login), `unlike` (neither mail nor name agree), `taken` (the person has a newer account that was used to buy).

    Attributes:
        newer: the account the person has been given since, never used to buy: it is retired; None when there is none.
    """

    account_id: int
    login: str
    name: str
    old_id: str
    verdict: str
    person: Person | None = None
    newer: int | None = None

    def as_dict(self) -> dict[str, object]:
        """As listings and `--json` show it."""
        return {
            "account": self.account_id, "login": self.login, "name": self.name, "verdict": self.verdict,
            "old_id": self.old_id, "new_id": self.person.id if self.person else "",
            "dn": self.person.dn if self.person else "", "retired_account": self.newer,
        }  # fmt: skip


def matches(
    database: Database, directory: LdapDirectory, has_bought: Callable[[int], bool],
    each: Callable[[list[Account]], Iterator[Account]] = iter,
) -> list[Match]:  # fmt: skip
    """Every account whose id is no longer in the directory, with what can be done about it. Nothing is changed.

    Args:
        has_bought: whether an account holds purchases, which must stay with it.
        each: goes through the accounts, showing how far it is.

    Raises:
        DirectoryUnknown: somebody could not be asked for, so nothing is known of anybody.
    """
    with database.reading() as session:
        accounts = list(
            session.scalars(select(Account).where(~Account.directory_id.startswith(RETIRED)).order_by(Account.id))
        )
    by_id = {account.directory_id: account for account in accounts}
    found = [
        _match(directory, account, by_id, has_bought) for account in each(accounts) if _is_gone(directory, account)
    ]
    claims = Counter(match.person.id for match in found if match.verdict == "relink" and match.person)
    return [
        replace(match, verdict="ambiguous") if match.person and claims[match.person.id] > 1 else match
        for match in found
    ]


def relink(session: Session, actor: str, match: Match) -> None:
    """Give an account the id its person has now; the newer account of that person is retired, and keeps its history."""
    if match.verdict != "relink" or match.person is None:
        raise ValueError(match.verdict)
    if match.newer is not None:
        newer = session.get_one(Account, match.newer)
        newer.directory_id = f"{RETIRED}{uuid.uuid4()}"
        sessions.end_all(session, newer.id)
        audit.record(
            session, actor, "account_retired", f"account {newer.id}",
            before={"directory_id": match.person.id}, after={"account": match.account_id},
        )  # fmt: skip
        # Two accounts may not hold one id, not even within a transaction.
        session.flush()
    account = session.get_one(Account, match.account_id)
    audit.record(
        session, actor, "account_relinked", f"account {account.id}",
        before={"directory_id": account.directory_id, "dn": account.dn},
        after={"directory_id": match.person.id, "dn": match.person.dn},
    )  # fmt: skip
    account.directory_id, account.dn = match.person.id, match.person.dn


def _is_gone(directory: LdapDirectory, account: Account) -> bool:
    answer = directory.read(account.directory_id)
    if isinstance(answer, Unknown):
        raise DirectoryUnknown(answer.reason, answer.detail)
    return not isinstance(answer, Yes) and answer.reason == "gone"


def _match(
    directory: LdapDirectory, account: Account, by_id: dict[str, Account], has_bought: Callable[[int], bool]
) -> Match:
    match = Match(account.id, account.login, account.name, account.directory_id, "no_such_login")
    found = directory.find_people(account.login) if account.login else []
    if len(found) != 1:
        return replace(match, verdict="ambiguous") if found else match
    person = found[0]
    newer = by_id.get(person.id)
    match = replace(match, person=person, newer=newer.id if newer else None)
    if not _agree(account.mail, person.mail) and not _agree(account.name, person.name):
        return replace(match, verdict="unlike")
    if newer and (newer.created_at < account.created_at or has_bought(newer.id)):
        return replace(match, verdict="taken")
    return replace(match, verdict="relink")


def _agree(one: str, other: str) -> bool:
    return bool(one) and fold_login(one) == fold_login(other)
