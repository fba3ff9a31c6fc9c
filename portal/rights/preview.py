"""Who gains and who loses by a change of rules, reckoned before it is saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from portal.rights.decision import decide
from portal.rights.rules import RIGHTS, Rule
from portal.rights.scopes import Wanted


@dataclass(frozen=True)
class Preview:
    """Ids of the people who gain or lose a right on at least one offer, by right."""

    gained: Mapping[str, frozenset[str]]
    lost: Mapping[str, frozenset[str]]

    @property
    def is_empty(self) -> bool:
        """Whether nobody notices anything."""
        return not any(self.gained.values()) and not any(self.lost.values())


def preview(
    before: Iterable[Rule], after: Iterable[Rule], people: Mapping[str, frozenset[str]], offers: Iterable[Wanted]
) -> Preview:
    """Compare two sets of rules.

    Args:
        people: the keys of each person's groups, by the person's id; groups no rule names may be left out.
    """
    old, new = list(before), list(after)
    wanted = set(offers)
    everybody: dict[frozenset[str], set[str]] = {}
    for person, keys in people.items():
        everybody.setdefault(keys, set()).add(person)
    gained: dict[str, set[str]] = {right: set() for right in RIGHTS}
    lost: dict[str, set[str]] = {right: set() for right in RIGHTS}
    # People in the same groups are decided alike, so a group of thousands costs as much as one person.
    for keys, persons in everybody.items():
        for right in RIGHTS:
            had, has = _open(old, keys, right, wanted), _open(new, keys, right, wanted)
            if has - had:
                gained[right] |= persons
            if had - has:
                lost[right] |= persons
    return Preview(_frozen(gained), _frozen(lost))


def _open(rules: list[Rule], keys: frozenset[str], right: str, offers: set[Wanted]) -> set[Wanted]:
    own = [rule for rule in rules if rule.group.key in keys]
    return {wanted for wanted in offers if decide(own, right, wanted).allowed} if own else set()


def _frozen(sets: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    return {right: frozenset(persons) for right, persons in sets.items()}
