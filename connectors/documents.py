"""What a delivered document is, by its own bytes: what a merchant calls it is believed only when they agree.

Nothing here is ever opened, run or changed: a signed extract must stay the bytes that were signed.
"""

from __future__ import annotations

import codecs
import io
import mmap
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from connectors.contract import ContractBroken
from connectors.pdf import look

OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX, XLSX = f"{OFFICE}wordprocessingml.document", f"{OFFICE}spreadsheetml.sheet"
PPTX = f"{OFFICE}presentationml.presentation"
EPUB = "application/epub+zip"
PROGRAMS = re.compile(
    r"(?i)\.(exe|com|scr|bat|cmd|ps1|msi|msix|dll|sys|vbs|vbe|js|jse|wsf|wsh|hta|lnk|url|jar|apk|app|dmg|pkg|deb|rpm|sh|"
    r"docm|dotm|xlsm|xltm|xlam|pptm|ppam|iso|img|cpl|reg|chm|scf)$"
)
BEGINNINGS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"#!", b"\xd0\xcf\x11\xe0")
"""Programs of Windows, Linux, Java and macOS, scripts, and the old Office files that hold macros."""
CONTENTS = "[Content_Types].xml"
PROGRAM_PARTS = ("vbaproject", "/macrosheets/", "/activex/")
MARKUP = re.compile(rb"(?i)<(!doctype\s+html|html|head|body|script|svg|meta)\b")
MOST_ENTRIES, MOST_UNPACKED = 20_000, 2_000_000_000
SMALL = 1_000_000
LONGEST_END, LONGEST_INDEX = 66_000, 5_000_000
LOCATOR, LONG_END = 20, 56
"""Bytes of what stands before an archive's end when it is a long one (APPNOTE.TXT, 4.3.14 and 4.3.15)."""
TAIL = 4096
UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""In a file's name: what leads elsewhere, or makes it read as another."""
LONGEST_NAME = 120


class Harmful(ContractBroken):
    """It would run something on its reader's machine, or write where nobody asked it to."""


class Damaged(ContractBroken):
    """It is cut short, or made so that nobody can read it whole."""


@dataclass(frozen=True)
class Kind:
    """One kind of document that is accepted: its ending, and what its bytes must be; `check` returns what is active in it."""

    ending: str
    check: Callable[[BinaryIO], tuple[str, ...]]


def check(media_type: str, file: BinaryIO) -> tuple[str, ...]:
    """Look at a document; what in it would act by itself, by name (`javascript`, …), empty for almost all.

    Raises:
        Harmful: it would run something on its reader's machine.
        Damaged: it is empty, cut short, or swells.
        ContractBroken: it is not what it is called, or of a kind that is not accepted.
    """
    file.seek(0, 2)
    if not file.tell():
        raise Damaged("the document is empty")
    file.seek(0)
    try:
        return kind_of(media_type).check(file)
    except ContractBroken:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            # Our disk. A decompressor says the same of bytes, with no number.
            raise
        # Made by somebody else, perhaps for this very reader: whatever it trips over is no document.
        raise Damaged(f"the document is cut short or damaged: {type(error).__name__}: {error}"[:200]) from error


def kind_of(media_type: str) -> Kind:
    """The accepted kind of a media type. Raises `ContractBroken` when it is not accepted."""
    if media_type not in KINDS:
        raise ContractBroken(f"documents of type {media_type!r} are not accepted"[:200])
    return KINDS[media_type]


def safe_name(name: str, media_type: str) -> str:
    """A file's name as it is shown and saved: no folder, nothing invisible, and the ending that its bytes have."""
    ending = KINDS[media_type].ending if media_type in KINDS else ".bin"
    bare = UNSAFE.sub(" ", re.split(r"[/\\]", name)[-1])
    bare = " ".join(bare.split()).strip(". ")
    while PROGRAMS.search(bare) or bare.lower().endswith((ending, ".html", ".htm")):
        bare = bare.rpartition(".")[0].strip(". ")
    return f"{bare[:LONGEST_NAME] or 'document'}{ending}"


# --- Each kind ---------------------------------------------------------------------------------------------------------


