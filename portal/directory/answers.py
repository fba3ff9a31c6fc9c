"""What the directory can answer: yes, no, or unknown; and unknown never grants and never deactivates."""

from __future__ import annotations

from dataclasses import dataclass, field

from portal.directory.names import normalise


@dataclass(frozen=True)
class Person:
    """One person of the directory. `id` is the stable identifier (entryUUID, objectGUID), never the DN.

    Attributes the entry does not have are "".
    """

    id: str
    dn: str
    login: str
    name: str = ""
    mail: str = ""
    department: str = ""
    cost_centre: str = ""
    manager: str = ""
    language: str = ""


@dataclass(frozen=True)
class Group:
    """One group. `id` is the stable identifier (entryUUID, objectGUID); "" where the directory gives none."""

    dn: str
    id: str = ""
    name: str = ""

    @property
    def key(self) -> str:
        """What a rule keeps of its group: the id where there is one, so that a rename changes nothing."""
        return f"id:{self.id}" if self.id else normalise(self.dn)

    @property
    def keys(self) -> frozenset[str]:
        """Every key by which a rule may name this group."""
        return frozenset({self.key, normalise(self.dn)})

    def as_dict(self) -> dict[str, str]:
        """The group as an account remembers it."""
        return {"dn": self.dn, "id": self.id, "name": self.name}


@dataclass(frozen=True)
class Yes:
    """The directory knows this person; `groups` is the effective membership, nested, by DN."""

    person: Person
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class No:
    """The directory surely answered no.

    `reason` is for the administrator's log, never for the visitor: `unknown_person`, `wrong_password`,
    `ambiguous`, `empty`, `bad_characters`, `gone`, `disabled`, `expired` (the account), `locked` (too many wrong
    passwords), `password_expired`, `must_change` (a password to change first) or `refused`.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Unknown:
    """Nobody can say.

    `reason` is `unreachable`, `timeout`, `tls`, `ca_file`, `start_tls`, `service_account`, `size_limit`,
    `base` (no such place in the directory), `configuration` or `answer`; `detail` is for the administrator's log.
    """

    reason: str
    detail: str = ""


Answer = Yes | No | Unknown


@dataclass(frozen=True)
class Finding:
    """One thing the directory's diagnosis found: its code, whether it is well, and the facts for its sentence.

    `stage` is `connect`, `certificate`, `bind`, `people`, `groups`, `login` or `membership`.
    """

    ok: bool
    stage: str
    code: str
    params: dict[str, str | int] = field(default_factory=dict)
