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

from connectors import documents
from connectors.contract import ContractBroken, Document
from connectors.http import Download
from portal import clock

INCOMING = "incoming-"
LONGEST_FETCH_S = 3600
"""Far longer than any fetch lasts."""
PROBE_SIZE = 1_000_000
"""Bytes; few documents are longer."""


@dataclass(frozen=True)
class Stored:
    """A document that is safely on disk: size in bytes, SHA-256 in hexadecimal, and what in it would act by itself."""

    name: str
    size: int
    sha256: str
    active: tuple[str, ...] = ()


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
        ending = documents.kind_of(document.media_type).ending
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{under or secrets.token_hex(16)}{ending}"
        if under:
            if self.path(name).exists():
                return _as_stored(self.path(name), document.media_type)
            self.probe()
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=INCOMING)
        try:
            with os.fdopen(handle, "w+b") as file:
                download = fetch(file)
                file.flush()
                active = _check(document, download, file)
                os.fsync(file.fileno())
            Path(temporary).rename(self.folder / name)
            _sync_folder(self.folder)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return Stored(name, download.size, download.sha256, active)

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


def _as_stored(path: Path, media_type: str) -> Stored:
    with path.open("rb") as file:
        active = documents.check(media_type, file)
        file.seek(0)
        return Stored(path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest(), active)


def _check(document: Document, download: Download, file: BinaryIO) -> tuple[str, ...]:
    active = documents.check(document.media_type, file)
    if document.sha256 and document.sha256 != download.sha256:
        raise ContractBroken(f"the document's hash is {download.sha256}, the merchant announced {document.sha256}")
    return active


def _sync_folder(folder: Path) -> None:
    # A rename is durable only once the folder itself has been written.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
