"""`portal rights`: who may see and buy what, why, and the whole set of rules as one file."""

from __future__ import annotations

import json
from typing import Any

import click

from portal import sentences, words
from portal.audit import AuditEntry
from portal.catalog import offers
from portal.commands.context import json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say
from portal.commands.rights_options import (
    ACTOR,
    changing,
    days_options,
    instants,
    naming,
    note_empty,
    one_group,
    scope_option,
)
from portal.directory import accounts
from portal.directory.answers import Group, Yes
from portal.directory.config import DirectoryUnknown
from portal.installation import Installation
from portal.refusals import Refused
from portal.rights import changes, rules
from portal.rights.decision import Employee, explain
from portal.rights.scopes import Scope

right_option = click.option("--to", "right", type=click.Choice(rules.RIGHTS), required=True, help=say("The right."))


def register(group: click.Group) -> None:
    """Add `rights`."""
    from portal.commands.rule_files import export_rules, import_rules

    rights.add_command(export_rules)
    rights.add_command(import_rules)
    group.add_command(rights)


@click.group(help=say("Rules: which group may see or buy what."))
def rights() -> None:
    """Commands on rules."""


def _add(effect: str, group: str, right: str, scope: Scope, first: Any, last: Any) -> None:
    with opened() as installation:
        named = one_group(installation, group)
        starts, ends = instants(first, last, installation.settings.portal.zone)
        with changing(installation) as session:
            rule = rules.add_rule(session, ACTOR, named, scope, right, effect, starts, ends)
        with naming(installation) as names:
            sentence = sentences.rule(rule, names)
        click.echo(say("Rule %(id)s: %(sentence)s", id=rule.id, sentence=sentence))
        note_empty(installation, scope)


@rights.command(help=say("Let a group (name or DN) see or buy."))
@click.argument("group")
@right_option
@scope_option
@days_options
def allow(group: str, right: str, scope: Scope, first: Any, last: Any) -> None:
    _add("allow", group, right, scope, first, last)


@rights.command(help=say("Forbid a group (name or DN) to see or buy; it wins over every allow."))
@click.argument("group")
@right_option
@scope_option
@days_options
def deny(group: str, right: str, scope: Scope, first: Any, last: Any) -> None:
    _add("deny", group, right, scope, first, last)


@rights.command("list", help=say("Every rule."))
@json_option
def list_rules(as_json: bool) -> None:
    with opened() as installation, naming(installation) as names:
        with installation.database.reading() as session:
            found = rules.all_rules(session)
        if as_json:
            rows = [rule.as_dict() | {"broken": rule.group.missing_since is not None} for rule in found]
        else:
            rows = [
                {say("number"): rule.id, say("rule"): sentences.rule(rule, names), say("scope"): str(rule.scope),
                 say("group"): rule.group.dn + (say(" (vanished)") if rule.group.missing_since else "")}
                for rule in found
            ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty=say("There is no rule: nobody may buy anything."))


@rights.command(help=say("Take a rule away, by its number."))
@click.argument("number", type=int)
def remove(number: int) -> None:
    with opened() as installation, changing(installation) as session:
        rule = session.get(rules.Rule, number)
        if rule is None:
            stop(say("There is no rule %(number)s.", number=number), BAD_USAGE)
        rules.remove_rule(session, ACTOR, rule)
    click.echo(say("Rule %(number)s is gone.", number=number))


@rights.command(help=say("Take a change of rights back, by its number in “portal audit list”."))
@click.argument("entry", type=int)
def undo(entry: int) -> None:
    with opened() as installation, changing(installation) as session:
        found = session.get(AuditEntry, entry)
        try:
            if found is None:
                raise Refused("undo_impossible")
            changes.undo(session, ACTOR, found)
        except Refused as refused:
            session.rollback()
            sentence = say("Entry %(entry)s cannot be undone: it is no change of rights, or what it tells of has changed since.", entry=entry)  # fmt: skip
            stop(sentence, BAD_USAGE) if refused.reason.code == "undo_impossible" else None
            raise
    click.echo(say("Undone."))


@rights.command("explain", help=say("May this person (login) buy this offer, and why?"))
@click.argument("login")
@click.argument("offer")
@click.option(
    "--also-in",
    "also",
    multiple=True,
    help=say("As if the person were in this group too (name or DN): nothing is changed."),
)
@json_option
def explain_right(login: str, offer: str, also: tuple[str, ...], as_json: bool) -> None:
    with opened() as installation, naming(installation) as names:
        with installation.database.reading() as session:
            row = offers.find(session, offer)
        if row is None:
            stop(say("There is no offer %(offer)s; “portal catalog list” shows them.", offer=offer), BAD_USAGE)
        account_id, groups = _groups_of(installation, login)
        supposed = [one_group(installation, name) for name in also]
        keys = frozenset().union(*(group.keys for group in [*groups, *supposed]))
        with installation.database.reading() as session:
            zone = installation.settings.portal.zone
            decision = explain(session, Employee(account_id, keys), row.wanted, zone, row.price)
        contact = installation.settings.portal.contact
        said = sentences.explanation(decision, names, contact)
        why = words.reason(decision.reason, contact)
    if as_json:
        answer = {
            "allowed": decision.allowed, "why": why, "words": said, "groups": sorted(group.dn for group in groups),
            "rules": [rule.as_dict() for rule in decision.rules],
            "ceilings": [{**room.ceiling.as_dict(), "left_cents": room.left_cents} for room in decision.rooms],
        }  # fmt: skip
        click.echo(json.dumps([answer], ensure_ascii=False, indent=2, default=str))
        return
    for sentence in said:
        click.echo(sentence)


def _groups_of(installation: Installation, login: str) -> tuple[int, list[Group]]:
    """A person's account (0 when he has never signed in) and his groups as the directory gives them at this moment.

    When it cannot answer, the groups are those last read.
    """
    with installation.database.reading() as session:
        account = accounts.find(session, login)
    try:
        found = [] if account else installation.directory.find_people(login)
    except DirectoryUnknown as error:
        stop(say("The directory could not be asked (%(detail)s).", detail=str(error)), FOUND_WRONG)
    if account is None and len(found) != 1:
        stop(say("The directory knows nobody by the login %(login)s.", login=login), BAD_USAGE)
    answer = installation.directory.read(account.directory_id if account else found[0].id)
    if isinstance(answer, Yes):
        return account.id if account else 0, list(answer.groups)
    return account.id if account else 0, [Group(**group) for group in account.groups] if account else []
