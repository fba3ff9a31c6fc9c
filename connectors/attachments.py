"""Files sent to a merchant: read from disk while they leave, their length told beforehand, the same bytes at every repeat."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from connectors.contract import UnknownOutcome, Upload, Uploads


@dataclass(frozen=True)
class Attachment:
    """A file to send, and under which name. `open` gives its bytes, anew for each attempt; size in bytes."""

    filename: str
    media_type: str
    size: int
    sha256: str
    open: Callable[[], BinaryIO]


def attached(uploads: Uploads, upload: Upload, filename: str = "") -> Attachment:
    """A file that the employee gave, under its own name or another."""
    name = filename or upload.filename
    return Attachment(name, upload.media_type, upload.size, upload.sha256, lambda: uploads.open(upload.reference))


@contextmanager
def opened(
    files: Mapping[str, Attachment] | None, raw: Attachment | None, form: Mapping[str, str] | None, total_s: float
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """A block in which files can be sent: what the HTTP client takes, and the headers that go with it.

    Raises:
        ContractBroken: a file is not kept any more; nothing has left.
        UnknownOutcome: from within, when sending takes longer than `total_s` seconds.
    """
    late = time.monotonic() + total_s
    with ExitStack() as stack:
        if raw:
            body = _Punctual(stack.enter_context(raw.open()), late, total_s)
            yield {"content": body}, {"Content-Type": raw.media_type}
        elif files:
            parts = {
                name: (each.filename, _Punctual(stack.enter_context(each.open()), late, total_s), each.media_type)
                for name, each in files.items()
            }
            yield {"files": parts}, {"Content-Type": f"multipart/form-data; boundary={_boundary(files, form)}"}
        else:
            yield {}, {}


def _boundary(files: Mapping[str, Attachment], form: Mapping[str, str] | None) -> str:
    """One that no file can hold, and the same each time: a merchant that compares a repeat byte by byte finds it the same."""
    told = repr([sorted((form or {}).items()), [(name, each.filename, each.sha256) for name, each in files.items()]])
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:40]


class _Punctual:
    """A file whose reading ends with the exchange it is read for."""

    def __init__(self, file: BinaryIO, late: float, total_s: float) -> None:
        self._file, self._late, self._total_s = file, late, total_s

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._late:
            raise UnknownOutcome(f"sending the file took longer than {self._total_s} s")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(65_536):
            yield piece
