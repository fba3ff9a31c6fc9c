"""What a file is, by its first bytes and its name together; nothing that somebody says of it is believed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from connectors import documents
from connectors.contract import Words

PDF, TEXT = "application/pdf", "text/plain"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PNG, JPEG = "image/png", "image/jpeg"

PIECE = 65_536
LONGEST_NAME = 120
MOST_ENTRIES = 10_000
LONGEST_TABLE = 1_000_000
SCRIPT = re.compile(rb"/JavaScript\b|/Launch\b")
"""Names of PDF (ISO 32000-1, 12.6.4) by which opening it runs something."""
PROGRAM = re.compile(rb"vbaProject|activeX|macroEnabled", re.IGNORECASE)
RUNNABLE = re.compile(r"(?i)\.(exe|dll|com|scr|bat|cmd|ps1|vbs|js|jar|msi|lnk|hta|sh)$")
FORBIDDEN_SIGNS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]')


class NotThis(Exception):
    """A file that is not what it must be: `code` is `kind`, `mismatch`, `macros` or `unreadable`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Kind:
    """One kind of file: how its name ends, how it begins, and what else is looked at. `look` raises `NotThis`."""

    media_type: str
    endings: tuple[str, ...]
    words: Words
    magic: bytes
    look: Callable[[BinaryIO], None]


def kind_of(file: BinaryIO, filename: str) -> Kind:
    """What a file is; its content and the ending of its name must agree. Raises `NotThis`."""
    ending = PurePosixPath(filename.lower()).suffix
    named = next((kind for kind in KINDS.values() if ending in kind.endings), None)
    if named is None:
        raise NotThis("kind")
    require(file, named)
    return named


def require(file: BinaryIO, kind: Kind) -> None:
    """Whether a file's content is of a kind. Raises `NotThis`."""
    file.seek(0)
    if not file.read(len(kind.magic)) == kind.magic:
        raise NotThis("mismatch")
    file.seek(0)
    kind.look(file)
    file.seek(0)


def safe_name(filename: str) -> str:
    """A file's name as it may be kept and shown: no folders, no signs that mislead, its ending whole."""
    last = UNSAFE.sub(" ", re.split(r"[/\\]", filename)[-1])
    name = PurePosixPath(" ".join(last.split()).lstrip(". ") or "document")
    stem = name.stem.encode("utf-8", "replace").decode("utf-8")
    return stem[: LONGEST_NAME - len(name.suffix)].rstrip() + name.suffix[:LONGEST_NAME]


def _look_pdf(file: BinaryIO) -> None:
    before = b""
    while piece := file.read(PIECE):
        if SCRIPT.search(before + piece):
            raise NotThis("macros")
        before = piece[-16:]


def _look_office(main: bytes) -> Callable[[BinaryIO], None]:
    """An Office Open XML package (ECMA-376, part 2) whose table of contents names its main part, and no program."""

    def look(file: BinaryIO) -> None:
        try:
            with documents.opened(file) as package:
                entries = package.infolist()
                table = package.getinfo("[Content_Types].xml")
                if len(entries) > MOST_ENTRIES or table.file_size > LONGEST_TABLE:
                    raise NotThis("unreadable")
                with package.open(table) as opened:
                    types = opened.read(LONGEST_TABLE)
        except NotThis:
            raise
        except Exception:
            # Whatever a reader of archives trips over, in whichever of their codings, is none.
            raise NotThis("mismatch") from None
        names = "\n".join(entry.filename for entry in entries).encode("utf-8", "replace")
        if PROGRAM.search(types) or PROGRAM.search(names) or any(RUNNABLE.search(each.filename) for each in entries):
            raise NotThis("macros")
        if main not in types:
            raise NotThis("mismatch")

    return look


def _look_text(file: BinaryIO) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := file.read(PIECE):
            if FORBIDDEN_SIGNS.search(decoder.decode(piece)):
                raise NotThis("mismatch")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise NotThis("unreadable") from None


def _look_no_further(_file: BinaryIO) -> None:
    """Its beginning says it."""


_OFFICE = b"PK\x03\x04"
KINDS = {
    kind.media_type: kind
    for kind in (
        Kind(PDF, (".pdf",), {"fr": "PDF", "en": "PDF"}, b"%PDF-", _look_pdf),
        Kind(DOCX, (".docx",), {"fr": "Word (.docx)", "en": "Word (.docx)"}, _OFFICE, _look_office(b"wordprocessingml.document.main+xml")),
        Kind(PPTX, (".pptx",), {"fr": "PowerPoint (.pptx)", "en": "PowerPoint (.pptx)"}, _OFFICE, _look_office(b"presentationml.presentation.main+xml")),
        Kind(XLSX, (".xlsx",), {"fr": "Excel (.xlsx)", "en": "Excel (.xlsx)"}, _OFFICE, _look_office(b"spreadsheetml.sheet.main+xml")),
        Kind(TEXT, (".txt",), {"fr": "texte (.txt)", "en": "text (.txt)"}, b"", _look_text),
        Kind(PNG, (".png",), {"fr": "image PNG", "en": "PNG image"}, b"\x89PNG\r\n\x1a\n", _look_no_further),
        Kind(JPEG, (".jpg", ".jpeg"), {"fr": "image JPEG", "en": "JPEG image"}, b"\xff\xd8\xff", _look_no_further),
    )
}  # fmt: skip
"""Every kind of file that can be asked for, by its media type. None can run, and none is shown as a page."""
