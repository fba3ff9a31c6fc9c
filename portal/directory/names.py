"""Distinguished names compared as a directory compares them (RFC 4514, RFC 4518)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

ATTRIBUTE_NAMES = {
    "2.5.4.3": "cn", "commonname": "cn", "2.5.4.11": "ou", "organizationalunitname": "ou", "2.5.4.10": "o",
    "organizationname": "o", "2.5.4.6": "c", "countryname": "c", "0.9.2342.19200300.100.1.25": "dc",
    "domaincomponent": "dc", "0.9.2342.19200300.100.1.1": "uid", "userid": "uid",
}  # fmt: skip
PLAIN = re.compile(r"(?:(?:uid|cn|ou|dc|o|c)=[a-z0-9._@-]+(?: [a-z0-9._@-]+)*(?:,|$))+")


@lru_cache(maxsize=20_000)
def normalise(dn: str) -> str:
    """One spelling for every way to write the same name: escapes, case, spaces, accents, order within an RDN."""
    lower = dn.lower()
    # Nearly every name is plain, and a group may have 50,000 of them.
    if PLAIN.fullmatch(lower) and lower[-1] != ",":
        return lower
    return ",".join(_relative(part) for part in _split(dn, ",;"))


def first_part(dn: str) -> tuple[str, str]:
    """The attribute and the value that name an entry among its neighbours; ("", "") when there are several."""
    pairs = _split(_split(dn, ",;")[0], "+")
    name, _, value = pairs[0].partition("=")
    name = name.strip().lower().removeprefix("oid.")
    return (ATTRIBUTE_NAMES.get(name, name), _decode(value)) if len(pairs) == 1 else ("", "")


def _split(text: str, separators: str) -> list[str]:
    parts, start, escaped, quoted = [], 0, False, False
    for position, letter in enumerate(text):
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter in separators and not quoted:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def _relative(rdn: str) -> str:
    pairs = []
    for pair in _split(rdn, "+"):
        name, _, value = pair.partition("=")
        name = name.strip().lower().removeprefix("oid.")
        pairs.append(f"{ATTRIBUTE_NAMES.get(name, name)}={_value(value)}")
    return "+".join(sorted(pairs))


def _value(text: str) -> str:
    decoded = _decode(text)
    folded = unicodedata.normalize("NFKC", decoded).casefold()
    plain = " ".join(folded.split())
    return re.sub(r'([\\,+"<>;=#])', lambda found: f"\\{ord(found[1]):02x}", plain)


def _decode(text: str) -> str:
    text = text.strip(" ") if not text.rstrip(" ").endswith("\\") else text.lstrip(" ")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    content, position = bytearray(), 0
    while position < len(text):
        if text[position] != "\\" or position + 1 == len(text):
            content += text[position].encode()
            position += 1
        elif re.fullmatch(r"[0-9A-Fa-f]{2}", text[position + 1 : position + 3]):
            content.append(int(text[position + 1 : position + 3], 16))
            position += 3
        else:
            content += text[position + 1].encode()
            position += 2
    return content.decode(errors="replace")
