"""A search and its answers as bytes (RFC 4511, 4.5; filters of RFC 4515; pages of RFC 2696).

ldap3 spends a millisecond of processor time to write one search, several times what the directory needs to answer
it, and a quarter of one for each entry it reads; a sign-in asks several and a group has thousands. Connecting, TLS
and binds are ldap3's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

ENTRY, CHILDREN, SUBTREE = 0, 1, 2
"""How far below its base a search looks."""
RESULT_ENTRY, RESULT_DONE, RESULT_REFERENCE, EXTENDED = 0x64, 0x65, 0x73, 0x78
PAGING = b"1.2.840.113556.1.4.319"
LARGEST = 1 << 28
LISTS = {"&": 0xA0, "|": 0xA1, "!": 0xA2}
COMPARISONS = {"=": 0xA3, ">=": 0xA5, "<=": 0xA6, "~=": 0xA8}
ITEM = re.compile(r"([A-Za-z0-9.;-]+)(=|>=|<=|~=)([^()]*)")
EXTENSIBLE = re.compile(r"([A-Za-z0-9.;-]*)((?i::dn)?)(?::([A-Za-z0-9.-]+))?:=([^()]*)")
DEEPEST = 50


class NotAFilter(ValueError):
    """A text that is no search filter."""


class Malformed(ValueError):
    """Bytes that are no LDAP message."""


@dataclass(frozen=True)
class Entry:
    """One entry: its DN as written, and its attributes by their names in lower case."""

    dn: str
    attributes: dict[str, list[bytes]] = field(default_factory=dict)


class Result(NamedTuple):
    """How an operation ended: LDAP's result code, the server's words, and where the next page begins."""

    code: int
    message: str
    cookie: bytes


def search_request(
    number: int, base: str, scope: int, test: str, attributes: list[str], page: int = 0, cookie: bytes = b""
) -> bytes:
    """A whole message; T6: aliases are never followed. Raises `NotAFilter`."""
    body = _string(base.encode()) + bytes((10, 1, scope, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0))
    body += filter_bytes(test) + _tlv(0x30, b"".join(_string(name.encode()) for name in attributes))
    message = _integer(number) + _tlv(0x63, body)
    if page:
        value = _tlv(0x30, _integer(page) + _string(cookie))
        message += _tlv(0xA0, _tlv(0x30, _string(PAGING) + _string(value)))
    return _tlv(0x30, message)


def filter_bytes(text: str) -> bytes:
    """A filter as it travels. Raises `NotAFilter`."""
    content, end = _filter(text.strip(), 0, 0)
    if end != len(text.strip()):
        raise NotAFilter(text)
    return content


def message_length(content: bytes | bytearray) -> int:
    """How long the message at the beginning of some bytes is; 0 when too few are there to tell. Raises `Malformed`."""
    if len(content) < 2:
        return 0
    if content[0] != 0x30:
        raise Malformed("not an LDAP message")
    length, head = content[1], 2
    if length & 0x80:
        head += length & 0x7F
        if not 3 <= head <= 6:
            raise Malformed("length of a length")
        if len(content) < head:
            return 0
        length = int.from_bytes(content[2:head], "big")
    if length > LARGEST:
        raise Malformed("message too large")
    return head + length


def read_message(message: bytes) -> tuple[int, int, Entry | Result | None]:
    """A message's number, its kind, and what it says: an entry, or how the search ended. Raises `Malformed`."""
    try:
        parts = [
            (tag, start, stop)
            for _t, begin, end in _parts(message, 0, len(message))
            for tag, start, stop in _parts(message, begin, end)
        ]
        number, (kind, start, stop) = int.from_bytes(message[parts[0][1] : parts[0][2]], "big"), parts[1]
        if kind == RESULT_ENTRY:
            return number, kind, _entry(message, start, stop)
        if kind == RESULT_DONE:
            return number, kind, _result(message, start, stop, parts[2:])
    except (IndexError, ValueError) as error:
        raise Malformed(str(error)) from error
    return number, kind, None


