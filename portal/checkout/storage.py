"""Where delivered documents are kept: files under names we make, each checked before it is believed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from connectors.contract import ContractBroken, Document
from connectors.files import KINDS, TEXT, NotThis, require
from connectors.http import Download
from portal import clock

MAGIC = {
    "application/pdf": b"%PDF-",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": b"PK\x03\x04",
    TEXT: b"",
}
EXTENSIONS = {
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    TEXT: ".txt",
}

INCOMING = "incoming-"
LONGEST_FETCH_S = 3600
"""Far longer than any fetch lasts."""
PROBE_SIZE = 1_000_000
"""Bytes; few documents are longer."""


@dataclass(frozen=True)
class Stored:
    """A document that is safely on disk: size in bytes, SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


class Storage:
    """A folder of delivered documents, readable by the portal's own user only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, document: Document, fetch: Callable[[BinaryIO], Download], under: str = "") -> Stored:
        """Fetch a document, check that it is what the merchant said, and store it durably.

        Args:
            under: its name, for a document that can be fetched once: what is there already came whole, and is it.

        Raises:
            ContractBroken: an unknown kind of document, other bytes than announced, or another hash.
            OSError: there is no room; a document that can be fetched once was not asked for.
        """
        if document.media_type not in MAGIC:
            raise ContractBroken(f"documents of type {document.media_type!r} are not accepted")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{under or secrets.token_hex(16)}{EXTENSIONS[document.media_type]}"
        if under:
            if self.path(name).exists():
                return _as_stored(self.path(name))
            self.probe()
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=INCOMING)
        try:
            with os.fdopen(handle, "w+b") as file:
                download = fetch(file)
                file.flush()
                _check(document, download, file)
                os.fsync(file.fileno())
            Path(temporary).rename(self.folder / name)
            _sync_folder(self.folder)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return Stored(name, download.size, download.sha256)

    def drop(self, stored: Stored) -> None:
        """Away with a document that was certainly not recorded; it will be fetched again."""
        self.path(stored.name).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Away with what processes that were killed had begun to fetch."""
        for path in self.folder.glob(f"{INCOMING}*"):
            with contextlib.suppress(FileNotFoundError):
                if clock.now().timestamp() - path.stat().st_mtime > LONGEST_FETCH_S:
                    path.unlink()

    def probe(self) -> None:
        """Write as much as a document needs, durably, and take it away again. Raises `OSError`."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            file.write(b"\0" * PROBE_SIZE)
            file.flush()
            os.fsync(file.fileno())

    def path(self, name: str) -> Path:
        """Where a stored document is."""
        return self.folder / name


def _as_stored(path: Path) -> Stored:
    with path.open("rb") as file:
        return Stored(path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _check(document: Document, download: Download, file: BinaryIO) -> None:
    file.seek(0)
    start = file.read(16)
    if not start.startswith(MAGIC[document.media_type]):
        raise ContractBroken(f"the bytes are not {document.media_type}: they begin with {start!r}")
    if not download.size:
        raise ContractBroken("the document is empty")
    if document.media_type == TEXT:
        try:
            require(file, KINDS[TEXT])
        except NotThis as error:
            raise ContractBroken(f"the bytes are no text in UTF-8: {error.code}") from error
    if document.sha256 and document.sha256 != download.sha256:
        raise ContractBroken(f"the document's hash is {download.sha256}, the merchant announced {document.sha256}")


def _sync_folder(folder: Path) -> None:
    # A rename is durable only once the folder itself has been written.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
