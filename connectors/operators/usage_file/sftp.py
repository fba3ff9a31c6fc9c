"""Usage files by SFTP (asyncssh): one connection outwards, to a server whose host key is pinned in the configuration.

A host key that is not the pinned one ends the connection before any password or file is sent; a new one
is never learnt. No agent, no `~/.ssh` and no forwarding are used. Unreachable: `Unavailable`, and the
file waits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import asyncssh

from connectors.contract import AuthFailed, ContractBroken, Problem, Unavailable
from connectors.operators.usage_file.places import MOST_BYTES, PROBE, different

CONNECT_S = 15
STEP_S = 25
"""For each step; a worker that is told to stop ends within it."""
ALONE_S = 1800
"""How long a server that refused our sign-in is left alone: accounts are locked for asking too often."""
T = TypeVar("T")


@dataclass(frozen=True)
class SftpAccount:
    """`url` is `sftp://user@host:port/folder`; `host_key` one line as in `/etc/ssh/ssh_host_ed25519_key.pub`."""

    url: str
    host_key: str
    password: str = ""
    key_file: Path | None = None


class HostKeyDiffers(ContractBroken):
    """The server did not prove to be the one whose key is pinned."""


class _Loop:
    """An event loop in a thread of its own, so that it works wherever a loop runs already."""

    def __enter__(self) -> _Loop:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
        self._thread.start()
        return self

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives, or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def __exit__(self, *_exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_asyncgens()


class Sftp:
    """A folder of an SFTP server; a connection lasts as long as the place is open."""

    def __init__(self, account: SftpAccount) -> None:
        self._account = account
        parts = urlsplit(account.url)
        self._host, self._port, self._user = parts.hostname or "", parts.port or 22, unquote(parts.username or "")
        self._folder = unquote(parts.path) or "."
        self._alone_until = 0.0

    @contextmanager
    def opened(self) -> Iterator[_Open]:
        """Connect, prove who both are, and stay for a while."""
        if time.monotonic() < self._alone_until:
            raise AuthFailed(f"sftp://{self._host}:{self._port}: left alone for a while, since it refused the sign-in")
        with _Loop() as runner:
            connection = self._run(runner, self._connected(), CONNECT_S * 2)
            try:
                client = self._run(runner, _client(connection), STEP_S)
                yield _Open(client, self._folder, lambda work: self._run(runner, work, STEP_S))
            finally:
                connection.abort()
                with suppress(Exception):
                    runner.run(asyncio.wait_for(connection.wait_closed(), 5))

    async def _connected(self) -> asyncssh.SSHClientConnection:
        account = self._account
        pinned = asyncssh.import_public_key(account.host_key)
        return await asyncssh.connect(
            self._host, self._port, username=self._user, config=None, agent_path=None, x509_trusted_certs=None,
            known_hosts=([pinned], [], []), password=account.password or None,
            client_keys=[str(account.key_file)] if account.key_file else None,
            connect_timeout=CONNECT_S, login_timeout=CONNECT_S,
        )  # fmt: skip

    def _run(self, runner: _Loop, work: Coroutine[Any, Any, T], seconds: float) -> T:
        where = f"sftp://{self._host}:{self._port}"
        try:
            return runner.run(asyncio.wait_for(work, seconds))
        except asyncssh.HostKeyNotVerifiable as error:
            raise HostKeyDiffers(f"{where}: the server's host key is not the pinned one") from error
        except asyncssh.PermissionDenied as error:
            self._alone_until = time.monotonic() + ALONE_S
            raise AuthFailed(f"{where}: the sign-in of {self._user} was refused") from error
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise AuthFailed(f"{where}: the key cannot be read: {error}") from error
        except (asyncssh.Error, OSError, TimeoutError) as error:
            detail = str(error) or type(error).__name__
            raise Unavailable(f"{where}{self._folder}: {detail}") from error

    def check(self) -> list[Problem]:
        """Connect, sign in, write an empty file under a name nobody reads, and take it away."""
        self._alone_until = 0.0
        try:
            with self.opened() as there:
                there.probe()
        except HostKeyDiffers as error:
            return [_problem(
                error.detail,
                "Si l'opérateur a changé de clé, faites-vous confirmer la nouvelle par lui et mettez-la dans [operator] usage_sftp_host_key. Sinon, quelqu'un est entre lui et vous.",
                "If the operator has changed its key, have it confirm the new one and put it into [operator] usage_sftp_host_key. If not, somebody is between you.",
            )]  # fmt: skip
        except AuthFailed as error:
            return [_problem(
                error.detail,
                "Vérifiez l'utilisateur de [operator] usage_sftp, et usage_sftp_key_file ou usage_sftp_password.",
                "Check the user in [operator] usage_sftp, and usage_sftp_key_file or usage_sftp_password.",
            )]  # fmt: skip
        except (Unavailable, ContractBroken) as error:
            return [_problem(
                error.detail,
                "Vérifiez [operator] usage_sftp (hôte, port, dossier existant et accessible en écriture) et le pare-feu.",
                "Check [operator] usage_sftp (host, port, a folder that exists and can be written) and the firewall.",
            )]  # fmt: skip
        return []


async def _client(connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    return await connection.start_sftp_client()


class _Open:
    """The folder while a connection lasts."""

    def __init__(
        self, client: asyncssh.SFTPClient, folder: str, run: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self._client, self._folder, self._run = client, folder.rstrip("/") or "/", run

    def put(self, name: str, content: bytes) -> None:
        """By a name that readers leave alone, then a rename."""
        existing = self.read(name, len(content))
        if existing is None:
            self._run(self._write(f"{self._folder}/.{name}.part", content))
            try:
                self._run(self._client.rename(f"{self._folder}/.{name}.part", f"{self._folder}/{name}"))
                return
            except Unavailable:
                # Somebody was faster; a rename never replaces (SFTP version 3).
                existing = self.read(name, len(content))
                if existing is None:
                    raise
        if existing != content:
            raise different(name)

    def names(self) -> list[tuple[str, int]]:
        """Files only."""
        entries = self._run(self._client.readdir(self._folder))
        return sorted(
            (str(entry.filename), int(entry.attrs.size or 0))
            for entry in entries
            if entry.attrs.type in {asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN}
        )

    def read(self, name: str, most: int = MOST_BYTES) -> bytes | None:
        """A whole file, or its first `most` + 1 bytes."""
        content: bytes | None = self._run(self._content(f"{self._folder}/{name}", most + 1))
        return content

    def probe(self) -> None:
        """Write a file and take it away."""
        self._run(self._write(f"{self._folder}/{PROBE}", b""))
        self._run(self._client.remove(f"{self._folder}/{PROBE}"))

    async def _write(self, path: str, content: bytes) -> None:
        async with self._client.open(path, "wb") as file:
            await file.write(content)
            # Where the server cannot say "on the disk", its word that the file is closed must do.
            with suppress(asyncssh.SFTPOpUnsupported):
                await file.fsync()

    async def _content(self, path: str, most: int) -> bytes | None:
        try:
            async with self._client.open(path, "rb") as file:
                found: Any = await file.read(most)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            return None
        return bytes(found)


def _problem(detail: str, french: str, english: str) -> Problem:
    return Problem({"fr": f"{detail}.", "en": f"{detail}."}, {"fr": french, "en": english})
