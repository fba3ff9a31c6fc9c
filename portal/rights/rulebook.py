"""The whole set of rules, ceilings and delegations as one TOML file: written out, read back, compared, applied.

A file says everything: what is in force and not in it ends. A file with one wrong line applies nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import tomli_w
from sqlalchemy.orm import Session

from portal.directory.answers import Group
from portal.rights.ceilings import Ceiling, Terms, add_ceiling, change_ceiling, end_ceiling, live_ceilings
from portal.rights.delegations import Delegation, add_delegation, end_delegation, live_delegations
from portal.rights.groups import GroupRow
from portal.rights.rules import Rule, add_rule, all_rules, remove_rule
from portal.rights.scopes import Scope

Resolve = Callable[[str, str], Group | None]
"""The group with a DN and an id ("" when the file gives none) as the directory knows it; None when it has none."""


@dataclass(frozen=True)
class RuleLine:
    """What one rule of a file says; its dates are instants (UTC), the end excluded."""

    group: Group
    scope: Scope
    right: str
    effect: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True)
class CeilingLine:
    """What one ceiling of a file says."""

    group: Group | None
    terms: Terms


@dataclass(frozen=True)
class DelegationLine:
    """What one delegation of a file says."""

    delegates: Group
    target: Group
    scope: Scope


@dataclass
class Rulebook:
    """Everything a file says, in its order."""

    rules: list[RuleLine] = field(default_factory=list)
    ceilings: list[CeilingLine] = field(default_factory=list)
    delegations: list[DelegationLine] = field(default_factory=list)


@dataclass
class Plan:
    """What must change so that a file's words are in force."""

    add: list[RuleLine | CeilingLine | DelegationLine] = field(default_factory=list)
    change: list[tuple[Ceiling, Terms]] = field(default_factory=list)
    end: list[Rule | Ceiling | Delegation] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether everything is as the file says already."""
        return not (self.add or self.change or self.end)


def write(session: Session, zone: ZoneInfo) -> str:
    """The rules, ceilings and delegations in force as TOML; dates are the company's days, the last one included."""
    content = {
        "rules": [_rule_table(rule, zone) for rule in all_rules(session)],
        "ceilings": [_ceiling_table(ceiling) for ceiling in live_ceilings(session)],
        "delegations": [
            {**_named("delegates", each.delegates), **_named("group", each.target), "scope": str(each.scope)}
            for each in live_delegations(session)
        ],
    }
    return tomli_w.dumps({name: tables for name, tables in content.items() if tables})


def _rule_table(rule: Rule, zone: ZoneInfo) -> dict[str, Any]:
    table: dict[str, Any] = {"effect": rule.effect, **_named("group", rule.group)}
    table |= {"right": rule.right, "scope": str(rule.scope)}
    if rule.starts_at:
        table["starts"] = _day(rule.starts_at, zone)
    if rule.ends_at:
        end = _day(rule.ends_at, zone)
        table["ends"] = end if isinstance(end, datetime) else end - timedelta(days=1)
    return table


def _day(at: datetime, zone: ZoneInfo) -> date | datetime:
    local = at.astimezone(zone)
    return local.date() if local.time() == time.min else at


def _ceiling_table(ceiling: Ceiling) -> dict[str, Any]:
    whose = _named("group", ceiling.group) if ceiling.group else {}
    limit = f"{ceiling.limit_cents // 100}.{ceiling.limit_cents % 100:02d}"
    return {
        "who": ceiling.who, **whose, "limit": limit, "currency": ceiling.currency, "period": ceiling.period,
        "scope": str(ceiling.scope), "with_vat": ceiling.with_vat, "warn_percent": ceiling.warn_percent,
    }  # fmt: skip


def _named(key: str, row: GroupRow) -> dict[str, str]:
    return {key: row.dn, **({f"{key}_id": row.directory_id} if row.directory_id else {})}


def compare(session: Session, book: Rulebook) -> Plan:
    """What applying a file would change."""
    plan = Plan()
    _compare_rules(session, book, plan)
    _compare_ceilings(session, book, plan)
    _compare_delegations(session, book, plan)
    return plan


def _compare_rules(session: Session, book: Rulebook, plan: Plan) -> None:
    present = {
        (rule.group.key, rule.scope, rule.right, rule.effect, rule.starts_at, rule.ends_at): rule
        for rule in all_rules(session)
    }
    for line in book.rules:
        said = (line.scope, line.right, line.effect, line.starts_at, line.ends_at)
        # A rule made before its group had shown its id still names it by its place.
        if not any(present.pop((key, *said), None) for key in sorted(line.group.keys)):
            plan.add.append(line)
    plan.end += present.values()


def _compare_ceilings(session: Session, book: Rulebook, plan: Plan) -> None:
    present = {
        (each.who, each.group.key if each.group else "", each.scope, each.period, each.currency, each.with_vat): each
        for each in live_ceilings(session)
    }
    for line in book.ceilings:
        terms = line.terms
        said = (terms.scope, terms.period, terms.currency, terms.with_vat)
        keys = sorted(line.group.keys) if line.group else [""]
        found = next(filter(None, (present.pop((terms.who, key, *said), None) for key in keys)), None)
        if found is None:
            plan.add.append(line)
        elif (found.limit_cents, found.warn_percent) != (terms.limit_cents, terms.warn_percent):
            plan.change.append((found, terms))
    plan.end += present.values()


def _compare_delegations(session: Session, book: Rulebook, plan: Plan) -> None:
    present = {(each.delegates.key, each.target.key, each.scope): each for each in live_delegations(session)}
    for line in book.delegations:
        if present.pop((line.delegates.key, line.target.key, line.scope), None) is None:
            plan.add.append(line)
    plan.end += present.values()


def apply(session: Session, actor: str, plan: Plan) -> None:
    """Carry a plan out within the caller's transaction; each change is journalled."""
    for gone in plan.end:
        if isinstance(gone, Rule):
            remove_rule(session, actor, gone)
        elif isinstance(gone, Ceiling):
            end_ceiling(session, actor, gone)
        else:
            end_delegation(session, actor, gone)
    for ceiling, terms in plan.change:
        change_ceiling(session, actor, ceiling, terms.limit_cents, terms.warn_percent)
    for line in plan.add:
        if isinstance(line, RuleLine):
            add_rule(session, actor, line.group, line.scope, line.right, line.effect, line.starts_at, line.ends_at)
        elif isinstance(line, CeilingLine):
            add_ceiling(session, actor, line.group, line.terms)
        else:
            add_delegation(session, actor, line.delegates, line.target, line.scope)
