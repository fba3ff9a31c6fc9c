"""`portal rights` and `portal ceilings`: who may buy what, and up to how much."""

from __future__ import annotations

import click

from portal import money, words
from portal.catalog import offers
from portal.commands.context import in_words, json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.directory import accounts
from portal.directory.answers import Group, Yes
from portal.directory.config import DirectoryUnknown
from portal.installation import Installation
from portal.rights import ceilings as limits
from portal.rights import rules
from portal.rights.decision import Employee, explain
from portal.rights.scopes import Scope, parse_scope

ACTOR = "command line"


class ScopeType(click.ParamType[Scope]):
    """`all`, `category:NAME`, `merchant:KEY` or `offer:KEY/ID`."""

    name = "scope"

    def convert(self, value: str | Scope, param: click.Parameter | None, ctx: click.Context | None) -> Scope:
        """A scope from what was typed."""
        try:
            return value if isinstance(value, Scope) else parse_scope(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def register(group: click.Group) -> None:
    """Add `rights` and `ceilings`."""
    group.add_command(rights)
    group.add_command(ceilings)


@click.group(help=say("Rules: which group may see or buy what."))
def rights() -> None:
    """Commands on rules."""


def _one_group(installation: Installation, name: str) -> Group:
    """A group given by its name or DN, which must exist and be the only one."""
    try:
        found = installation.directory.find_group(name)
    except DirectoryUnknown as error:
        stop(say("The directory could not be asked (%(detail)s): nothing was changed.", detail=str(error)), FOUND_WRONG)
    if not found:
        stop(say("No group of the directory is named %(name)s: nothing was changed.", name=name), BAD_USAGE)
    if len(found) > 1:
        stop(
            say("Several groups are named %(name)s; give the whole DN: %(found)s", name=name, found="; ".join(found)),
            BAD_USAGE,
        )
    return Group(found[0])


def _add(effect: str, group: str, right: str, scope: Scope) -> None:
    with opened() as installation:
        named = _one_group(installation, group)
        with installation.database.transaction() as session:
            rule = rules.add_rule(session, ACTOR, named, scope, right, effect)
        click.echo(say("Rule %(id)s: %(effect)s %(right)s %(scope)s for %(group)s", **rule.as_dict()))


right_option = click.option("--to", "right", type=click.Choice(rules.RIGHTS), required=True, help=say("The right."))
scope_option = click.option(
    "--scope",
    type=ScopeType(),
    default="all",
    show_default=True,
    help=say("all, category:NAME, merchant:KEY or offer:KEY/ID."),
)


@rights.command(help=say("Let a group (name or DN) see or buy."))
@click.argument("group")
@right_option
@scope_option
def allow(group: str, right: str, scope: Scope) -> None:
    _add("allow", group, right, scope)


@rights.command(help=say("Forbid a group (name or DN) to see or buy; it wins over every allow."))
@click.argument("group")
@right_option
@scope_option
def deny(group: str, right: str, scope: Scope) -> None:
    _add("deny", group, right, scope)


@rights.command("list", help=say("Every rule."))
@json_option
def list_rules(as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        rows = [rule.as_dict() for rule in rules.all_rules(session)]
    print_rows(rows, as_json=as_json, empty=say("There is no rule: nobody may buy anything."))


@rights.command(help=say("Take a rule away, by its number."))
@click.argument("number", type=int)
def remove(number: int) -> None:
    with opened() as installation, installation.database.transaction() as session:
        rule = session.get(rules.Rule, number)
        if rule is None:
            stop(say("There is no rule %(number)s.", number=number), BAD_USAGE)
        rules.remove_rule(session, ACTOR, rule)
    click.echo(say("Rule %(number)s is gone.", number=number))


@rights.command("explain", help=say("May this person (login) buy this offer, and why?"))
@click.argument("login")
@click.argument("offer")
@json_option
def explain_right(login: str, offer: str, as_json: bool) -> None:
    with opened() as installation:
        with installation.database.reading() as session:
            account, row = accounts.find(session, login), offers.find(session, offer)
        if row is None:
            stop(say("There is no offer %(offer)s; “portal catalog list” shows them.", offer=offer), BAD_USAGE)
        if account is None:
            stop(
                say("%(login)s has never signed in; his rights are read at his first sign-in.", login=login), BAD_USAGE
            )
        answer = installation.directory.read(account.directory_id)
        if isinstance(answer, Yes):
            account.groups = list(answer.groups)
        employee = Employee(account.id, account.group_keys)
        with installation.database.reading() as session:
            zone = installation.settings.portal.zone
            decision = explain(session, employee, row.wanted, zone, row.price)
        with in_words(installation):
            sentence = words.reason(decision.reason, installation.settings.portal.contact)
        rows = [
            {"allowed": decision.allowed, "why": sentence, "groups": account.groups,
             "rules": [rule.as_dict() for rule in decision.rules],
             "ceilings": [{**room.ceiling.as_dict(), "left_cents": room.left_cents} for room in decision.rooms]}
        ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty="")


@click.group(help=say("Ceilings: optional limits on what is spent."))
def ceilings() -> None:
    """Commands on ceilings."""


@ceilings.command("add", help=say("Limit what is spent, VAT included: AMOUNT like 200.00."))
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
@scope_option
def add_ceiling(amount: str, who: str, group: str, period: str, scope: Scope) -> None:
    try:
        cents = money.parse_amount(amount)
    except ValueError:
        stop(say("%(amount)s is not an amount of money; write it like 200.00.", amount=amount), BAD_USAGE)
    if (who == "everyone") == bool(group):
        stop(say("Give --group unless the ceiling is for everyone."), BAD_USAGE)
    with opened() as installation:
        named = _one_group(installation, group) if group else None
        with installation.database.transaction() as session:
            made = limits.add_ceiling(session, ACTOR, named, limits.Terms(who, scope, period, cents))
        shown = money.format_money(cents, "EUR", terminal_language())
        click.echo(say("Ceiling %(id)s: %(amount)s by %(period)s", id=made.id, amount=shown, period=period))


@ceilings.command("list", help=say("Every live ceiling."))
@json_option
def list_ceilings(as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        rows = [ceiling.as_dict() for ceiling in limits.live_ceilings(session)]
    print_rows(rows, as_json=as_json, empty=say("There is no ceiling: who may buy may buy without limit."))


@ceilings.command("end", help=say("Stop applying a ceiling, by its number."))
@click.argument("number", type=int)
def end_ceiling(number: int) -> None:
    with opened() as installation, installation.database.transaction() as session:
        ceiling = session.get(limits.Ceiling, number)
        if ceiling is None or ceiling.ended_at:
            stop(say("There is no live ceiling %(number)s.", number=number), BAD_USAGE)
        limits.end_ceiling(session, ACTOR, ceiling)
    click.echo(say("Ceiling %(number)s no longer applies.", number=number))
