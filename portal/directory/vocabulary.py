"""What the directory of one site calls things, and how its entries are read as people and groups."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial

from portal.directory.answers import Group, Person
from portal.directory.config import DirectoryConfig
from portal.directory.ldap import escape, raw_values
from portal.directory.messages import Entry
from portal.directory.presets import PRESETS
from portal.directory.standing import STANDING_ATTRIBUTES, barred

PERSON_FACTS = ("name", "mail", "department", "cost_centre", "manager", "language")


class Vocabulary:
    """A preset with what `portal.toml` replaces in it."""

    def __init__(self, config: DirectoryConfig) -> None:
        preset = PRESETS[config.preset]
        self.preset, self.id_attribute = preset, preset.id_attribute
        self.login_attributes = tuple(config.login_attributes) or preset.login_attributes
        self.people_filter = config.people_filter or preset.people_filter
        self.groups_filter = config.groups_filter or preset.groups_filter
        self.attributes = {**preset.attributes, **config.attributes}
        ties = ["objectSid", "primaryGroupID"] if preset.security_ids else ["gidNumber"]
        self.group_attributes = ["cn", self.id_attribute, "memberOf", *ties]
        named = filter(None, self.attributes.values())
        self.listing_attributes = [
            self.id_attribute, *self.login_attributes, self.attributes.get("name") or "cn", *STANDING_ATTRIBUTES,
        ]  # fmt: skip
        self.person_attributes = list(dict.fromkeys([
            self.id_attribute, *self.login_attributes, *named, *STANDING_ATTRIBUTES, "memberOf", *ties,
        ]))  # fmt: skip

    def login_test(self, login: str) -> str:
        """The filter that finds a login."""
        value = escape(login)
        tests = "".join(f"({name}={value})" for name in self.login_attributes)
        return f"(|{tests})" if len(self.login_attributes) > 1 else tests

    def id_test(self, identifier: str) -> str:
        """The filter that finds a stable id; "" for what no entry can have."""
        if self.id_attribute.lower() != "objectguid":
            return f"({self.id_attribute}={escape(identifier)})"
        try:
            return f"({self.id_attribute}={hexadecimal(uuid.UUID(identifier).bytes_le)})"
        except ValueError:
            return ""

    def people_test(self, test: str) -> str:
        """A filter for people who may sign in."""
        return f"(&{self.people_filter}{test})"

    def person(self, entry: Entry) -> Person | None:
        """Who an entry is; None without an id that may be read."""
        identifier = self._id_of(entry)
        if not identifier:
            return None

        def first(name: str) -> str:
            return next(iter(texts(entry, name)), "") if name else ""

        login = next((value for name in self.login_attributes for value in texts(entry, name)), "")
        facts = {fact: first(self.attributes.get(fact, "")) for fact in PERSON_FACTS}
        return Person(id=identifier, dn=entry.dn, login=login, **facts)

    def logins(self, entry: Entry) -> list[str]:
        """Every login an entry answers to under its first attribute."""
        return texts(entry, self.login_attributes[0])

    def barred(self, entry: Entry) -> str:
        """Why the person may not come in whatever his password; "" for nothing."""
        return barred(partial(raw_values, entry))

    def employee(self, entry: Entry) -> Person | None:
        """Who an entry is; None for nobody, and for somebody who could not come in."""
        person = None if self.barred(entry) else self.person(entry)
        return person if person and person.login else None

    def group(self, entry: Entry) -> Group:
        """The group an entry is."""
        return Group(entry.dn, self._id_of(entry), next(iter(texts(entry, "cn")), ""))

    def _id_of(self, entry: Entry) -> str:
        return _id_text(self.id_attribute, raw_values(entry, self.id_attribute))


def texts(entry: Entry, name: str) -> list[str]:
    """An attribute's values as text."""
    return [value.decode(errors="replace") for value in raw_values(entry, name)]


def hexadecimal(value: bytes) -> str:
    """Bytes for a filter (T16: a SID as it is compared)."""
    return "".join(f"\\{byte:02x}" for byte in value)


def _id_text(attribute: str, values: Sequence[bytes]) -> str:
    if not values:
        return ""
    if attribute.lower() == "objectguid" and len(values[0]) == 16:
        return str(uuid.UUID(bytes_le=values[0]))
    return str(values[0], errors="replace").lower()
