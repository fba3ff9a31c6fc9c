"""A file while it arrives: straight to the disk where it will stay, hashed on its way, and never beyond its limit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

INCOMING = "incoming-"


class Incoming:
    """What a form's parser writes a file into. What comes beyond `most_bytes` is counted and not kept.

    Nothing is made on the disk before the first byte; `discard` takes away whatever was not kept.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self.size = 0
        self.error: OSError | None = None
        """Why it could not be written, when it could not: the rest of the form is read all the same."""

    @property
    def sha256(self) -> str:
        """Of what was kept, in hexadecimal."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> int:
        """Take the next piece."""
        self.size += len(piece)
        if self.size <= self._most and self.error is None:
            try:
                self.file.write(piece)
                self._digest.update(piece)
            except OSError as error:
                self.error = error
        return len(piece)

    @property
    def file(self) -> BinaryIO:
        """Its bytes. Raises `OSError`."""
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=INCOMING)
            self._file, self._path = os.fdopen(handle, "w+b"), Path(name)
        return self._file

    def keep(self, name: str) -> None:
        """Make it durable under a name. Raises `OSError`."""
        self.file.flush()
        os.fsync(self.file.fileno())
        assert self._path is not None  # noqa: S101 - made with the file
        self._path.rename(self._folder / name)
        self._path = None
        self.file.close()
        # A rename is durable only once the folder itself has been written.
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Away with it, unless it was kept."""
        with contextlib.suppress(OSError):
            if self._file:
                self._file.close()
            if self._path:
                self._path.unlink(missing_ok=True)

    # --- What the parser of forms asks of a stream --------------------------------------------------

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of any file; nothing is there before the first byte."""
        return self._file.seek(offset, whence) if self._file else 0

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        return self._file.read(size) if self._file else b""

    def close(self) -> None:
        """The request is over."""
        self.discard()
