"""The groups of a site as people choose them, and everybody in one: down the nesting, whatever its size.

Active Directory is never asked for a list of members, which it hands out in ranges and without those whose primary
group it is: people and groups say themselves where they belong. Everything raises `DirectoryUnknown` when it cannot
be answered whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from portal.directory.answers import Group, Person
from portal.directory.ldap import escape, raw_values
from portal.directory.membership import DN_LISTS, LOGIN_LIST
from portal.directory.messages import Entry
from portal.directory.named import AT_ONCE, is_below, read_named
from portal.directory.names import normalise
from portal.directory.servers import LdapServers
from portal.directory.vocabulary import Vocabulary, texts

LISTS = (*DN_LISTS, LOGIN_LIST)


class Groups:
    """The groups of one site, found and asked downwards."""

    def __init__(self, servers: LdapServers, vocabulary: Vocabulary) -> None:
        self._servers, self._words, self._preset = servers, vocabulary, vocabulary.preset
        self._config, self._base = servers.config, servers.config.groups_base

    def find(self, name_or_dn: str, deadline: float) -> list[Group]:
        """The group with a DN, or the groups with a name."""
        found = self._at(name_or_dn, deadline) if "=" in name_or_dn else []
        if not found and self._base and name_or_dn.strip():
            test = f"(&{self._words.groups_filter}(cn={escape(name_or_dn)}))"
            found = self._servers.search(self._base, test, self._words.group_attributes, deadline)
        return [self._words.group(entry) for entry in found]

    def current(self, reference: Group, deadline: float) -> Group | None:
        """A group as it is now, by its id, else by its DN; None when there is surely none."""
        if not reference.id:
            found = self._at(reference.dn, deadline)
        elif not self._base or not (test := self._words.id_test(reference.id)):
            found = []
        else:
            test = f"(&{self._words.groups_filter}{test})"
            found = self._servers.search(self._base, test, self._words.group_attributes, deadline)
        return self._words.group(found[0]) if len(found) == 1 else None

    def search(self, text: str, limit: int, deadline: float) -> list[Group]:
        """The first groups whose name or description holds a text; a list that was cut is enough here."""
        if not self._base:
            return []
        value = escape(text.strip())
        test = f"(|(cn=*{value}*)(description=*{value}*))" if value else ""
        test = f"(&{self._words.groups_filter}{test})"
        entries = self._servers.first(self._base, test, self._words.group_attributes, limit, deadline)
        return [self._words.group(entry) for entry in entries]

    def count(self, group: Group, deadline: float) -> int:
        """How many people and groups stand in a group directly; not who is in those groups."""
        found = self._at(group.dn, deadline, () if self._preset.security_ids else LISTS)
        if not found:
            return 0
        count = sum(len(raw_values(found[0], name)) for name in LISTS)
        people = self._saying(found)
        if people:
            count += self._servers.count(self._config.people_base, self._words.people_test(people), deadline)
        if self._preset.security_ids:
            inner = f"(&{self._words.groups_filter}(memberOf={escape(group.dn)}))"
            count += self._servers.count(self._base, inner, deadline)
        return count

    def members(self, group: Group, deadline: float) -> frozenset[Person]:
        """Everybody who is effectively in a group, and may come in, with id, login and name."""
        read = self._said_by_people if self._preset.security_ids else self._said_by_groups
        people = (self._words.employee(entry) for entry in read(group.dn, deadline))
        return frozenset(person for person in people if person)

    def _at(self, dn: str, deadline: float, more: Sequence[str] = ()) -> list[Entry]:
        """The group with a DN, if it is one of those that count."""
        if not self._base or not is_below(dn, self._base):
            return []
        attributes = [*self._words.group_attributes, *more]
        return self._servers.search(dn, self._words.groups_filter, attributes, deadline, one=True)

    def _saying(self, groups: Sequence[Entry]) -> str:
        """The filter part for people who say themselves that they are in one of these groups; "" when none would."""
        tests = ""
        for group in groups:
            tests += "".join(f"(gidNumber={escape(gid)})" for gid in texts(group, "gidNumber"))
            for sid in raw_values(group, "objectSid"):
                tests += f"(primaryGroupID={struct.unpack('<I', sid[-4:])[0]})"
            if not any(raw_values(group, name) for name in LISTS):
                tests += f"(memberOf={escape(group.dn)})"
        return f"(|{tests})" if tests else ""

    def _people_saying(self, groups: Sequence[Entry], deadline: float) -> Iterator[Entry]:
        for at in range(0, len(groups), AT_ONCE):
            tests = self._saying(groups[at : at + AT_ONCE])
            if tests:
                yield from self._everybody(tests, deadline)

    def _everybody(self, tests: str, deadline: float) -> Iterator[Entry]:
        test = self._words.people_test(tests)
        return self._servers.every(self._config.people_base, test, self._words.listing_attributes, deadline)

    def _said_by_people(self, dn: str, deadline: float) -> Iterator[Entry]:
        """Who says he is in a group, or in one of those that say they are in it."""
        groups = {normalise(entry.dn): entry for entry in self._at(dn, deadline)}
        level = list(groups.values())
        while self._config.nested and level:
            inner: list[Entry] = []
            for at in range(0, len(level), AT_ONCE):
                tests = "".join(f"(memberOf={escape(entry.dn)})" for entry in level[at : at + AT_ONCE])
                test = f"(&{self._words.groups_filter}(|{tests}))"
                inner += self._servers.every(domain_of(dn), test, self._words.group_attributes, deadline)
            level = [entry for entry in inner if normalise(entry.dn) not in groups]
            groups.update((normalise(entry.dn), entry) for entry in level)
        return self._people_saying(list(groups.values()), deadline)

    def _said_by_groups(self, dn: str, deadline: float) -> Iterator[Entry]:
        """Whom a group and those in it list, and who says he belongs there."""
        groups: list[Entry] = []
        logins: set[str] = set()
        level, seen = [dn], {normalise(dn)}
        while level:
            read = list(self._listing(level, deadline))
            groups += read
            logins.update(login for entry in read for login in texts(entry, LOGIN_LIST))
            listed = {normalise(name): name for entry in read for kind in DN_LISTS for name in texts(entry, kind)}
            new = {key: name for key, name in listed.items() if key not in seen}
            seen |= new.keys()
            for entry in self._listed_people(list(new.values()), deadline):
                # Where people and groups stand under one base, who is a person need not be asked for as a group.
                new.pop(normalise(entry.dn), None)
                yield entry
            level = [name for name in new.values() if is_below(name, self._base)] if self._config.nested else []
        yield from self._with_logins(logins, deadline)
        yield from self._people_saying(groups, deadline)

    def _listed_people(self, dns: list[str], deadline: float) -> Iterator[Entry]:
        below = [name for name in dns if is_below(name, self._config.people_base)]
        return read_named(
            self._servers, self._words.login_attributes, self._config.people_base, self._words.people_filter, below,
            self._words.listing_attributes, deadline,
        )  # fmt: skip

    def _listing(self, dns: list[str], deadline: float) -> Iterator[Entry]:
        """Those of some entries that are groups, with their lists."""
        return read_named(
            self._servers, (self._preset.dn_attribute,), self._base, self._words.groups_filter, dns,
            [*self._words.group_attributes, *LISTS], deadline,
        )  # fmt: skip

    def _with_logins(self, logins: set[str], deadline: float) -> Iterator[Entry]:
        """memberUid is compared to the letter, other than a login."""
        listed = sorted(logins)
        for at in range(0, len(listed), AT_ONCE):
            tests = "".join(self._words.login_test(login) for login in listed[at : at + AT_ONCE])
            for entry in self._everybody(f"(|{tests})", deadline):
                if logins & set(self._words.logins(entry)):
                    yield entry


def domain_of(dn: str) -> str:
    """The DC parts at a DN's end: the Active Directory domain it stands in."""
    parts = dn.split(",")
    first = next((at for at in range(len(parts)) if all(part[:3].lower() == "dc=" for part in parts[at:])), 0)
    return ",".join(parts[first:])
