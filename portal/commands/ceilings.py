"""`portal ceilings` and `portal delegations`: up to how much, and who may decide it."""

from __future__ import annotations

import click

from portal import money, sentences
from portal.commands.context import json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, stop
from portal.commands.language import say
from portal.commands.rights_options import ACTOR, changing, naming, note_empty, one_group, scope_option
from portal.rights import ceilings as limits
from portal.rights import delegations as given
from portal.rights.scopes import Scope


def register(group: click.Group) -> None:
    """Add `ceilings` and `delegations`."""
    group.add_command(ceilings)
    group.add_command(delegations)


@click.group(help=say("Ceilings: optional limits on what is spent."))
def ceilings() -> None:
    """Commands on ceilings."""


warn_option = click.option(
    "--warn", type=click.IntRange(0, 100), help=say("From how many percent on people are warned; 0: never.")
)


def _cents(amount: str) -> int:
    try:
        return money.parse_amount(amount)
    except ValueError:
        stop(say("%(amount)s is not an amount of money; write it like 200.00.", amount=amount), BAD_USAGE)


@ceilings.command("add", help=say("Limit what is spent: AMOUNT like 200.00."))
@click.argument("amount")
@click.option(
    "--who",
    type=click.Choice(limits.WHO),
    default="each",
    show_default=True,
    help=say("Each person of a group, the group together, or everyone each."),
)
@click.option("--group", default="", help=say("The group, by name or DN."))
@click.option(
    "--period",
    type=click.Choice(limits.PERIODS),
    default="month",
    show_default=True,
    help=say("How often it begins anew."),
)
@click.option("--without-vat", is_flag=True, help=say("Count amounts without VAT."))
@warn_option
@scope_option
def add_ceiling(
    amount: str, who: str, group: str, period: str, without_vat: bool, warn: int | None, scope: Scope
) -> None:
    cents = _cents(amount)
    if (who == "everyone") == bool(group):
        stop(say("Give --group unless the ceiling is for everyone."), BAD_USAGE)
    warned = limits.WARN_PERCENT if warn is None else warn
    terms = limits.Terms(who, scope, period, cents, with_vat=not without_vat, warn_percent=warned)
    with opened() as installation:
        named = one_group(installation, group) if group else None
        with changing(installation) as session:
            made = limits.add_ceiling(session, ACTOR, named, terms)
        with naming(installation) as names:
            sentence = sentences.ceiling(made, names)
        click.echo(say("Ceiling %(id)s: %(sentence)s", id=made.id, sentence=sentence))
        note_empty(installation, scope)


@ceilings.command("list", help=say("Every live ceiling."))
@json_option
def list_ceilings(as_json: bool) -> None:
    with opened() as installation, naming(installation) as names:
        with installation.database.reading() as session:
            live = limits.live_ceilings(session)
        if as_json:
            rows = [ceiling.as_dict() for ceiling in live]
        else:
            rows = [{say("number"): each.id, say("ceiling"): sentences.ceiling(each, names)} for each in live]
    print_rows(rows, as_json=as_json, empty=say("There is no ceiling: who may buy may buy without limit."))


@ceilings.command("change", help=say("Give a ceiling another AMOUNT; what is spent already stays spent."))
@click.argument("number", type=int)
@click.argument("amount")
@warn_option
def change_ceiling(number: int, amount: str, warn: int | None) -> None:
    cents = _cents(amount)
    with opened() as installation:
        with changing(installation) as session:
            ceiling = session.get(limits.Ceiling, number)
            if ceiling is None or ceiling.ended_at:
                stop(say("There is no live ceiling %(number)s.", number=number), BAD_USAGE)
            limits.change_ceiling(session, ACTOR, ceiling, cents, ceiling.warn_percent if warn is None else warn)
            # Read while the session is open: the sentence names the group.
            ceiling.as_dict()
        with naming(installation) as names:
            sentence = sentences.ceiling(ceiling, names)
    click.echo(say("Ceiling %(id)s: %(sentence)s", id=number, sentence=sentence))


@ceilings.command("end", help=say("Stop applying a ceiling, by its number."))
@click.argument("number", type=int)
def end_ceiling(number: int) -> None:
    with opened() as installation, changing(installation) as session:
        ceiling = session.get(limits.Ceiling, number)
        if ceiling is None or ceiling.ended_at:
            stop(say("There is no live ceiling %(number)s.", number=number), BAD_USAGE)
        limits.end_ceiling(session, ACTOR, ceiling)
    click.echo(say("Ceiling %(number)s no longer applies.", number=number))


@click.group(help=say("Delegations: who may decide on the rights of one group within one scope."))
def delegations() -> None:
    """Commands on delegations."""


@delegations.command("add", help=say("Let the members of DELEGATES decide on the rights and ceilings of GROUP."))
@click.argument("delegates")
@click.argument("group")
@scope_option
def add_delegation(delegates: str, group: str, scope: Scope) -> None:
    with opened() as installation:
        first, second = one_group(installation, delegates), one_group(installation, group)
        if first.key == second.key:
            stop(say("A group cannot decide on its own rights: nothing was changed."), BAD_USAGE)
        with changing(installation) as session:
            made = given.add_delegation(session, ACTOR, first, second, scope)
        with naming(installation) as names:
            sentence = sentences.delegation(made, names)
    click.echo(say("Delegation %(id)s: %(sentence)s", id=made.id, sentence=sentence))


@delegations.command("list", help=say("Every delegation."))
@json_option
def list_delegations(as_json: bool) -> None:
    with opened() as installation, naming(installation) as names:
        with installation.database.reading() as session:
            live = given.live_delegations(session)
        if as_json:
            rows = [each.as_dict() for each in live]
        else:
            rows = [{say("number"): each.id, say("delegation"): sentences.delegation(each, names)} for each in live]
    print_rows(rows, as_json=as_json, empty=say("There is no delegation: only administrators decide on rights."))


@delegations.command("end", help=say("Take a delegation away, by its number."))
@click.argument("number", type=int)
def end_delegation(number: int) -> None:
    with opened() as installation, changing(installation) as session:
        found = session.get(given.Delegation, number)
        if found is None or found.ended_at:
            stop(say("There is no delegation %(number)s.", number=number), BAD_USAGE)
        given.end_delegation(session, ACTOR, found)
    click.echo(say("Delegation %(number)s no longer applies.", number=number))
