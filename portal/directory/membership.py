"""Groups of the directory: who is in which, up and down the nesting, and which there are.

Every question raises `DirectoryUnknown` when it cannot be answered whole; a cycle of groups ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from portal.directory.answers import Group, Person
from portal.directory.ldap import Entry, LdapServers, escape, raw_values
from portal.directory.names import normalise

NAMES_AT_ONCE = 50
FEW = 200
"""So many people are read one by one; more are found by reading everybody once, by pages."""
MEMBER_ATTRIBUTES = ("member", "uniqueMember", "memberUid")

IdText = Callable[[Sequence[bytes]], str]


class Membership:
    """The groups of one site.

    Args:
        id_attribute: where a group's stable id stands, and `id_text` how it is written.
        person_of: the person an entry describes; None when the entry is nobody who could sign in.
    """

    def __init__(
        self, servers: LdapServers, id_attribute: str, id_text: IdText, id_filter: Callable[[str], str],
        person_attributes: list[str], person_of: Callable[[Entry], Person | None],
    ) -> None:  # fmt: skip
        self._servers, self._config = servers, servers.config
        self._id_attribute, self._id_text, self._id_filter = id_attribute, id_text, id_filter
        self._person_attributes, self._person_of = person_attributes, person_of

    def of(self, dn: str, login: str, deadline: float) -> tuple[Group, ...]:
        """The effective membership, level by level, each group visited once."""
        if not self._config.groups_base:
            return ()
        tests = [_member_tests([dn]) + (f"(memberUid={escape(login)})" if login else "")]
        seen: dict[str, Group] = {}
        while tests:
            entries = self._search(f"(|{tests.pop()})", deadline)
            new = [self._group(entry) for entry in entries if normalise(entry["dn"]) not in seen]
            seen.update((normalise(group.dn), group) for group in new)
            if self._config.nested:
                dns = [group.dn for group in new]
                tests += [_member_tests(dns[at : at + NAMES_AT_ONCE]) for at in range(0, len(dns), NAMES_AT_ONCE)]
        return tuple(sorted(seen.values(), key=lambda group: group.dn))

    def find(self, name_or_dn: str, deadline: float) -> list[Group]:
        """The groups with a name, or the group with a DN."""
        if "=" in name_or_dn:
            entries = self._servers.search(name_or_dn, "(cn=*)", self._wanted, deadline, one=True)
        else:
            entries = self._search(f"(cn={escape(name_or_dn)})", deadline)
        return [self._group(entry) for entry in entries]

    def current(self, reference: Group, deadline: float) -> Group | None:
        """A group as it is now, by its id, else by its DN; None when there is surely none."""
        if reference.id:
            entries = self._search(f"({self._id_attribute}={self._id_filter(reference.id)})", deadline)
        else:
            entries = self._servers.search(reference.dn, "(cn=*)", self._wanted, deadline, one=True)
        return self._group(entries[0]) if len(entries) == 1 else None

    def search(self, text: str, limit: int, deadline: float) -> list[Group]:
        """The first groups whose name or description holds a text; a list that was cut is enough here."""
        value = escape(text)
        test = f"(&(cn=*)(|(cn=*{value}*)(description=*{value}*)))"
        entries = self._servers.first(self._config.groups_base, test, self._wanted, limit, deadline)
        return [self._group(entry) for entry in entries]

    def count(self, group: Group, deadline: float) -> int:
        """How many people and groups stand in a group directly."""
        entries = self._servers.search(group.dn, "(cn=*)", list(MEMBER_ATTRIBUTES), deadline, one=True)
        return sum(len(raw_values(entry, name)) for entry in entries for name in MEMBER_ATTRIBUTES)

    def members(self, group: Group, deadline: float) -> frozenset[Person]:
        """Everybody who is effectively in a group."""
        names: dict[str, str] = {}
        logins: set[str] = set()
        waiting, seen = [group.dn], {normalise(group.dn)}
        while waiting:
            for entry in self._servers.search(waiting.pop(), "(cn=*)", list(MEMBER_ATTRIBUTES), deadline, one=True):
                logins.update(_texts(entry, "memberUid"))
                for dn in [*_texts(entry, "member"), *_texts(entry, "uniqueMember")]:
                    key = normalise(dn)
                    if self._may_be_group(key) and self._config.nested and key not in seen:
                        seen.add(key)
                        waiting.append(dn)
                    names[key] = dn
        return self._people(names, logins, deadline)

    @property
    def _wanted(self) -> list[str]:
        return ["cn", self._id_attribute]

    def _search(self, test: str, deadline: float) -> list[Entry]:
        return self._servers.search(self._config.groups_base, test, self._wanted, deadline)

    def _group(self, entry: Entry) -> Group:
        names = _texts(entry, "cn")
        return Group(entry["dn"], self._id_text(raw_values(entry, self._id_attribute)), names[0] if names else "")

    def _may_be_group(self, key: str) -> bool:
        return key.endswith(normalise(self._config.groups_base))

    def _people(self, names: dict[str, str], logins: set[str], deadline: float) -> frozenset[Person]:
        below = normalise(self._config.people_base)
        names = {key: dn for key, dn in names.items() if key.endswith(below)}
        if not names and not logins:
            return frozenset()
        if len(names) > FEW or logins:
            everybody = self._servers.every(
                self._config.people_base, "(objectClass=*)", self._person_attributes, deadline
            )
            return self._known(
                everybody, lambda entry, person: normalise(entry["dn"]) in names or person.login in logins
            )
        read: list[Entry] = []
        for dn in names.values():
            read += self._servers.search(dn, "(objectClass=*)", self._person_attributes, deadline, one=True)
        return self._known(read, lambda _entry, _person: True)

    def _known(self, entries: Iterable[Entry], wanted: Callable[[Entry, Person], bool]) -> frozenset[Person]:
        people = ((entry, self._person_of(entry)) for entry in entries)
        return frozenset(person for entry, person in people if person is not None and wanted(entry, person))


def _texts(entry: Entry, name: str) -> list[str]:
    return [value.decode(errors="replace") for value in raw_values(entry, name)]


def _member_tests(names: Sequence[str]) -> str:
    escaped = [escape(name) for name in names]
    return "".join(f"(member={name})(uniqueMember={name})" for name in escaped)
