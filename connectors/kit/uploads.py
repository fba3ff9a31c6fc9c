"""The files of a story: what an employee would give stands beside the fixtures, and its reference is its name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from connectors.contract import ContractBroken, Upload
from connectors.files import NotThis, kind_of

DISPOSITION = re.compile(rb'(?i)form-data; name="([^"]*)"(?:; filename="([^"]*)")?')


@dataclass(frozen=True)
class StoryUploads:
    """The files in a `fixtures` folder, as the portal would keep them."""

    folder: Path

    def describe(self, reference: str) -> Upload:
        """Raises `ContractBroken` for what is not beside the fixtures, or is of no known kind."""
        with self.open(reference) as file:
            body = file.read()
            try:
                kind = kind_of(file, reference)
            except NotThis as error:
                raise ContractBroken(f"fixtures/{reference}: {error.code}") from error
        return Upload(reference, reference, kind.media_type, len(body), hashlib.sha256(body).hexdigest())

    def open(self, reference: str) -> BinaryIO:
        """Raises `ContractBroken` for what is not beside the fixtures."""
        path = self.folder / reference
        if path.parent != self.folder or not path.is_file():
            raise ContractBroken(f"fixtures/{reference} does not exist")
        return path.open("rb")


@dataclass(frozen=True)
class Part:
    """One field of a form that was sent; `filename` is "" for a text."""

    name: str
    filename: str
    body: bytes


def parts_of(content_type: str, body: bytes) -> Iterator[Part]:
    """The fields of a `multipart/form-data` body (RFC 7578), in order; none when it is something else."""
    found = re.fullmatch(r"multipart/form-data; boundary=([\w.-]+)", content_type)
    for piece in body.split(b"--" + found[1].encode())[1:-1] if found else []:
        head, _, content = piece.partition(b"\r\n\r\n")
        named = DISPOSITION.search(head)
        if named:
            yield Part(named[1].decode(), (named[2] or b"").decode(), content.removesuffix(b"\r\n"))
