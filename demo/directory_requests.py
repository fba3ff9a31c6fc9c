"""Search requests read from the wire (RFC 4511, section 4.5.1).

ldap3's ASN.1 types write these requests well but cannot read a nested filter back: its `Filter` is
recursive, and the inner types are made before the recursion is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SEARCH_REQUEST, CONTROLS = 0x63, 0xA0
COMBINING = {0xA0: "and", 0xA1: "or", 0xA2: "not"}
COMPARING = {0xA3: "equal", 0xA5: "at_least", 0xA6: "at_most", 0xA8: "approximate"}
SUBSTRINGS, PRESENT, EXTENSIBLE = 0xA4, 0x87, 0xA9
PIECES = {0x80: "initial", 0x81: "any", 0x82: "final"}
DEEPEST = 20


class Malformed(ValueError):
    """Bytes that are no search request."""


Test = tuple[Any, ...]
"""A filter: `("and", [tests])`, `("equal", name, value)`, `("substrings", name, [(kind, text)])`, …"""


@dataclass(frozen=True)
class Control:
    """One control of a message."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True)
class Search:
    """One search request."""

    number: int
    base: str
    scope: int
    size_limit: int
    test: Test
    attributes: list[str]
    controls: list[Control]


def operation_of(message: bytes) -> int:
    """The tag of a message's operation. Raises `Malformed`."""
    parts = list(elements(next(elements(message))[1]))
    if len(parts) < 2:
        raise Malformed("no operation")
    return parts[1][0]


def read_search(message: bytes) -> Search:
    """Decode a whole message that holds a search. Raises `Malformed`."""
    parts = list(elements(next(elements(message))[1]))
    fields = list(elements(parts[1][1]))
    if len(fields) != 8:
        raise Malformed("a search has eight fields")
    base, scope, _deref, size, _time, _types, test, attributes = fields
    controls = (
        [_control(content) for _tag, content in elements(parts[2][1])]
        if len(parts) > 2 and parts[2][0] == CONTROLS
        else []
    )
    return Search(
        number=int.from_bytes(parts[0][1], "big"), base=_text(base[1]), scope=int.from_bytes(scope[1], "big"),
        size_limit=int.from_bytes(size[1], "big"), test=read_filter(*test),
        attributes=[_text(content) for _tag, content in elements(attributes[1])], controls=controls,
    )  # fmt: skip


def read_filter(tag: int, content: bytes, depth: int = 0) -> Test:
    """A filter as nested tuples. Raises `Malformed`."""
    if depth > DEEPEST:
        raise Malformed("a filter nested too deeply")
    if tag in COMBINING:
        return COMBINING[tag], [read_filter(inner, part, depth + 1) for inner, part in elements(content)]
    if tag == PRESENT:
        return "present", _text(content)
    parts = list(elements(content))
    if tag in COMPARING and len(parts) == 2:
        return COMPARING[tag], _text(parts[0][1]), _text(parts[1][1])
    if tag == SUBSTRINGS and len(parts) == 2:
        pieces = [(PIECES.get(kind, "any"), _text(piece)) for kind, piece in elements(parts[1][1])]
        return "substrings", _text(parts[0][1]), pieces
    if tag == EXTENSIBLE:
        named = {kind: _text(part) for kind, part in parts}
        return "extensible", named.get(0x82, ""), named.get(0x83, ""), named.get(0x81, "")
    raise Malformed(f"filter tag {tag:#x}")


def elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a BER string, one after another. Raises `Malformed`."""
    position = 0
    while position < len(content):
        if position + 2 > len(content):
            raise Malformed("cut short")
        tag, length = content[position], content[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(content[position : position + count], "big")
            position += count
        if not length <= len(content) - position:
            raise Malformed("longer than its message")
        yield tag, content[position : position + length]
        position += length


def _control(content: bytes) -> Control:
    parts = list(elements(content))
    critical = any(tag == 0x01 and part != b"\x00" for tag, part in parts[1:])
    value = next((part for tag, part in parts[1:] if tag == 0x04), b"")
    return Control(_text(parts[0][1]), critical, value)


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