def _begins(file: BinaryIO, *starts: bytes) -> None:
    start = file.read(16)
    file.seek(0)
    if not start.startswith(starts):
        raise ContractBroken(f"the bytes are not what they are called: they begin with {start!r}")


def _ends(file: BinaryIO, mark: bytes, within: int = TAIL) -> None:
    file.seek(0, 2)
    file.seek(max(0, file.tell() - within))
    tail = file.read()
    file.seek(0)
    if mark not in tail:
        raise Damaged("the document is cut short: its end is missing")


def _pdf(file: BinaryIO) -> tuple[str, ...]:
    _begins(file, b"%PDF-")
    _ends(file, b"%%EOF")
    try:
        # Not read into memory: a merchant may send 200 MB.
        with closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as content:
            found = look(content)
    except io.UnsupportedOperation:
        found = look(file.read())
    if "launch" in found:
        raise Harmful("the PDF would start a program on its reader's machine (/Launch)")
    return found


def _picture(start: bytes, end: bytes) -> Callable[[BinaryIO], tuple[str, ...]]:
    def look_at(file: BinaryIO) -> tuple[str, ...]:
        _begins(file, start)
        _ends(file, end)
        return ()

    return look_at


def _tiff(file: BinaryIO) -> tuple[str, ...]:
    _begins(file, b"II*\x00", b"MM\x00*")
    return ()


def _archive(file: BinaryIO) -> tuple[str, ...]:
    _begins(file, b"PK\x03\x04", b"PK\x05\x06")
    with _opened(file) as archive:
        _require_harmless(archive.namelist(), sum(entry.file_size for entry in archive.infolist()))
    return ()


def _office(part: str, main: bytes) -> Callable[[BinaryIO], tuple[str, ...]]:
    """An Office Open XML package (ECMA-376, part 2): its main part, what its table of contents says of it, and no program."""

    def look_at(file: BinaryIO) -> tuple[str, ...]:
        _begins(file, b"PK\x03\x04")
        with _opened(file) as archive:
            names = archive.namelist()
            _require_harmless(names, sum(entry.file_size for entry in archive.infolist()))
            if missing := [name for name in (CONTENTS, part) if name not in names]:
                raise ContractBroken(f"it is not what it is called: it holds no {missing[0]}")
            _require_no_macros(archive, names)
            if main not in _plain(archive, CONTENTS):
                raise ContractBroken(f"it is not what it is called: its {part} is something else")
        return ()

    return look_at


