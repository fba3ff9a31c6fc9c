"""`portal directory relink`: accounts and groups of rules tied again to a directory in which everything has another id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import click
from rich.console import Console
from rich.progress import track
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.checkout.orders import Order
from portal.commands.context import json_option, opened
from portal.commands.ending import FOUND_WRONG, stop
from portal.commands.language import say
from portal.commands.rights_options import ACTOR, changing
from portal.directory.accounts import Account
from portal.directory.answers import Group
from portal.directory.config import DirectoryUnknown
from portal.directory.lookup import LdapDirectory
from portal.directory.relinking import Match, matches, relink
from portal.installation import Installation
from portal.rights.groups import GroupRow

VERDICTS = {
    "relink": say("%(login)s: is %(dn)s now."),
    "no_such_login": say("%(login)s: nobody in the directory has this login; left as it is."),
    "ambiguous": say("%(login)s: more than one person or account would match; left as it is."),
    "unlike": say("%(login)s: %(dn)s has this login, but neither the same mail address nor the same name; left as it is."),
    "taken": say("%(login)s: %(dn)s has bought with a newer account, number %(retired_account)s; left as it is."),
}  # fmt: skip


@dataclass(frozen=True)
class GroupMatch:
    """A group of the rules that has another id now, at the same DN."""

    row_id: int
    before: Group
    now: Group

    def as_dict(self) -> dict[str, object]:
        """As `--json` shows it."""
        return {"group": self.before.dn, "verdict": "relink", "old_id": self.before.id, "new_id": self.now.id}


@click.command(
    "relink", help=say("Tie accounts and groups again to a directory that was rebuilt and gave everything new ids.")
)
@click.option("--dry-run", is_flag=True, help=say("Only show what would be done."))
@json_option
def relink_accounts(dry_run: bool, as_json: bool) -> None:
    with opened() as installation:
        try:
            accounts = matches(
                installation.database, installation.directory, lambda number: _has_bought(installation, number), _shown
            )
            groups = list(_groups(installation))
        except DirectoryUnknown as error:
            stop(
                say("The directory could not be asked (%(detail)s): nothing was changed.", detail=str(error)),
                FOUND_WRONG,
            )
        if not dry_run:
            with changing(installation) as session:
                _apply(session, accounts, groups)
    _print(accounts, groups, dry_run=dry_run, as_json=as_json)
    if any(match.verdict != "relink" for match in accounts):
        raise SystemExit(FOUND_WRONG)


def _shown(accounts: list[Account]) -> Iterator[Account]:
    """The accounts one after another, with a bar on a terminal."""
    console = Console(stderr=True)
    yield from track(accounts, description="", console=console, disable=not console.is_terminal, transient=True)


def _has_bought(installation: Installation, account_id: int) -> bool:
    with installation.database.reading() as session:
        return session.scalar(select(Order.id).where(Order.account_id == account_id).limit(1)) is not None


def _groups(installation: Installation) -> Iterator[GroupMatch]:
    """The groups of rules whose id is gone, while one of the same DN has another."""
    directory: LdapDirectory = installation.directory
    with installation.database.reading() as session:
        rows = list(session.scalars(select(GroupRow).where(GroupRow.directory_id != "")))
    taken = {row.key for row in rows}
    for row in rows:
        if directory.group(row.reference) is None:
            now = directory.group(Group(row.dn))
            if now and now.id and now.key not in taken:
                yield GroupMatch(row.id, row.reference, now)


def _apply(session: Session, accounts: list[Match], groups: list[GroupMatch]) -> None:
    for match in accounts:
        if match.verdict == "relink":
            relink(session, ACTOR, match)
    for group in groups:
        row = session.get_one(GroupRow, group.row_id)
        row.directory_id, row.key, row.missing_since = group.now.id, group.now.key, None
        audit.record(
            session, ACTOR, "group_relinked", f"group {row.id}",
            before=group.before.as_dict(), after=group.now.as_dict(),
        )  # fmt: skip


def _print(accounts: list[Match], groups: list[GroupMatch], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        rows = [*(match.as_dict() for match in accounts), *(group.as_dict() for group in groups)]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for match in accounts:
        click.echo(say(VERDICTS[match.verdict], **match.as_dict()))
        if match.verdict == "relink" and match.newer is not None:
            click.echo("  " + say("the account made meanwhile, number %(number)s, is retired.", number=match.newer))
    for group in groups:
        click.echo(say("Group %(dn)s: has another id now.", dn=group.now.dn))
    done = sum(match.verdict == "relink" for match in accounts) + len(groups)
    if not accounts and not groups:
        click.echo(say("Every account and group is where the directory says: nothing to do."))
    elif dry_run:
        click.echo(say("%(count)s would be tied again; nothing was changed.", count=done))
    else:
        click.echo(say("%(count)s tied again.", count=done))
