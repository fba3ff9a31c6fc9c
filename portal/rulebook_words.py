"""What a rule file would change, and what is wrong in it, as sentences: the same on screen and in a terminal."""

from __future__ import annotations

from dataclasses import asdict

from flask_babel import lazy_gettext

from portal import sentences
from portal.directory.answers import Group
from portal.rights.ceilings import Ceiling
from portal.rights.delegations import Delegation
from portal.rights.groups import GroupRow
from portal.rights.rulebook import CeilingLine, DelegationLine, Plan, RuleLine
from portal.rights.rulebook_reading import LineFault
from portal.rights.rules import Rule
from portal.sentences import Names

FAULTS = {
    "not_toml": lazy_gettext("this is no TOML: %(detail)s"),
    "unknown_table": lazy_gettext("there is no table %(name)s; there are rules, ceilings and delegations"),
    "unknown_key": lazy_gettext("there is no key %(name)s; there are %(known)s"),
    "missing": lazy_gettext("the key %(name)s is missing"),
    "choice": lazy_gettext("%(value)s is none of %(known)s"),
    "scope": lazy_gettext("%(value)s is no scope; write all, category:NAME, merchant:KEY or offer:KEY/ID"),
    "amount": lazy_gettext('%(value)s is not an amount of money; write it like "200.00"'),
    "date": lazy_gettext("the dates make no sense; write days like 2026-12-31, the last after the first"),
    "group": lazy_gettext("the directory has no group %(value)s"),
    "twice": lazy_gettext("this has been said already further up"),
    "themselves": lazy_gettext("a group cannot be given authority over itself"),
    "everyone": lazy_gettext("name a group, unless it is for everyone"),
}


def fault(found: LineFault) -> str:
    """What is wrong at one line."""
    return str(FAULTS[found.code]) % found.facts


def changes(plan: Plan, names: Names) -> list[tuple[str, str]]:
    """Every change of a plan: `-` what ends, `~` what gets another limit, `+` what is new, each with its sentence."""
    lines = [("-", sentences.said(gone, names)) for gone in plan.end]
    for ceiling, terms in plan.change:
        before = sentences.ceiling(ceiling, names)
        group = ceiling.group.reference if ceiling.group else None
        lines.append(("~", f"{before} → {_ceiling(CeilingLine(group, terms), names)}"))
    return lines + [("+", _new(line, names)) for line in plan.add]


def _new(line: RuleLine | CeilingLine | DelegationLine, names: Names) -> str:
    if isinstance(line, CeilingLine):
        return _ceiling(line, names)
    if isinstance(line, RuleLine):
        rule = Rule(
            group=_row(line.group), scope_kind=line.scope.kind, scope_value=line.scope.value, right=line.right,
            effect=line.effect, starts_at=line.starts_at, ends_at=line.ends_at,
        )  # fmt: skip
        return sentences.rule(rule, names)
    made = Delegation(
        delegates=_row(line.delegates), target=_row(line.target), scope_kind=line.scope.kind,
        scope_value=line.scope.value,
    )  # fmt: skip
    return sentences.delegation(made, names)


def _ceiling(line: CeilingLine, names: Names) -> str:
    said = {name: value for name, value in asdict(line.terms).items() if name != "scope"}
    group, scope = _row(line.group) if line.group else None, line.terms.scope
    return sentences.ceiling(Ceiling(group=group, scope_kind=scope.kind, scope_value=scope.value, **said), names)


def _row(group: Group) -> GroupRow:
    return GroupRow(key=group.key, dn=group.dn, name=group.name)