def _opened(file: BinaryIO) -> zipfile.ZipFile:
    """An archive whose list of files is no longer than we read into memory. Raises `Damaged`."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - LONGEST_END))
    before, mark, end = file.read().rpartition(b"PK\x05\x06")
    if not mark or len(end) < 18:
        raise Damaged("the archive is cut short: its end is missing")
    index = int.from_bytes(end[8:12], "little")
    if before[-LOCATOR:].startswith(b"PK\x06\x07"):
        # Of a long archive another record says it, and readers believe that one whatever stands here.
        long_end = before[-LOCATOR - LONG_END : -LOCATOR]
        index = int.from_bytes(long_end[40:48], "little") if long_end.startswith(b"PK\x06\x06") else LONGEST_INDEX + 1
    if index > LONGEST_INDEX:
        raise Damaged("the archive swells: its list of files is too long")
    file.seek(0)
    return zipfile.ZipFile(file)


def _require_harmless(names: list[str], unpacked: int) -> None:
    if len(names) > MOST_ENTRIES or unpacked > MOST_UNPACKED:
        raise Damaged(f"the archive swells: {len(names)} files, {unpacked} bytes")
    for name in names:
        if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or re.match(r"[A-Za-z]:", name):
            raise Harmful(f"the archive would write outside its folder: {name!r}"[:200])
        if PROGRAMS.search(name):
            raise Harmful(f"there is a program in it: {name!r}"[:200])


def _require_no_macros(archive: zipfile.ZipFile, names: list[str]) -> None:
    lower = [name.lower() for name in names]
    if found := next((name for name in lower if any(each in name for each in PROGRAM_PARTS)), ""):
        raise Harmful(f"there is a macro in it: {found}"[:200])
    for name in names:
        said = _plain(archive, name) if name == CONTENTS or name.endswith("settings.xml.rels") else b""
        if b"macroenabled" in said.lower() or (b"attachedTemplate" in said and b'TargetMode="External"' in said):
            raise Harmful(f"there is a macro in it, or it fetches one: {name}"[:200])


def _plain(archive: zipfile.ZipFile, name: str) -> bytes:
    """A short XML part, one byte a letter."""
    with archive.open(name) as inner:
        content = inner.read(SMALL + 1)
    if len(content) > SMALL:
        raise Damaged(f"what should be short is not: {name}"[:200])
    # Also when it is written in two bytes a letter.
    return content.replace(b"\0", b"")


def _epub(file: BinaryIO) -> tuple[str, ...]:
    start = file.read(100)
    if b"mimetypeapplication/epub+zip" not in start:
        raise ContractBroken("it is not what it is called: it is no EPUB")
    file.seek(0)
    # What a book shows is pages with scripts of their own, which its reader knows: only programs are looked for.
    return _archive_of_pages(file)


def _archive_of_pages(file: BinaryIO) -> tuple[str, ...]:
    with _opened(file) as archive:
        others = [name for name in archive.namelist() if not name.lower().endswith(".js")]
        _require_harmless(others, sum(each.file_size for each in archive.infolist()))
        return ("javascript",) if len(others) < len(archive.namelist()) else ()


def _text(starts: tuple[str, ...] = (), ends: tuple[str, ...] = ()) -> Callable[[BinaryIO], tuple[str, ...]]:
    def look_at(file: BinaryIO) -> tuple[str, ...]:
        head = file.read(TAIL)
        file.seek(0)
        if head.startswith(BEGINNINGS) or head.startswith(b"%PDF-") or head.startswith(b"PK\x03\x04"):
            raise ContractBroken(f"the bytes are not text: they begin with {head[:16]!r}")
        if MARKUP.match(_past_comments(head.removeprefix(codecs.BOM_UTF8))):
            raise ContractBroken("the bytes are a web page: a sign-in or error page, perhaps")
        first, last = "", ""
        for piece in _decoded(file):
            if "\x00" in piece:
                raise ContractBroken("the bytes are not text")
            first, last = first or piece.strip()[:1], piece.strip()[-1:] or last
        if (starts and first not in starts) or (ends and last not in ends):
            raise ContractBroken("the document is cut short, or not what it is called")
        return ()

    return look_at


def _past_comments(head: bytes) -> bytes:
    """What a page begins with, after its white space and comments."""
    head = head.lstrip()
    while head.startswith(b"<!--"):
        head = head.partition(b"-->")[2].lstrip()
    return head


def _decoded(file: BinaryIO) -> Iterator[str]:
    """A text piece by piece, in UTF-8 or, failing that, as Windows writes it. Raises `ContractBroken` for neither."""
    for encoding in ("utf-8-sig", "cp1252"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            file.seek(0)
            while piece := file.read(SMALL):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        while piece := file.read(SMALL):
            yield decoder.decode(piece)
        return
    raise ContractBroken("the bytes are not text")


KINDS = {
    "application/pdf": Kind(".pdf", _pdf),
    DOCX: Kind(".docx", _office("word/document.xml", b"wordprocessingml.document.main+xml")),
    XLSX: Kind(".xlsx", _office("xl/workbook.xml", b"spreadsheetml.sheet.main+xml")),
    PPTX: Kind(".pptx", _office("ppt/presentation.xml", b"presentationml.presentation.main+xml")),
    EPUB: Kind(".epub", _epub),
    "application/zip": Kind(".zip", _archive),
    "image/png": Kind(".png", _picture(b"\x89PNG\r\n\x1a\n", b"IEND")),
    "image/jpeg": Kind(".jpg", _picture(b"\xff\xd8\xff", b"\xff\xd9")),
    "image/tiff": Kind(".tif", _tiff),
    "text/plain": Kind(".txt", _text()),
    "text/csv": Kind(".csv", _text()),
    "application/json": Kind(".json", _text(("{", "["), ("}", "]"))),
    "application/xml": Kind(".xml", _text(("<",), (">",))),
    "text/xml": Kind(".xml", _text(("<",), (">",))),
}
