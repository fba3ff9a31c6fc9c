"""`portal directory try`: what the directory says of a login, for scripts and for the curious."""

from __future__ import annotations

import json
import sys

import click

from portal.commands.context import open_directory, read_settings
from portal.commands.language import say
from portal.directory.answers import Answer, Yes
from portal.directory.lookup import LdapDirectory
from portal.directory.names import normalise


def register(group: click.Group) -> None:
    """Add `directory`."""
    group.add_command(directory)


@click.group(help=say("The company directory."))
def directory() -> None:
    """Commands on the directory."""


@directory.command(
    "try", help=say('Try sign-ins: JSON lines {"login", "password"} on standard input, one answer a line.')
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    help=say("Name these groups (DN) if the person is in them; all groups by default."),
)
def try_sign_in(groups: tuple[str, ...]) -> None:
    client: LdapDirectory = open_directory(read_settings())
    wanted = {normalise(dn) for dn in groups}
    try:
        for number, line in enumerate(sys.stdin, start=1):
            if line.strip():
                click.echo(json.dumps(_tried(client, line, number, wanted), ensure_ascii=False))
                sys.stdout.flush()
    finally:
        client.close()


def _tried(client: LdapDirectory, line: str, number: int, wanted: set[str]) -> dict[str, object]:
    try:
        asked = json.loads(line)
        login, password = asked["login"], asked["password"]
        if not (isinstance(login, str) and isinstance(password, str)):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        return {"ok": False, "id": "", "groups": [], "reason": f'line {number}: not {{"login", "password"}}'}
    answer: Answer = client.sign_in(login, password)
    if isinstance(answer, Yes):
        named = [group.dn for group in answer.groups if not wanted or group.keys & wanted]
        return {"ok": True, "id": answer.person.id, "groups": sorted(named), "reason": ""}
    return {"ok": False, "id": "", "groups": [], "reason": answer.reason}
