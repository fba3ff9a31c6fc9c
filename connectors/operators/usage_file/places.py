"""Where usage files are put and answers are found: a folder of this machine; SFTP is in usage_file_sftp.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from connectors.contract import ContractBroken, Problem, Unavailable

MOST_BYTES = 20_000_000
PROBE = ".guichet-check.part"


class Place(Protocol):
    """A place that is open. Everything may raise `Unavailable`; nothing is left half done under a final name."""

    def put(self, name: str, content: bytes) -> None:
        """Write whole or not at all; the same content there already is a success. Raises `ContractBroken` for another."""

    def names(self) -> list[tuple[str, int]]:
        """What is there: names and sizes in bytes."""

    def read(self, name: str, most: int = MOST_BYTES) -> bytes | None:
        """A whole file, None when there is none; of a longer one `most` + 1 bytes."""


class Missing(Unavailable):
    """There is no such file, or no such folder."""


class WayTo(Protocol):
    """How to get to the place."""

    def opened(self) -> AbstractContextManager[Place]:
        """The place, for a while. Raises `Unavailable`, `AuthFailed`, `ContractBroken`."""

    def check(self) -> list[Problem]:
        """What keeps files from being written there."""


def different(name: str) -> ContractBroken:
    """What to say when a name is taken by another content."""
    return ContractBroken(
        f"{name} is there already with another content: is another portal, or an older copy, writing here?"
    )


class Folder:
    """A folder of this machine; never made here, since it may be a mount that is missing for the moment."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def opened(self) -> Iterator[Folder]:
        """The folder itself."""
        with self._work():
            os.scandir(self._path).close()
        yield self

    def put(self, name: str, content: bytes) -> None:
        """By a name that readers leave alone, then a rename; both are on the disk when this returns."""
        existing = self.read(name, len(content))
        if existing is not None:
            if existing != content:
                raise different(name)
            return
        temporary = self._path / f".{name}.part"
        with self._work():
            # What a crash left, or a link that somebody put there, is not written into.
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._path / name)
            folder = os.open(self._path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def names(self) -> list[tuple[str, int]]:
        """Files only; what vanishes meanwhile was not there."""
        found = []
        with self._work(), os.scandir(self._path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False):
                        found.append((entry.name, entry.stat(follow_symlinks=False).st_size))
        return sorted(found)

    def read(self, name: str, most: int = MOST_BYTES) -> bytes | None:
        """A whole file, or its first `most` + 1 bytes."""
        try:
            with self._work(), (self._path / name).open("rb") as file:
                return file.read(most + 1)
        except Missing:
            return None

    def check(self) -> list[Problem]:
        """Whether a file can be written there: one is, under a name nobody reads, and taken away."""
        probe = self._path / PROBE
        try:
            with self.opened(), self._work():
                probe.unlink(missing_ok=True)
                probe.open("xb").close()
                probe.unlink()
        except Unavailable as error:
            what = {
                "fr": f"le dossier des fichiers de facturation n'est pas accessible en écriture : {error.detail}.",
                "en": f"the folder of usage files cannot be written: {error.detail}.",
            }
            remedy = {
                "fr": "Créez-le et donnez à l'utilisateur du portail le droit d'y écrire, ou changez [operator] usage_folder.",
                "en": "Make it and give the portal's user the right to write there, or change [operator] usage_folder.",
            }
            return [Problem(what, remedy)]
        return []

    @contextmanager
    def _work(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind = Missing if isinstance(error, FileNotFoundError) else Unavailable
            raise kind(f"{error.filename or self._path}: {error.strerror or error}") from error


class Nowhere:
    """No place is configured: files wait in the spool."""

    def __init__(self, operator: str) -> None:
        self._operator = operator

    def opened(self) -> AbstractContextManager[Place]:
        """Never."""
        raise Unavailable("neither [operator] usage_folder nor usage_sftp is set")

    def check(self) -> list[Problem]:
        """What to configure."""
        what = {
            "fr": f"{self._operator} demande un contrat, qui dit où déposer les fichiers de facturation.",
            "en": f"{self._operator} needs a contract, which says where usage files are put.",
        }
        remedy = {
            "fr": "Donnez ce qu'il dit dans [operator] usage_folder ou usage_sftp.",
            "en": "Give what it says in [operator] usage_folder or usage_sftp.",
        }
        return [Problem(what, remedy)]
