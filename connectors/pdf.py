"""What in a PDF acts by itself (ISO 32000-2, 12.6 and 7.11.4): looked for, never opened.

Names are found wherever they stand, written plainly or with `#` escapes, also within compressed object streams (7.5.7),
which are recognised by what they hold and not by what they say of themselves. What cannot be looked into is `sealed`:
not known to be harmless, and treated as if it were not.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections.abc import Iterator
from itertools import islice

MEANING = {
    "JavaScript": "javascript", "Rendition": "javascript", "XFA": "javascript", "Launch": "launch",
    "EmbeddedFile": "files", "EmbeddedFiles": "files", "GoToE": "files", "RichMedia": "media",
    "RichMediaExecute": "media", "SubmitForm": "sends", "ImportData": "sends", "GoToR": "sends",
}  # fmt: skip
"""What each name makes of a document: it runs, starts a program, holds files, plays, or tells others."""
BUDGET, PIECE, LONGEST_NAME = 64_000_000, 1_000_000, 60
MOST_STREAMS, LONGEST_DICTIONARY = 50_000, 1000
MISLEADING = re.compile(rb"[()%]|obj")
STREAM = re.compile(rb"stream(?:\r\n|\n|\r)")
BEGINS_LIKE_OBJECTS = re.compile(rb"[\x00\t\n\x0c\r ]*(?:%|\d+[\x00\t\n\x0c\r ]+\d)")
END_OF_NAME = rb"(?=[\x00\t\n\x0c\r ()<>\[\]{}/%]|$)"


def _any_of(*names: str) -> re.Pattern[bytes]:
    """Names as one pattern: each letter plain or as `#` and two digits (7.3.5)."""
    written = ("".join(f"(?:{letter}|#(?i:{ord(letter):02x}))" for letter in name) for name in names)
    return re.compile(b"/(" + "|".join(written).encode() + b")" + END_OF_NAME)


ACTING = _any_of(*MEANING)
OBJECT_STREAM, CROSS_REFERENCES, ENCRYPTED = _any_of("ObjStm"), _any_of("XRef"), _any_of("Encrypt")
OTHER_FILTERS = _any_of("ASCIIHexDecode", "ASCII85Decode", "LZWDecode", "RunLengthDecode", "AHx", "A85", "LZW", "RL")


def look(content: mmap.mmap | bytes) -> tuple[str, ...]:
    """What acts by itself in a PDF: `javascript`, `launch`, `files`, `media`, `sends`, `sealed`; empty for almost all."""
    found = set(_acting(content))
    said = [mark.end() for mark in islice(OBJECT_STREAM.finditer(content), MOST_STREAMS)]
    if said or CROSS_REFERENCES.search(content):
        # Only here may objects be out of sight.
        whole = not (ENCRYPTED.search(content) or OTHER_FILTERS.search(content))
        opened, left = set[int](), BUDGET
        starts = [mark.end() for mark in islice(STREAM.finditer(content), MOST_STREAMS)]
        for start in starts:
            means, used, complete = _within(content, start, left)
            found |= means
            left, whole = left - used, whole and complete
            if used:
                opened.add(start)
        if not whole or len(starts) == MOST_STREAMS or any(_begins(content, at) not in opened for at in said):
            found.add("sealed")
    return tuple(sorted(found))


def _begins(content: mmap.mmap | bytes, at: int) -> int:
    """Where the bytes of the object stream begin whose dictionary says so; -1 when it is written to mislead."""
    rest = content[at : at + LONGEST_DICTIONARY]
    mark = STREAM.search(rest)
    # Its dictionary holds names and numbers alone (7.5.7): a text in it could look like another stream's beginning.
    return at + mark.end() if mark and not MISLEADING.search(rest[: mark.start()]) else -1


def _acting(content: mmap.mmap | bytes) -> Iterator[str]:
    for name in ACTING.finditer(content):
        plain = re.sub(rb"#(..)", lambda code: bytes([int(code[1], 16)]), name[1])
        yield MEANING[plain.decode("ascii")]


def _within(content: mmap.mmap | bytes, start: int, left: int) -> tuple[set[str], int, bool]:
    """What acts within one stream of objects, how many bytes it took of the budget, and whether it was seen whole.

    Takes nothing for what is none: pictures and pages are left unread.
    """
    machine, found, used, before = zlib.decompressobj(), set[str](), 0, b""
    if BEGINS_LIKE_OBJECTS.match(content[start : start + 64]):
        # Not compressed: it was seen with the rest.
        return found, 1, True
    try:
        first = machine.decompress(content[start : start + 4096], 64)
        if not BEGINS_LIKE_OBJECTS.match(first):
            return found, 0, True
        machine, at = zlib.decompressobj(), start
        while not machine.eof and used < left and at < len(content):
            piece = content[at : at + PIECE]
            at += len(piece)
            while piece and not machine.eof and used < left:
                text = machine.decompress(piece, PIECE)
                piece, used = machine.unconsumed_tail, used + len(text)
                found |= set(_acting(before + text))
                before = text[-LONGEST_NAME:]
    except zlib.error:
        return found, used, not used
    return found, used, machine.eof
