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
EPUB = "application/epub+zip"
PROGRAMS = re.compile(
    r"(?i)\.(exe|com|scr|bat|cmd|ps1|msi|msix|dll|sys|vbs|vbe|js|jse|wsf|wsh|hta|lnk|url|jar|apk|app|dmg|pkg|deb|rpm|sh|"
    r"docm|dotm|xlsm|xltm|xlam|pptm|ppam|iso|img|cpl|reg|chm|scf)$"
)
BEGINNINGS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"#!", b"\xd0\xcf\x11\xe0")
"""Programs of Windows, Linux, Java and macOS, scripts, and the old Office files that hold macros."""
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


@dataclass(frozen=True)
class Kind:
    """One kind of document that is accepted: its ending, and what its bytes must be; `check` returns what is active in it."""

    ending: str
    check: Callable[[BinaryIO], tuple[str, ...]]


def check(media_type: str, file: BinaryIO) -> tuple[str, ...]:
    """Look at a document; what in it would act by itself, by name (`javascript`, …), empty for almost all.

    Raises:
        ContractBroken: it is not what it is called, is cut short, or would run something on its reader's machine.
    """
    file.seek(0, 2)
    if not file.tell():
        raise ContractBroken("the document is empty")
    file.seek(0)
    try:
        return kind_of(media_type).check(file)
    except (ContractBroken, OSError):
        raise
    except Exception as error:
        # Made by somebody else, perhaps for this very reader: whatever it trips over is no document.
        raise ContractBroken(f"the document is cut short or damaged: {type(error).__name__}: {error}"[:200]) from error


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
        raise ContractBroken("the document is cut short: its end is missing")


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
        raise ContractBroken("the PDF would start a program on its reader's machine (/Launch)")
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


def _archive(file: BinaryIO, needed: tuple[str, ...] = ()) -> tuple[str, ...]:
    _begins(file, b"PK\x03\x04", b"PK\x05\x06" if not needed else b"PK\x03\x04")
    with opened(file) as archive:
        names = archive.namelist()
        _require_harmless(names, sum(entry.file_size for entry in archive.infolist()))
        if missing := [name for name in needed if name not in names]:
            raise ContractBroken(f"it is not what it is called: it holds no {missing[0]}")
        if needed:
            _require_no_macros(archive, names)
    return ()


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """An archive whose list of files is no longer than we read into memory. Raises `ContractBroken`."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - LONGEST_END))
    before, mark, end = file.read().rpartition(b"PK\x05\x06")
    if not mark or len(end) < 18:
        raise ContractBroken("the archive is cut short: its end is missing")
    index = int.from_bytes(end[8:12], "little")
    if before[-LOCATOR:].startswith(b"PK\x06\x07"):
        # Of a long archive another record says it, and readers believe that one whatever stands here.
        long_end = before[-LOCATOR - LONG_END : -LOCATOR]
        index = int.from_bytes(long_end[40:48], "little") if long_end.startswith(b"PK\x06\x06") else LONGEST_INDEX + 1
    if index > LONGEST_INDEX:
        raise ContractBroken("the archive swells: its list of files is too long")
    file.seek(0)
    return zipfile.ZipFile(file)


def _require_harmless(names: list[str], unpacked: int) -> None:
    if len(names) > MOST_ENTRIES or unpacked > MOST_UNPACKED:
        raise ContractBroken(f"the archive swells: {len(names)} files, {unpacked} bytes")
    for name in names:
        if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or re.match(r"[A-Za-z]:", name):
            raise ContractBroken(f"the archive would write outside its folder: {name!r}"[:200])
        if PROGRAMS.search(name):
            raise ContractBroken(f"there is a program in it: {name!r}"[:200])


def _require_no_macros(archive: zipfile.ZipFile, names: list[str]) -> None:
    lower = [name.lower() for name in names]
    if found := next((name for name in lower if "vbaproject" in name or "/macrosheets/" in name), ""):
        raise ContractBroken(f"there is a macro in it: {found}"[:200])
    for name in names:
        said = _small(archive, name) if name == "[Content_Types].xml" or name.endswith("settings.xml.rels") else b""
        # Also when it is written in two bytes a letter.
        said = said.replace(b"\0", b"")
        if b"macroenabled" in said.lower() or (b"attachedTemplate" in said and b'TargetMode="External"' in said):
            raise ContractBroken(f"there is a macro in it, or it fetches one: {name}"[:200])


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as inner:
        content = inner.read(SMALL + 1)
    if len(content) > SMALL:
        raise ContractBroken(f"what should be short is not: {name}"[:200])
    return content


def _docx(file: BinaryIO) -> tuple[str, ...]:
    return _archive(file, ("[Content_Types].xml", "word/document.xml"))


def _xlsx(file: BinaryIO) -> tuple[str, ...]:
    return _archive(file, ("[Content_Types].xml", "xl/workbook.xml"))


def _epub(file: BinaryIO) -> tuple[str, ...]:
    start = file.read(100)
    if b"mimetypeapplication/epub+zip" not in start:
        raise ContractBroken("it is not what it is called: it is no EPUB")
    file.seek(0)
    # What a book shows is pages with scripts of their own, which its reader knows: only programs are looked for.
    return _archive_of_pages(file)


def _archive_of_pages(file: BinaryIO) -> tuple[str, ...]:
    with opened(file) as archive:
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
    DOCX: Kind(".docx", _docx),
    XLSX: Kind(".xlsx", _xlsx),
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
