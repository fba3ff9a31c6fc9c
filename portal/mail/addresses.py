"""Who mail is for: an address a server can be told, and the name people read beside it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

LONGEST_ADDRESS, LONGEST_LOCAL_PART = 254, 64
LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
"""RFC 5322, section 3.4.1, dot-atom. Letters beyond ASCII need SMTPUTF8, which few company servers offer."""
DOMAIN = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
SEPARATORS = {"Cc", "Cs", "Zl", "Zp"}


class Unmailable(ValueError):
    """This cannot be made into mail; says which part, never its content."""


@dataclass(frozen=True)
class Recipient:
    """One mailbox. Raises `Unmailable` when made with what no header or server may be given."""

    address: str
    name: str = ""

    def __post_init__(self) -> None:
        # Frozen, yet kept as servers compare it: a domain is written in ASCII on the wire (RFC 5890).
        object.__setattr__(self, "address", checked_address(self.address))
        if not is_one_line(self.name):
            raise Unmailable("the name has a line break or a control character")


def is_one_line(value: str) -> bool:
    """Whether a header may hold it: no line break, no control character, no half of a surrogate pair."""
    return not any(unicodedata.category(character) in SEPARATORS for character in value)


def checked_address(address: str) -> str:
    """An address with its domain in ASCII. Raises `Unmailable`."""
    local, at, domain = address.rpartition("@")
    if not at or not LOCAL_PART.fullmatch(local) or len(local) > LONGEST_LOCAL_PART:
        raise Unmailable("the part of the address before the @ cannot be used")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    if not DOMAIN.fullmatch(domain) or len(local) + len(domain) + 1 > LONGEST_ADDRESS:
        raise Unmailable("the part of the address after the @ cannot be used")
    return f"{local}@{domain}"
