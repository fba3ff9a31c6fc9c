"""What can be wrong in the configuration, where it stands there, and in which words it is said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SENTENCES = {
    "unknown_key": "this key does not exist",
    "unknown_variable": "this variable is not a setting; names are PORTAL_SECTION__KEY",
    "missing": "this key is missing",
    "unreadable": "it cannot be read: %(detail)s",
    "not_toml": "it is not TOML: %(detail)s",
    "literal_error": "it must be %(expected)s",
    "int": "it must be a whole number",
    "float": "it must be a number",
    "bool": "it must be true or false",
    "string": "it must be text",
    "list": "it must be a list",
    "dict": "it must be a table",
    "too_short": "it must not be empty",
    "greater_than": "it must be greater than %(gt)s",
    "greater_than_equal": "it must be at least %(ge)s",
    "less_than_equal": "it must be at most %(le)s",
    "url": "it must be an address like https://name.example",
    "ldap_url": "each address is written like ldaps://ldap1.example, or ldap://ldap1.example:389 with start_tls",
    "http_url": "it must be an address like https://name.example",
    "time_zone": "there is no such time zone; write it like Europe/Paris",
    "storage": 'deliveries are kept in a folder in this version: write "file:deliveries"',
    "line": 'write the company line in international form, like "+33123456789"',
    "sftp_url": "write it like sftp://user@sftp.operator.example:22/folder, without a password",
    "one_place": "files go to one place: give usage_folder or usage_sftp, not both",
    "host_key": 'write the server\'s public key as the operator confirms it, like "ssh-ed25519 AAAA…"; without it no server is spoken to',
    "account": "write the customer number of the contract: letters, digits and + . _ / - only",
    "mail_host": "write the mail server's name alone, like smtp.acme.example; its port has a key of its own",
    "mail_security": 'mail leaves this machine encrypted only: write "starttls" or "tls"',
    "mail_sender": "write the address that mail comes from, like guichet@acme.example",
    "amount": 'it must be an amount of money, like "200.00"',
    "profile": "there is no operator of this name; there are: %(known)s",
    "database_url": "it must name a database, like sqlite:///portal.db: %(detail)s",
    "other": "%(detail)s",
}
"""What can be wrong, in words that `commands` puts into the terminal's language."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong in the configuration: where it stands, and which of `SENTENCES`, with its facts."""

    where: str
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """What is wrong, in English."""
        return SENTENCES[self.code] % self.facts


class SettingsError(Exception):
    """The configuration cannot be used; `faults` has one entry for each thing to mend."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.where}: {fault.what}" for fault in faults))
        self.faults = faults


def fault_of(item: Any, file: str, text: str, environ: Mapping[str, str]) -> Fault:
    """What pydantic found, with the place where it stands in the file or the environment."""
    keys = tuple(str(part) for part in item["loc"])
    variable = "PORTAL_" + "__".join(keys).upper()
    where = variable if variable in environ else place(keys, file, text)
    kind = "unknown_key" if item["type"] == "extra_forbidden" else item["type"]
    if kind not in SENTENCES:
        # pydantic tells ways to fail apart (int_type, int_parsing, url_scheme …) that need one sentence here.
        kind = next(
            (name for name in ("int", "float", "bool", "string", "list", "dict", "url") if name in kind), "other"
        )
    return Fault(where, kind, {**item.get("ctx", {}), "detail": item["msg"]})


def place(keys: tuple[str, ...], file: str, text: str) -> str:
    """`portal.toml, line 12, [directory] urls`: TOML readers keep no lines, so the text is searched."""
    for depth in range(len(keys), 0, -1):
        line = _line_of(keys[:depth], text)
        if line:
            name = f"[{'.'.join(keys[:-1])}] {keys[-1]}" if len(keys) > 1 else f"[{keys[0]}]"
            return f"{file}, line {line}, {name}"
    return f"{file}, [{'.'.join(keys[:-1])}] {keys[-1]}" if len(keys) > 1 else f"{file}, [{keys[0]}]"


def _line_of(keys: tuple[str, ...], text: str) -> int | None:
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            if table == keys:
                return number
        elif assignment := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            key = tuple(part.strip("\"'") for part in assignment[1].split("."))
            if table + key == keys or (table + key == keys[:-1] and re.search(rf"\b{re.escape(keys[-1])}\b", line)):
                return number
    return None
