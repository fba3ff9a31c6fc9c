"""`portal operators`: who can put charges on the invoice, who does, and choosing another."""

from __future__ import annotations

import click

from connectors.operators.profiles import UnknownProfile, load_profile, profile_names
from portal import settings, words
from portal.commands.context import in_words, json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.commands.rights_options import ACTOR, from_terminal
from portal.installation import Installation
from portal.languages import in_language
from portal.refusals import Refused
from portal.settings_faults import SettingsError


def register(group: click.Group) -> None:
    """Add `operators`."""
    group.add_command(operators)


@click.group(help=say("Operators that can be chosen."))
def operators() -> None:
    """Commands on operators."""


@operators.command(
    "list", help=say("Every name that [operator] profile may have, who it is today, and which is in force.")
)
@json_option
def list_operators(as_json: bool) -> None:
    rows, in_force = [], _in_force()
    for name in profile_names():
        profile = load_profile(name)
        rows.append({"profile": name, "operator": profile.former or profile.name, "today": profile.name,
                     "adapter": profile.adapter, "public_address": bool(profile.defaults.api_root),
                     "in_force": name == in_force})  # fmt: skip
    if not as_json:
        rows = [{**row, "in_force": "*" if row["in_force"] else ""} for row in rows]
    print_rows(rows, as_json=as_json, empty="")


@operators.command(
    help=say("Put an operator in force, at once and everywhere; its check is run first and charges nothing.")
)
@click.argument("name", required=False, default="")
@click.option("--back", is_flag=True, help=say("Take the choice back: portal.toml decides again."))
@click.option("--anyway", is_flag=True, help=say("Also when its check finds something wrong."))
def choose(name: str, back: bool, anyway: bool) -> None:
    if bool(name) == back:
        stop(say("Give the name of an operator, or --back; “portal operators list” shows every name."), BAD_USAGE)
    with opened() as installation:
        try:
            with from_terminal():
                made = installation.operators.choose(ACTOR, name, anyway=anyway)
        except Refused as refused:
            _stop_for(installation, refused)
    click.echo(say("%(name)s is the operator from now on.", name=load_profile(made.profile).name))


def _in_force() -> str:
    """The name of the operator in force; "" while there is no configuration that could say so."""
    try:
        settings.load()
    except SettingsError:
        return ""
    with opened(current=False) as installation:
        try:
            return installation.operators.last_known().profile
        except UnknownProfile as gone:
            return gone.name


def _stop_for(installation: Installation, refused: Refused) -> None:
    language = terminal_language()
    with in_words(installation):
        click.echo(words.reason(refused.reason), err=True)
    for problem in refused.reason.facts.get("problems", []):
        click.echo(f"  {in_language(problem.what, language)}\n  → {in_language(problem.remedy, language)}", err=True)
    raise SystemExit(BAD_USAGE if refused.reason.code == "operator_unknown" else FOUND_WRONG)
