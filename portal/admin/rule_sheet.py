"""Who may buy, as one sheet: every group that something is said of, with its rules, ceilings and delegates."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from portal.rights.ceilings import Ceiling, live_ceilings
from portal.rights.delegations import Authority, Delegation, live_delegations
from portal.rights.groups import GroupRow
from portal.rights.rules import Rule, all_rules


@dataclass
class GroupSheet:
    """What is said of one group; `group` is None for everyone."""

    group: GroupRow | None
    rules: list[Rule] = field(default_factory=list)
    ceilings: list[Ceiling] = field(default_factory=list)
    delegations: list[Delegation] = field(default_factory=list)

    @property
    def is_broken(self) -> bool:
        """Whether the directory no longer has the group: nothing here gives anything to anybody."""
        return self.group is not None and self.group.missing_since is not None


def rule_sheet(session: Session, authority: Authority) -> list[GroupSheet]:
    """Everyone first, then groups by name; a delegate sees the groups he decides on."""
    sheets: dict[int | None, GroupSheet] = {}

    def sheet(group: GroupRow | None) -> GroupSheet:
        return sheets.setdefault(group.id if group else None, GroupSheet(group))

    for rule in all_rules(session):
        sheet(rule.group).rules.append(rule)
    for ceiling in live_ceilings(session):
        sheet(ceiling.group).ceilings.append(ceiling)
    for delegation in live_delegations(session):
        sheet(delegation.target).delegations.append(delegation)
    shown = [each for each in sheets.values() if _may_see(each, authority)]
    return sorted(shown, key=lambda each: (each.group is not None, each.group.label.casefold() if each.group else ""))


def _may_see(sheet: GroupSheet, authority: Authority) -> bool:
    if authority.is_admin:
        return True
    key = sheet.group.key if sheet.group else ""
    return any(given.target.key == key for given in authority.delegations)
