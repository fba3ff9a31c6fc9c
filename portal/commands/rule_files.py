"""`portal rights export` and `import`: the whole set of rules as one TOML file, for review and for version control."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TextIO

import click

from portal import sentences
from portal.commands.context import json_option, opened
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say
from portal.commands.rights_options import ACTOR, changing, naming
from portal.directory.answers import Group
from portal.directory.config import DirectoryUnknown
from portal.installation import Installation
from portal.rights import rulebook
from portal.rights.ceilings import Ceiling, Terms
from portal.rights.delegations import Delegation
from portal.rights.groups import GroupRow
from portal.rights.rulebook import CeilingLine, DelegationLine, Plan, RuleLine
from portal.rights.rulebook_reading import RulebookFaults, read
from portal.rights.rules import Rule
from portal.sentences import Names

FAULTS = {
    "not_toml": say("this is no TOML: %(detail)s"),
    "unknown_table": say("there is no table %(name)s; there are rules, ceilings and delegations"),
    "unknown_key": say("there is no key %(name)s; there are %(known)s"),
    "missing": say("the key %(name)s is missing"),
    "choice": say("%(value)s is none of %(known)s"),
    "scope": say("%(value)s is no scope; write all, category:NAME, merchant:KEY or offer:KEY/ID"),
    "amount": say('%(value)s is not an amount of money; write it like "200.00"'),
    "date": say("the dates make no sense; write days like 2026-12-31, the last after the first"),
    "group": say("the directory has no group %(value)s"),
    "twice": say("this has been said already further up"),
    "themselves": say("a group cannot be given authority over itself"),
    "everyone": say("name a group, unless it is for everyone"),
}


@click.command("export", help=say("Every rule, ceiling and delegation as TOML, to standard output or a file."))
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path), required=False)
def export_rules(file: Path | None) -> None:
    with opened() as installation, installation.database.reading() as session:
        text = rulebook.write(session, installation.settings.portal.zone)
    if file:
        file.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


@click.command("import", help=say("Make rules, ceilings and delegations exactly what a TOML file says."))
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help=say("Say what would change, and change nothing."))
@json_option
def import_rules(file: TextIO, dry_run: bool, as_json: bool) -> None:
    with opened() as installation, naming(installation) as names:
        try:
            book = read(file.read(), _resolver(installation), installation.settings.portal.zone)
        except UnicodeDecodeError as error:
            stop(say("%(file)s is no text in UTF-8: %(detail)s", file=file.name, detail=error), BAD_USAGE)
        except DirectoryUnknown as error:
            stop(
                say("The directory could not be asked (%(detail)s): nothing was changed.", detail=str(error)),
                FOUND_WRONG,
            )
        except RulebookFaults as error:
            for fault in error.faults:
                click.echo(f"{file.name}:{fault.line}: {FAULTS[fault.code] % fault.facts}", err=True)
            stop(say("Nothing was changed."), BAD_USAGE)
        with changing(installation) as session:
            plan = rulebook.compare(session, book)
            lines = _lines(plan, names)
            if not dry_run:
                rulebook.apply(session, ACTOR, plan)
    if as_json:
        click.echo(
            json.dumps([{"change": mark, "sentence": text} for mark, text in lines], ensure_ascii=False, indent=2)
        )
        return
    for mark, text in lines:
        click.echo(f"{mark} {text}")
    if not lines:
        click.echo(say("Everything is as the file says already."))
    elif dry_run:
        click.echo(say("Nothing was changed: this was a dry run."))


def _resolver(installation: Installation) -> Callable[[str, str], Group | None]:
    @cache
    def resolve(dn: str, identifier: str) -> Group | None:
        return installation.directory.group(Group(dn, identifier))

    return resolve


def _lines(plan: Plan, names: Names) -> list[tuple[str, str]]:
    lines = [("-", sentences.said(gone, names)) for gone in plan.end]
    for ceiling, terms in plan.change:
        before = sentences.ceiling(ceiling, names)
        lines.append(("~", f"{before} → {_ceiling_line(CeilingLine(_group_of(ceiling), terms), names)}"))
    return lines + [("+", _new(line, names)) for line in plan.add]


def _group_of(ceiling: Ceiling) -> Group | None:
    return ceiling.group.reference if ceiling.group else None


def _new(line: RuleLine | CeilingLine | DelegationLine, names: Names) -> str:
    """What a line will say once it is in force."""
    if isinstance(line, CeilingLine):
        return _ceiling_line(line, names)
    if isinstance(line, RuleLine):
        rule = Rule(
            group=_row(line.group), scope_kind=line.scope.kind, scope_value=line.scope.value, right=line.right,
            effect=line.effect, starts_at=line.starts_at, ends_at=line.ends_at,
        )  # fmt: skip
        return sentences.rule(rule, names)
    made = Delegation(
        delegates=_row(line.delegates),
        target=_row(line.target),
        scope_kind=line.scope.kind,
        scope_value=line.scope.value,
    )
    return sentences.delegation(made, names)


def _ceiling_line(line: CeilingLine, names: Names) -> str:
    terms: Terms = line.terms
    said = {name: value for name, value in asdict(terms).items() if name != "scope"}
    group = _row(line.group) if line.group else None
    made = Ceiling(group=group, scope_kind=terms.scope.kind, scope_value=terms.scope.value, **said)
    return sentences.ceiling(made, names)


def _row(group: Group) -> GroupRow:
    return GroupRow(key=group.key, dn=group.dn, name=group.name)