def _entry(message: bytes, start: int, stop: int) -> Entry:
    (_n, first, after), (_a, begin, end) = _parts(message, start, stop)
    attributes = {}
    for _tag, inner, outer in _parts(message, begin, end):
        (_t, name_at, name_end), (_s, values_at, values_end) = _parts(message, inner, outer)
        values = [message[at:until] for _v, at, until in _parts(message, values_at, values_end)]
        attributes[message[name_at:name_end].decode().lower()] = values
    return Entry(message[first:after].decode(errors="replace"), attributes)


def _result(message: bytes, start: int, stop: int, controls: list[tuple[int, int, int]]) -> Result:
    (_c, code, code_end), _matched, (_w, words, words_end), *_referral = _parts(message, start, stop)
    cookie = b""
    for tag, begin, end in controls:
        for _tag, at, until in _parts(message, begin, end) if tag == 0xA0 else ():
            (_o, oid, oid_end), *rest = _parts(message, at, until)
            if message[oid:oid_end] == PAGING and rest:
                value = message[rest[-1][1] : rest[-1][2]]
                [(_q, inside, outside)] = _parts(value, 0, len(value))
                _size, (_k, cookie_at, cookie_end) = _parts(value, inside, outside)
                cookie = value[cookie_at:cookie_end]
    text = message[words:words_end].decode(errors="replace")
    return Result(int.from_bytes(message[code:code_end], "big"), text, cookie)


def _parts(content: bytes, position: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """The elements between two places: tag, where the content begins, where it ends."""
    while position < stop:
        tag, length = content[position], content[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(content[position : position + count], "big")
            position += count
        if position + length > stop:
            raise Malformed("longer than what it stands in")
        yield tag, position, position + length
        position += length


def _filter(text: str, at: int, depth: int) -> tuple[bytes, int]:
    if depth > DEEPEST or text[at : at + 1] != "(":
        raise NotAFilter(text)
    sign = text[at + 1 : at + 2]
    if sign not in LISTS or not sign:
        end = text.find(")", at)
        if end < 0:
            raise NotAFilter(text)
        return _item(text[at + 1 : end]), end + 1
    parts, at = [], _skip(text, at + 2)
    while text[at : at + 1] == "(":
        part, at = _filter(text, at, depth + 1)
        parts.append(part)
        at = _skip(text, at)
    if text[at : at + 1] != ")" or (sign == "!" and len(parts) != 1):
        raise NotAFilter(text)
    return _tlv(LISTS[sign], b"".join(parts)), at + 1


def _skip(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _item(text: str) -> bytes:
    plain = ITEM.fullmatch(text)
    if plain is None:
        return _extensible(text)
    name, sign, value = plain[1].encode(), plain[2], plain[3]
    if sign != "=" or "*" not in value:
        return _tlv(COMPARISONS[sign], _string(name) + _string(_unescaped(value)))
    if value == "*":
        return _tlv(0x87, name)
    first, *middle, last = value.split("*")
    pieces = [(0x80, first), *((0x81, piece) for piece in middle), (0x82, last)]
    content = b"".join(_tlv(tag, _unescaped(piece)) for tag, piece in pieces if piece)
    return _tlv(0xA4, _string(name) + _tlv(0x30, content))


def _extensible(text: str) -> bytes:
    found = EXTENSIBLE.fullmatch(text)
    if found is None or not (found[1] or found[3]):
        raise NotAFilter(text)
    content = _tlv(0x81, found[3].encode()) if found[3] else b""
    content += _tlv(0x82, found[1].encode()) if found[1] else b""
    content += _tlv(0x83, _unescaped(found[4]))
    return _tlv(0xA9, content + (b"\x84\x01\xff" if found[2] else b""))


def _unescaped(value: str) -> bytes:
    first, *rest = value.split("\\")
    content = bytearray(first.encode())
    for part in rest:
        if not re.match(r"[0-9A-Fa-f]{2}", part):
            raise NotAFilter(value)
        content.append(int(part[:2], 16))
        content += part[2:].encode()
    return bytes(content)


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def _string(content: bytes) -> bytes:
    return _tlv(0x04, content)


def _integer(number: int) -> bytes:
    return _tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))
