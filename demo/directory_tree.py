"""The demonstration directory's entries: people, groups, nested membership; changed live by the demo's page."""

from __future__ import annotations

import hashlib
import secrets
import threading
import uuid
from dataclasses import dataclass

from portal.directory.names import normalise

BASE = "dc=acme,dc=example"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
SERVICES = f"ou=services,{BASE}"
NAMESPACE = uuid.UUID("6f2b2d5e-2c1a-4a51-9a37-0d6f2f6f5a11")

Attributes = dict[str, list[str]]


@dataclass(frozen=True)
class Member:
    """A person or group as the demo's page shows it."""

    dn: str
    name: str
    login: str = ""
    description: str = ""
    members: tuple[str, ...] = ()


class Entry:
    """One entry: its DN as written, its attributes, and the hash of its password if it has one."""

    def __init__(self, dn: str, attributes: Attributes, password: str = "") -> None:
        self.dn, self.key = dn, normalise(dn)
        self.attributes = attributes
        attributes.setdefault("entryUUID", [str(uuid.uuid5(NAMESPACE, self.key))])
        self._salt = secrets.token_bytes(16)
        self._hash = self._digest(password) if password else b""

    def _digest(self, password: str) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", password.encode(), self._salt, 2_000)

    def accepts(self, password: bytes) -> bool:
        """Whether this is the entry's password."""
        tried = hashlib.pbkdf2_hmac("sha256", password, self._salt, 2_000)
        return bool(self._hash) and secrets.compare_digest(tried, self._hash)


class Tree:
    """All entries; safe to use from several threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self.readers: set[str] = set()
        for dn, kind in (
            (BASE, "dcObject"),
            (PEOPLE, "organizationalUnit"),
            (GROUPS, "organizationalUnit"),
            (SERVICES, "organizationalUnit"),
        ):
            name, value = dn.split(",")[0].split("=")
            self._add(Entry(dn, {"objectClass": ["top", kind], name: [value]}))

    def _add(self, entry: Entry) -> None:
        with self.lock:
            self._entries[entry.key] = entry

    def add_service(self, name: str, password: str) -> str:
        """An account that may read everything but passwords; returns its DN."""
        dn = f"cn={name},{SERVICES}"
        self._add(Entry(dn, {"objectClass": ["top", "person"], "cn": [name], "sn": [name]}, password))
        self.readers.add(normalise(dn))
        return dn

    def add_person(self, login: str, password: str, attributes: Attributes) -> None:
        """A person; `attributes` holds at least `cn` and `sn`."""
        content = {
            "objectClass": ["top", "person", "organizationalPerson", "inetOrgPerson"],
            "uid": [login],
            **attributes,
        }
        self._add(Entry(f"uid={login},{PEOPLE}", content, password))

    def remove_person(self, login: str) -> None:
        """A person leaves; his memberships go with him."""
        key = normalise(f"uid={login},{PEOPLE}")
        with self.lock:
            self._entries.pop(key, None)
            for entry in self._entries.values():
                if "member" in entry.attributes:
                    entry.attributes["member"] = [dn for dn in entry.attributes["member"] if normalise(dn) != key]

    def add_group(self, rdn_value: str, description: str, members: list[str]) -> str:
        """A group of people and groups (DNs); `rdn_value` is escaped as RFC 4514 wants; returns its DN."""
        dn = f"cn={rdn_value},{GROUPS}"
        name = rdn_value.replace("\\", "")
        self._add(
            Entry(
                dn,
                {"objectClass": ["top", "groupOfNames"], "cn": [name], "description": [description], "member": members},
            )
        )
        return dn

    def remove_group(self, name: str) -> None:
        """A group is deleted; who held it as a member still names it, as real directories do without referential integrity."""
        with self.lock:
            self._entries.pop(self._group(name).key)

    def add_member(self, group: str, login: str) -> None:
        """Put a person into a group (by name)."""
        dn = f"uid={login},{PEOPLE}"
        with self.lock:
            members = self._group(group).attributes["member"]
            if normalise(dn) in self._entries and normalise(dn) not in {normalise(member) for member in members}:
                members.append(dn)

    def remove_member(self, group: str, member: str) -> None:
        """Take a person (login) or a nested group (name) out of a group."""
        gone = {normalise(f"uid={member},{PEOPLE}"), normalise(f"cn={member},{GROUPS}")}
        with self.lock:
            entry = self._group(group)
            entry.attributes["member"] = [dn for dn in entry.attributes["member"] if normalise(dn) not in gone]

    def _group(self, name: str) -> Entry:
        return next(
            entry for entry in self._entries.values() if "member" in entry.attributes and name in entry.attributes["cn"]
        )

    def entries(self) -> list[Entry]:
        """Every entry, in the order it was added."""
        with self.lock:
            return list(self._entries.values())

    def get(self, dn: str) -> Entry | None:
        """The entry with a DN, however it is written."""
        with self.lock:
            return self._entries.get(normalise(dn))

    def people(self) -> list[Member]:
        """Everybody, for the demo's page."""
        return [
            Member(item.dn, item.attributes["cn"][0], item.attributes["uid"][0])
            for item in self.entries()
            if "uid" in item.attributes
        ]

    def groups(self) -> list[Member]:
        """Every group with the logins and group names in it, for the demo's page."""
        shown = []
        for item in self.entries():
            if "member" in item.attributes:
                found = [self.get(dn) for dn in item.attributes["member"]]
                names = tuple((entry.attributes.get("uid") or entry.attributes["cn"])[0] for entry in found if entry)
                shown.append(
                    Member(
                        item.dn, item.attributes["cn"][0], description=item.attributes["description"][0], members=names
                    )
                )
        return shown

    def groups_above(self, dn: str) -> set[str]:
        """Keys of every group that holds an entry, directly or through other groups; cycles end."""
        found: set[str] = set()
        wanted = {normalise(dn)}
        while wanted:
            direct = {
                item.key for item in self.entries()
                if any(normalise(member) in wanted for member in item.attributes.get("member", []))
            }  # fmt: skip
            wanted = direct - found
            found |= direct
        return found
