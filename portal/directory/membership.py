"""The groups a person is effectively in: up the nesting, each group once, so that a cycle ends.

Groups say whom they hold (member, uniqueMember, memberUid), people say where they belong (memberOf, gidNumber,
primaryGroupID), and Active Directory says nearly all of it at once (tokenGroups). `DirectoryUnknown` is raised when
the answer would not be whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from portal.directory.answers import Group
from portal.directory.ldap import escape, raw_values
from portal.directory.messages import Entry
from portal.directory.named import AT_ONCE, is_below, read_named
from portal.directory.names import normalise
from portal.directory.servers import LdapServers
from portal.directory.vocabulary import Vocabulary, hexadecimal, texts

DN_LISTS, LOGIN_LIST = ("member", "uniqueMember"), "memberUid"


class Membership:
    """The groups of one site, asked upwards."""

    def __init__(self, servers: LdapServers, vocabulary: Vocabulary) -> None:
        self._servers, self._words, self._preset = servers, vocabulary, vocabulary.preset
        self._base, self._nested = servers.config.groups_base, servers.config.nested

    def of(self, person: Entry, deadline: float) -> tuple[Group, ...]:
        """The effective membership of a person, whose entry was read with all of the vocabulary's attributes."""
        if not self._base:
            return ()
        seen: dict[str, Group] = {}
        asked: set[str] = set()
        level = self._note(self._direct(person, deadline), seen)
        if self._nested or not self._preset.member_of_is_effective:
            level += self._note(self._claimed([person], seen, asked, deadline), seen)
        while self._nested and level:
            above = [] if self._preset.security_ids else self._holding([entry.dn for entry in level], deadline)
            upper = self._note(above, seen)
            level = upper + self._note(self._claimed(level, seen, asked, deadline), seen)
        return tuple(sorted(seen.values(), key=lambda group: group.dn))

    def _note(self, entries: Iterable[Entry], seen: dict[str, Group]) -> list[Entry]:
        """The groups that were not seen before."""
        new = {normalise(entry.dn): entry for entry in entries if normalise(entry.dn) not in seen}
        seen.update((key, self._words.group(entry)) for key, entry in new.items())
        return list(new.values())

    def _direct(self, person: Entry, deadline: float) -> list[Entry]:
        """The groups a person is in by himself; on Active Directory also those above them."""
        if self._preset.security_ids:
            return self._with_sids(self._sids(person, deadline), deadline)
        tests = member_tests([person.dn])
        tests += "".join(f"({LOGIN_LIST}={escape(login)})" for login in self._words.logins(person))
        tests += "".join(f"(&(objectClass=posixGroup)(gidNumber={escape(gid)}))" for gid in texts(person, "gidNumber"))
        return self._search(tests, deadline)

    def _sids(self, person: Entry, deadline: float) -> list[bytes]:
        """T16: raw SIDs, computed by the domain controller for the very person; the primary group is always one."""
        if self._nested:
            read = self._servers.search(person.dn, "(objectClass=*)", ["tokenGroups"], deadline, one=True)
            tokens = raw_values(read[0], "tokenGroups") if read else []
            if tokens:
                return tokens
        # Not every service account may read tokenGroups: then memberOf leads up, from here.
        return primary_sid(person)

    def _with_sids(self, sids: Sequence[bytes], deadline: float) -> list[Entry]:
        found: list[Entry] = []
        for at in range(0, len(sids), AT_ONCE):
            tests = "".join(f"(objectSid={hexadecimal(sid)})" for sid in sids[at : at + AT_ONCE])
            found += self._search(tests, deadline)
        return found

    def _holding(self, dns: Sequence[str], deadline: float) -> list[Entry]:
        """The groups right above some."""
        found: list[Entry] = []
        for at in range(0, len(dns), AT_ONCE):
            found += self._search(member_tests(dns[at : at + AT_ONCE]), deadline)
        return found

    def _claimed(
        self, entries: Sequence[Entry], seen: dict[str, Group], asked: set[str], deadline: float
    ) -> Iterable[Entry]:
        """The groups in which entries say they are, and that nothing else has shown yet."""
        claims = {normalise(dn): dn for entry in entries for dn in texts(entry, "memberOf")}
        new = {
            key: dn for key, dn in claims.items() if key not in seen and key not in asked and is_below(dn, self._base)
        }
        asked |= new.keys()
        attributes = list(self._words.group_attributes)
        if not self._preset.member_of_is_sure:
            attributes += [*DN_LISTS, LOGIN_LIST]
        read = read_named(
            self._servers, (self._preset.dn_attribute,), self._base, self._words.groups_filter, list(new.values()),
            attributes, deadline,
        )  # fmt: skip
        return [group for group in read if self._preset.member_of_is_sure or self._agrees(group, entries)]

    def _agrees(self, group: Entry, entries: Sequence[Entry]) -> bool:
        """Whether a group that shows a list of members has one of these in it."""
        listed = {normalise(dn) for name in DN_LISTS for dn in texts(group, name)}
        logins = set(texts(group, LOGIN_LIST))
        if not listed and not logins:
            return True
        return any(normalise(entry.dn) in listed or logins & set(self._words.logins(entry)) for entry in entries)

    def _search(self, tests: str, deadline: float) -> list[Entry]:
        """The groups that pass one of some filters."""
        test = f"(&{self._words.groups_filter}(|{tests}))"
        return self._servers.search(self._base, test, self._words.group_attributes, deadline)


def primary_sid(person: Entry) -> list[bytes]:
    """The SID of a person's primary group (MS-ADTS, 3.1.1.4.5.19): his own with another last part."""
    sid, number = raw_values(person, "objectSid"), texts(person, "primaryGroupID")
    return [sid[0][:-4] + struct.pack("<I", int(number[0]))] if sid and number else []


def member_tests(names: Sequence[str]) -> str:
    """Filter parts for the groups that hold any of some entries."""
    escaped = [escape(name) for name in names]
    return "".join(f"({attribute}={name})" for name in escaped for attribute in DN_LISTS)
