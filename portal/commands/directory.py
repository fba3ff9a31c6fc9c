"""`portal directory try` and `diagnose`: what the directory says of a login, and what is wrong with the way there."""

from __future__ import annotations

import json
import sys

import click

from portal.commands.context import json_option, open_directory, read_settings
from portal.commands.directory_relink import relink_accounts
from portal.commands.ending import FOUND_WRONG
from portal.commands.language import say
from portal.directory import findings
from portal.directory.answers import Answer, Finding, Yes
from portal.directory.lookup import LdapDirectory
from portal.directory.names import normalise


def register(group: click.Group) -> None:
    """Add `directory`."""
    group.add_command(directory)


@click.group(help=say("The company directory."))
def directory() -> None:
    """Commands on the directory."""


directory.add_command(relink_accounts)


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


@directory.command(
    "diagnose",
    help=say(
        "Look at the way to the directory stage by stage, and resolve LOGIN as a sign-in does, without a password."
    ),
)
@click.argument("login", default="")
@json_option
def diagnose(login: str, as_json: bool) -> None:
    client = open_directory(read_settings())
    found = client.diagnose(login)
    if as_json:
        click.echo(json.dumps([_as_dict(finding) for finding in found], ensure_ascii=False, indent=2))
    else:
        for finding in found:
            mark = click.style("ok   ", fg="green") if finding.ok else click.style("wrong", fg="red", bold=True)
            click.echo(f"{mark}  {findings.found(finding, say)}")
            if remedy := findings.remedy(finding, say):
                click.echo(f"       → {remedy}")
    if not all(finding.ok for finding in found):
        raise SystemExit(FOUND_WRONG)


def _as_dict(finding: Finding) -> dict[str, object]:
    return {
        "ok": finding.ok, "stage": finding.stage, "code": finding.code, **finding.params,
        "words": findings.found(finding, say), "remedy": findings.remedy(finding, say),
    }  # fmt: skip
