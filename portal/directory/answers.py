"""What the directory can answer: yes, no, or unknown; and unknown never grants and never deactivates."""

from __future__ import annotations

from dataclasses import dataclass, field


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
class Yes:
    """The directory knows this person; `groups` are the DNs of the effective membership, nested."""

    person: Person
    groups: tuple[str, ...]


@dataclass(frozen=True)
class No:
    """The directory surely answered no.

    `reason` is for the administrator's log, never for the visitor: `unknown_person`,
    `wrong_password`, `ambiguous`, `empty`, `bad_characters`, `gone` or `refused`.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Unknown:
    """Nobody can say.

    `reason` is `unreachable`, `timeout`, `tls`, `start_tls`, `service_account`, `size_limit`,
    `configuration` or `answer`; `detail` is for the administrator's log.
    """

    reason: str
    detail: str = ""


Answer = Yes | No | Unknown


@dataclass(frozen=True)
class Finding:
    """One stage of the directory's self-check: its code, whether it is well, and the facts for its sentence."""

    ok: bool
    code: str
    params: dict[str, str | int] = field(default_factory=dict)
