"""How the directory is reached, and how it says that it cannot answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class DirectoryUnknown(Exception):
    """The directory could not answer; `reason` is as in `Unknown`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class DirectoryConfig:
    """The `[directory]` section; empty values come from the preset. `timeout` (seconds) is the budget of one question."""

    urls: Sequence[str]
    preset: str = "openldap"
    start_tls: bool = False
    ca_file: str = ""
    bind_dn: str = ""
    bind_password: str = ""
    people_base: str = ""
    login_attributes: Sequence[str] = ()
    people_filter: str = ""
    groups_base: str = ""
    groups_filter: str = ""
    nested: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 5
