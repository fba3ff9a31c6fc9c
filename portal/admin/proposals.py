"""A right somebody proposes to give or take: what it would say, who would gain or lose, and saving it.

When the directory cannot say who is in which group, the proposal can still be saved: the preview says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit import AuditEntry, recorded
from portal.catalog.offers import OfferRow
from portal.database import Database
from portal.directory.answers import Group, Person
from portal.directory.config import DirectoryUnknown
from portal.refusals import Refused
from portal.rights.ceilings import Ceiling, Terms, add_ceiling
from portal.rights.delegations import Authority
from portal.rights.groups import GroupRow
from portal.rights.preview import preview
from portal.rights.rules import Rule, add_rule, all_rules, remove_rule
from portal.rights.scopes import Scope, Wanted

NAMES_SHOWN = 20


class Members(Protocol):
    """The part of the directory that a preview asks."""

    def members(self, group: Group) -> frozenset[Person]:
        """Everybody who is effectively in a group. Raises `DirectoryUnknown`."""


@dataclass(frozen=True)
class Proposal:
    """A rule to make, with a ceiling beside it if `terms` is given; without a right, the ceiling alone."""

    group: Group | None
    scope: Scope
    effect: str = ""
    right: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    terms: Terms | None = None

    def rule(self) -> Rule | None:
        """The rule as it will stand, not stored."""
        if not self.right or self.group is None:
            return None
        return Rule(
            group=_row(self.group), scope_kind=self.scope.kind, scope_value=self.scope.value, right=self.right,
            effect=self.effect, starts_at=self.starts_at, ends_at=self.ends_at,
        )  # fmt: skip

    def ceiling(self) -> Ceiling | None:
        """The ceiling as it will stand, not stored."""
        terms = self.terms
        if terms is None:
            return None
        return Ceiling(
            who=terms.who, group=_row(self.group) if self.group and terms.who != "everyone" else None,
            scope_kind=terms.scope.kind, scope_value=terms.scope.value, period=terms.period,
            limit_cents=terms.limit_cents, currency=terms.currency, with_vat=terms.with_vat,
            warn_percent=terms.warn_percent,
        )  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """Who a change touches: names by right, the first of them, and how many in all; None when nobody can say."""

    gained: dict[str, tuple[list[str], int]]
    lost: dict[str, tuple[list[str], int]]

    @property
    def is_empty(self) -> bool:
        """Whether nobody notices anything."""
        return not self.gained and not self.lost


def effect_of(
    database: Database, directory: Members, *, add: Sequence[Rule] = (), remove: Sequence[int] = ()
) -> Effect | None:
    """Who gains and who loses when rules are added, or removed (ids); None when the directory cannot say."""
    with database.reading() as session:
        before = all_rules(session)
        offers = {
            Wanted(*row)
            for row in session.execute(
                select(OfferRow.merchant, OfferRow.offer, OfferRow.category).where(OfferRow.removed_at.is_(None))
            )
        }
    after = [rule for rule in before if rule.id not in remove] + list(add)
    changed = {rule.group.key for rule in [*add, *(rule for rule in before if rule.id in remove)]}
    groups = {rule.group.key: rule.group.reference for rule in [*before, *after]}
    try:
        members = {key: directory.members(group) for key, group in groups.items()}
    except DirectoryUnknown:
        return None
    touched = {person.id: person for key in changed for person in members[key]}
    keys: dict[str, set[str]] = {identifier: set() for identifier in touched}
    for key, people in members.items():
        for person in people:
            if person.id in keys:
                keys[person.id].add(key)
    found = preview(before, after, {person: frozenset(named) for person, named in keys.items()}, offers)
    return Effect(_named(found.gained, touched), _named(found.lost, touched))


def save(session: Session, actor: str, proposal: Proposal, authority: Authority, category: str) -> list[AuditEntry]:
    """Make the rule and the ceiling; returns their journal entries, numbered once the transaction has ended, for undo.

    Raises:
        Refused: `not_delegated`, because the person may not decide on this group or scope.
    """
    group_key = proposal.group.key if proposal.group else ""
    if not authority.may_manage(group_key, proposal.scope, category):
        raise Refused("not_delegated")
    if proposal.right and proposal.group:
        add_rule(
            session, actor, proposal.group, proposal.scope, proposal.right, proposal.effect,
            proposal.starts_at, proposal.ends_at,
        )  # fmt: skip
    if proposal.terms:
        add_ceiling(session, actor, proposal.group, proposal.terms)
    return recorded(session)


def take_away(session: Session, actor: str, number: int, authority: Authority, category: str) -> list[AuditEntry]:
    """Remove a rule; returns its journal entry, as `save` does.

    Raises:
        Refused: `rule_gone` or `not_delegated`.
    """
    rule = session.get(Rule, number)
    if rule is None:
        raise Refused("rule_gone")
    if not authority.may_manage(rule.group.key, rule.scope, category):
        raise Refused("not_delegated")
    remove_rule(session, actor, rule)
    return recorded(session)


def _named(found: Mapping[str, frozenset[str]], touched: dict[str, Person]) -> dict[str, tuple[list[str], int]]:
    named = {}
    for right, identifiers in found.items():
        if identifiers:
            people = sorted((touched[each].name or touched[each].login for each in identifiers), key=str.casefold)
            named[right] = (people[:NAMES_SHOWN], len(people))
    return named


def _row(group: Group) -> GroupRow:
    return GroupRow(key=group.key, directory_id=group.id, dn=group.dn, name=group.name)
