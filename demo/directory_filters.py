"""Search filters of the demonstration directory, evaluated as a directory does (RFC 4511, section 4.5.1)."""

from __future__ import annotations

import unicodedata

from demo.directory_requests import Test
from demo.directory_tree import Entry, Tree
from portal.directory.names import normalise

IN_CHAIN = "1.2.840.113556.1.4.1941"
NAMES_OF_ENTRIES = {"member", "manager", "memberof", "uniquemember", "entrydn"}
SECRET = {"userpassword"}


def matches(tree: Tree, entry: Entry, test: Test) -> bool:
    """Whether an entry passes a filter; attributes nobody may read never match."""
    kind = test[0]
    if kind == "and":
        return all(matches(tree, entry, inner) for inner in test[1])
    if kind == "or":
        return any(matches(tree, entry, inner) for inner in test[1])
    if kind == "not":
        return not matches(tree, entry, test[1][0])
    if kind == "extensible" and (test[3], test[1].lower()) == (IN_CHAIN, "member"):
        return entry.key in tree.groups_above(test[2])
    name: str = test[1]
    present = values(tree, entry, name)
    if kind == "present":
        return bool(present)
    if kind == "substrings":
        return any(_holds(fold(value), test[2]) for value in present)
    wanted = comparable(name, test[2])
    found = [comparable(name, value) for value in present]
    if kind == "at_least":
        return any(value >= wanted for value in found)
    if kind == "at_most":
        return any(value <= wanted for value in found)
    return wanted in found and (kind != "extensible" or not test[3])


def values(tree: Tree, entry: Entry, name: str) -> list[str]:
    """An attribute's values, computed ones included; never a password."""
    lower = name.lower()
    if lower in SECRET:
        return []
    if lower == "entrydn":
        return [entry.dn]
    if lower == "memberof":
        return [
            item.dn
            for item in tree.entries()
            if entry.key in {normalise(dn) for dn in item.attributes.get("member", [])}
        ]
    return next((found for key, found in entry.attributes.items() if key.lower() == lower), [])


def comparable(name: str, value: str) -> str:
    """A value as it is compared: DNs decoded, text folded."""
    return normalise(value) if name.lower() in NAMES_OF_ENTRIES else fold(value)


def fold(text: str) -> str:
    """Case, compatibility forms and runs of spaces do not matter (RFC 4518)."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _holds(value: str, pieces: list[tuple[str, str]]) -> bool:
    position = 0
    for kind, text in pieces:
        piece = unicodedata.normalize("NFKC", text).casefold()
        if kind == "final":
            return value.endswith(piece) and len(value) - len(piece) >= position
        found = value.find(piece, position)
        if found < 0 or (kind == "initial" and found != 0):
            return False
        position = found + len(piece)
    return True
