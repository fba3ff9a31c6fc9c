"""What a file that is given is, by its content and its name together; nothing that a browser says of it is believed.

What its bytes must be is what a delivered document's must be (`connectors.documents`); here is which kinds are taken.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from connectors import documents
from connectors.contract import ContractBroken, Words
from connectors.documents import DOCX, PPTX, UNSAFE, XLSX

PDF, TEXT = "application/pdf", "text/plain"
PNG, JPEG = "image/png", "image/jpeg"

PIECE = 65_536
LONGEST_NAME = 120
FORBIDDEN_SIGNS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class NotThis(Exception):
    """A file that is not what it must be: `code` is `kind`, `mismatch`, `macros` or `unreadable`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _as_document(media_type: str) -> Callable[[BinaryIO], None]:
    """What a delivery of this kind must be. What was sealed by its author is his to give; what runs is not."""

    def look(file: BinaryIO) -> None:
        try:
            acts = documents.check(media_type, file)
        except documents.Harmful:
            raise NotThis("macros") from None
        except documents.Damaged:
            raise NotThis("unreadable") from None
        except ContractBroken:
            raise NotThis("mismatch") from None
        if "javascript" in acts:
            raise NotThis("macros")

    return look


def _as_text(file: BinaryIO) -> None:
    """A text in UTF-8: whoever is given it has no way to ask in what else it was written."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := file.read(PIECE):
            if FORBIDDEN_SIGNS.search(decoder.decode(piece)):
                raise NotThis("mismatch")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise NotThis("unreadable") from None


@dataclass(frozen=True)
class Kind:
    """One kind of file: how its name ends, what it is called, and how it is looked at. `look` raises `NotThis`."""

    media_type: str
    endings: tuple[str, ...]
    words: Words
    look: Callable[[BinaryIO], None]


def kind_of(file: BinaryIO, filename: str) -> Kind:
    """What a file is; its content and the ending of its name must agree. Raises `NotThis`."""
    ending = PurePosixPath(filename.lower()).suffix
    named = next((kind for kind in KINDS.values() if ending in kind.endings), None)
    if named is None:
        raise NotThis("kind")
    file.seek(0)
    named.look(file)
    file.seek(0)
    return named


def safe_name(filename: str) -> str:
    """A file's name as it may be kept and shown: no folders, no signs that mislead, its ending whole."""
    last = UNSAFE.sub(" ", re.split(r"[/\\]", filename)[-1])
    name = PurePosixPath(" ".join(last.split()).lstrip(". ") or "document")
    stem = name.stem.encode("utf-8", "replace").decode("utf-8")
    return stem[: LONGEST_NAME - len(name.suffix)].rstrip() + name.suffix[:LONGEST_NAME]


KINDS = {
    kind.media_type: kind
    for kind in (
        Kind(PDF, (".pdf",), {"fr": "PDF", "en": "PDF"}, _as_document(PDF)),
        Kind(DOCX, (".docx",), {"fr": "Word (.docx)", "en": "Word (.docx)"}, _as_document(DOCX)),
        Kind(PPTX, (".pptx",), {"fr": "PowerPoint (.pptx)", "en": "PowerPoint (.pptx)"}, _as_document(PPTX)),
        Kind(XLSX, (".xlsx",), {"fr": "Excel (.xlsx)", "en": "Excel (.xlsx)"}, _as_document(XLSX)),
        Kind(TEXT, (".txt",), {"fr": "texte (.txt)", "en": "text (.txt)"}, _as_text),
        Kind(PNG, (".png",), {"fr": "image PNG", "en": "PNG image"}, _as_document(PNG)),
        Kind(JPEG, (".jpg", ".jpeg"), {"fr": "image JPEG", "en": "JPEG image"}, _as_document(JPEG)),
    )
}
"""Every kind of file that can be asked for, by its media type. None can run, and none is shown as a page."""
