"""How many characters DeepL may bill for a document: what can be counted here, a margin, and DeepL's own minimum."""

from __future__ import annotations

import html
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from connectors.documents import DOCX
from connectors.files import PDF, TEXT

MINIMUM = {DOCX: 50_000, PDF: 50_000, TEXT: 0}
"""Characters billed for any document of a kind (DeepL, "Translate documents"): https://developers.deepl.com/docs/api-reference/document."""
STEP = 10_000
"""Our price goes up by so many characters: DeepL's count of a document differs from ours by less, mostly."""
MARGIN_PERCENT = 10
MOST_TEXT = 50_000_000
"""Bytes of text in one document; what unpacks into more is no document."""
STORIES = re.compile(r"word/(document|header\d*|footer\d*|footnotes|endnotes)\.xml")
WORD_TEXT = re.compile(r"<w:t(?:\s[^>]*)?>([^<]*)</w:t>")
STREAM = re.compile(rb"stream\r?\n")
PIECES = re.compile(rb"\\[0-7]{1,3}|\\.|[()<>]|[^\\()<>]+", re.DOTALL)
HEX = re.compile(rb"[0-9A-Fa-f\s]+")
PRINTABLE = bytes([*range(32, 127), 9, 10, 13])
HEAD = 4_096
MOST_SHOWN = 10_000_000
"""Bytes of what the pages of a PDF show; a thousand pages are shorter."""


class Uncountable(Exception):
    """A document that cannot be translated: `code` is `empty`, `locked` or `huge`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def most_billed(file: BinaryIO, media_type: str) -> int:
    """Up to how many characters a document is translated for the price that is asked. Raises `Uncountable`."""
    counted = {DOCX: _in_word, PDF: _in_pdf, TEXT: _in_text}[media_type](file)
    if not counted and media_type != PDF:
        raise Uncountable("empty")
    with_margin = -(-counted * (100 + MARGIN_PERCENT) // 100) if media_type != TEXT else counted
    return max(MINIMUM[media_type], -(-with_margin // STEP) * STEP)


def _in_text(file: BinaryIO) -> int:
    text = file.read(MOST_TEXT).decode("utf-8-sig")
    # Signs of several bytes count as one (DeepL, terms, 1.1).
    return len(text) if text.strip() else 0


def _in_word(file: BinaryIO) -> int:
    counted = size = 0
    with zipfile.ZipFile(file) as package:
        for entry in package.infolist():
            if STORIES.fullmatch(entry.filename):
                size += entry.file_size
                if size > MOST_TEXT:
                    raise Uncountable("huge")
                with package.open(entry) as story:
                    text = story.read(MOST_TEXT).decode("utf-8", "replace")
                counted += sum(len(html.unescape(run)) for run in WORD_TEXT.findall(text))
    return counted


def _in_pdf(file: BinaryIO) -> int:
    """The signs that its pages show. Those of fonts with two bytes to a sign count twice, which errs on the dear side."""
    content = file.read(MOST_TEXT)
    if b"/Encrypt" in content:
        raise Uncountable("locked")
    counted = size = 0
    for stream in _streams(content):
        size += len(stream)
        if size > MOST_SHOWN:
            raise Uncountable("huge")
        counted += _shown(stream)
    return counted


def _shown(stream: bytes) -> int:
    """The signs in the strings of a page's content (ISO 32000-1, 7.3.4), in one pass whatever stands in it."""
    counted = depth = 0
    is_hex = False
    for found in PIECES.finditer(stream):
        piece = found[0]
        if depth:
            depth += (piece == b"(") - (piece == b")")
            counted += (1 if piece.startswith(b"\\") else len(piece)) if depth else 0
        elif piece == b"(":
            depth = 1
        elif piece in {b"<", b">"}:
            is_hex = piece == b"<"
        elif is_hex and HEX.fullmatch(piece):
            counted += len(b"".join(piece.split())) // 2
    return counted


def _streams(content: bytes) -> Iterator[bytes]:
    """What stands in the streams of a PDF that show text, unpacked where that is simple (ISO 32000-1, 7.3.8)."""
    for found in STREAM.finditer(content):
        end = content.find(b"endstream", found.end())
        packed = content[found.end() : end if end >= 0 else len(content)]
        try:
            unpacking = zlib.decompressobj()
            head = unpacking.decompress(packed, HEAD)
            # Pictures are longer than all text, and are not unpacked.
            stream = head + unpacking.decompress(unpacking.unconsumed_tail, MOST_SHOWN) if _is_written(head) else b""
        except zlib.error:
            stream = packed if _is_written(packed[:HEAD]) else b""
        if b"Tj" in stream or b"TJ" in stream:
            yield stream


def _is_written(head: bytes) -> bool:
    return len(head.translate(None, PRINTABLE)) * 3 <= len(head)
