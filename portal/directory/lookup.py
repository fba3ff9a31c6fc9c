"""What the portal asks the directory: who signs in, who is this, in which groups, and is all well.

Every answer is yes, no or unknown; one question costs at most the configured time budget over all servers.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from portal.directory.answers import Answer, Finding, No, Person, Unknown, Yes
from portal.directory.config import DirectoryConfig, DirectoryUnknown
from portal.directory.ldap import Entry, LdapServers, escape
from portal.directory.names import normalise
from portal.directory.presets import PRESETS

LONGEST_LOGIN, LONGEST_PASSWORD = 256, 1024
NAMES_AT_ONCE = 50


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

    def find_group(self, name_or_dn: str) -> list[str]:
        """DNs of the groups with a name, or the group with a DN. Raises `DirectoryUnknown`."""
        deadline = self._deadline()
        if "=" in name_or_dn:
            entries = self._servers.search(name_or_dn, "(objectClass=*)", ["1.1"], deadline, one=True)
        else:
            entries = self._servers.search(self.config.groups_base, f"(cn={escape(name_or_dn)})", ["1.1"], deadline)
        return [entry["dn"] for entry in entries]

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
        wanted = [self._id_attribute, *self._login_attributes, *filter(None, self._attributes.values())]
        return self._servers.search(self.config.people_base, f"(&{self._people_filter}{test})", wanted, deadline)

    def _with_groups(self, entry: Entry, deadline: float) -> Yes:
        raw = {name.lower(): values for name, values in entry["raw_attributes"].items()}

        def first(name: str) -> str:
            values = raw.get(name.lower()) if name else None
            return values[0].decode(errors="replace") if values else ""

        identifier = _id_text(self._id_attribute, raw.get(self._id_attribute.lower()) or [])
        if not identifier:
            raise DirectoryUnknown("answer", f"an entry has no {self._id_attribute} that the service account may read")
        login = first(self._login_attributes[0])
        person = Person(
            id=identifier, dn=entry["dn"], login=login,
            **{name: first(self._attributes.get(name, "")) for name in
               ("name", "mail", "department", "cost_centre", "manager", "language")},
        )  # fmt: skip
        return Yes(person, self._groups_of(entry["dn"], login, deadline))

    def _groups_of(self, dn: str, login: str, deadline: float) -> tuple[str, ...]:
        """The effective membership, level by level, each group visited once (so cycles end)."""
        if not self.config.groups_base:
            return ()
        tests = [_member_tests([dn]) + (f"(memberUid={escape(login)})" if login else "")]
        seen: dict[str, str] = {}
        while tests:
            test = tests.pop()
            entries = self._servers.search(self.config.groups_base, f"(|{test})", ["1.1"], deadline)
            new = [entry["dn"] for entry in entries if normalise(entry["dn"]) not in seen]
            seen.update((normalise(name), name) for name in new)
            if self.config.nested:
                tests += [_member_tests(new[at : at + NAMES_AT_ONCE]) for at in range(0, len(new), NAMES_AT_ONCE)]
        return tuple(sorted(seen.values()))

    def _counted(self, code: str, base: str, test: str) -> Finding:
        facts: dict[str, str | int] = {"base": base, "filter": test, "url": "", "detail": ""}
        try:
            count = self._servers.count(base, test, self._deadline())
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


def _member_tests(names: Sequence[str]) -> str:
    escaped = [escape(name) for name in names]
    return "".join(f"(member={name})(uniqueMember={name})" for name in escaped)


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
