"""What the portal asks the directory: who signs in, who is this, in which groups, and is all well.

Every answer is yes, no or unknown; one question costs at most the configured time budget over all servers.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from functools import partial

from portal.directory.answers import Answer, Finding, Group, No, Person, Unknown, Yes
from portal.directory.config import DirectoryConfig, DirectoryUnknown
from portal.directory.ldap import Entry, LdapServers, escape, raw_values
from portal.directory.membership import Membership
from portal.directory.presets import PRESETS

LONGEST_LOGIN, LONGEST_PASSWORD = 256, 1024
LONGEST_LISTING_S = 30.0
"""Reading a group of thousands is asked for by an administrator, who waits for it; no sign-in does."""


class LdapDirectory:
    """The directory of one site; safe to use from several threads."""

    def __init__(self, config: DirectoryConfig) -> None:
        preset = PRESETS[config.preset]
        self.config = config
        self._servers = LdapServers(config)
        self._id_attribute = preset.id_attribute
        self._login_attributes = tuple(config.login_attributes) or preset.login_attributes
        self._people_filter = config.people_filter or preset.people_filter
        self._attributes = {**preset.attributes, **config.attributes}
        self._membership = Membership(
            self._servers, preset.id_attribute, partial(_id_text, preset.id_attribute),
            partial(_id_filter, preset.id_attribute), self._wanted, self._person,
        )  # fmt: skip

    def sign_in(self, login: str, password: str) -> Answer:
        """Search as the service, then one bind as the person, on one server, on a connection thrown away."""
        refused = _unusable(login, password)
        if refused:
            return refused
        deadline = self._deadline()
        try:
            found = self._people(self._login_filter(login), deadline)
            if len(found) != 1:
                return No("ambiguous" if found else "unknown_person")
            if not self._servers.bind_as(found[0]["dn"], password, deadline):
                return No("wrong_password")
            return self._with_groups(found[0], deadline)
        except DirectoryUnknown as error:
            return Unknown(error.reason, error.detail)

    def read(self, directory_id: str) -> Answer:
        """A person and his groups at this moment, by the stable id."""
        deadline = self._deadline()
        try:
            found = self._people(f"({self._id_attribute}={_id_filter(self._id_attribute, directory_id)})", deadline)
            return self._with_groups(found[0], deadline) if len(found) == 1 else No("ambiguous" if found else "gone")
        except DirectoryUnknown as error:
            return Unknown(error.reason, error.detail)

    def find_group(self, name_or_dn: str) -> list[Group]:
        """The groups with a name, or the group with a DN. Raises `DirectoryUnknown`."""
        return self._membership.find(name_or_dn, self._deadline())

    def group(self, reference: Group) -> Group | None:
        """A group as it is now; None when it surely does not exist any more. Raises `DirectoryUnknown`."""
        return self._membership.current(reference, self._deadline())

    def search_groups(self, text: str, limit: int = 20) -> list[Group]:
        """The first groups whose name or description holds a text. Raises `DirectoryUnknown`."""
        return self._membership.search(text, limit, self._deadline())

    def count_members(self, group: Group) -> int:
        """How many people and groups stand in a group directly. Raises `DirectoryUnknown`."""
        return self._membership.count(group, self._deadline())

    def members(self, group: Group) -> frozenset[Person]:
        """Everybody who is effectively in a group; a group of thousands may take some seconds. Raises `DirectoryUnknown`."""
        return self._membership.members(group, time.monotonic() + max(self.config.timeout, LONGEST_LISTING_S))

    def search_people(self, text: str, limit: int = 20) -> list[Person]:
        """The first people whose login, name or address holds a text. Raises `DirectoryUnknown`."""
        value = escape(text)
        named = [*self._login_attributes, self._attributes.get("name", ""), self._attributes.get("mail", "")]
        tests = "".join(f"({name}=*{value}*)" for name in dict.fromkeys(filter(None, named)))
        test = f"(&{self._people_filter}(|{tests}))"
        found = self._servers.first(self.config.people_base, test, self._wanted, limit, self._deadline())
        return [person for person in map(self._person, found) if person]

    def person(self, dn: str) -> Person | None:
        """The person with a DN; None when there is nobody who could sign in. Raises `DirectoryUnknown`."""
        entries = self._servers.search(dn, self._people_filter, self._wanted, self._deadline(), one=True)
        return self._person(entries[0]) if entries else None

    def check(self) -> list[Finding]:
        """Each stage of a sign-in on each server, without anybody's password. Never raises."""
        findings: list[Finding] = []
        for url in self.config.urls:
            try:
                findings.append(
                    Finding(True, "server", {"url": url, **self._servers.certificate(url, self._deadline())})
                )
            except DirectoryUnknown as error:
                findings.append(Finding(False, error.reason, {"url": url, "detail": error.detail}))
        if any(item.ok for item in findings):
            person = f"({self._login_attributes[0]}=*)"
            findings.append(self._counted("people", self.config.people_base, f"(&{self._people_filter}{person})"))
            if self.config.groups_base:
                findings.append(self._counted("groups", self.config.groups_base, "(cn=*)"))
        return findings

    def close(self) -> None:
        """Close the connections nobody is using."""
        self._servers.close()

    def _deadline(self) -> float:
        return time.monotonic() + self.config.timeout

    def _login_filter(self, login: str) -> str:
        value = escape(login)
        tests = "".join(f"({name}={value})" for name in self._login_attributes)
        return f"(|{tests})" if len(self._login_attributes) > 1 else tests

    def _people(self, test: str, deadline: float) -> list[Entry]:
        return self._servers.search(self.config.people_base, f"(&{self._people_filter}{test})", self._wanted, deadline)

    @property
    def _wanted(self) -> list[str]:
        return [self._id_attribute, *self._login_attributes, *filter(None, self._attributes.values())]

    def _with_groups(self, entry: Entry, deadline: float) -> Yes:
        person = self._person(entry)
        if person is None:
            raise DirectoryUnknown("answer", f"an entry has no {self._id_attribute} that the service account may read")
        return Yes(person, self._membership.of(entry["dn"], person.login, deadline))

    def _person(self, entry: Entry) -> Person | None:
        """Who an entry is; None without an id or a login."""

        def first(name: str) -> str:
            values = raw_values(entry, name) if name else []
            return values[0].decode(errors="replace") if values else ""

        identifier = _id_text(self._id_attribute, raw_values(entry, self._id_attribute))
        if not identifier:
            return None
        return Person(
            id=identifier, dn=entry["dn"], login=first(self._login_attributes[0]),
            **{name: first(self._attributes.get(name, "")) for name in
               ("name", "mail", "department", "cost_centre", "manager", "language")},
        )  # fmt: skip

    def _counted(self, code: str, base: str, test: str) -> Finding:
        facts: dict[str, str | int] = {"base": base, "filter": test, "url": "", "detail": ""}
        try:
            count = sum(1 for _entry in self._servers.every(base, test, ["1.1"], self._deadline()))
        except DirectoryUnknown as error:
            reason = f"{code}_base" if error.reason == "answer" else error.reason
            return Finding(False, reason, {**facts, "detail": error.detail})
        return Finding(count > 0, code if count else f"{code}_base", {**facts, "count": count})


def _unusable(login: str, password: str) -> No | None:
    """T8, T10: what must never reach a directory."""
    if not login.strip() or not password:
        return No("empty")
    if len(login) > LONGEST_LOGIN or len(password) > LONGEST_PASSWORD:
        return No("bad_characters", "too long")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in login + password):
        return No("bad_characters")
    return None


def _id_filter(attribute: str, identifier: str) -> str:
    if attribute.lower() == "objectguid":
        return "".join(f"\\{byte:02x}" for byte in uuid.UUID(identifier).bytes_le)
    return escape(identifier)


def _id_text(attribute: str, values: Sequence[bytes]) -> str:
    if not values:
        return ""
    if attribute.lower() == "objectguid" and len(values[0]) == 16:
        return str(uuid.UUID(bytes_le=values[0]))
    return str(values[0], errors="replace").lower()
