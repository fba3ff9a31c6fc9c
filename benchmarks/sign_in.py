"""What a sign-in and the groups asked again cost beside the bare round trips of the very same questions.

usage: python -m benchmarks.sign_in   (from the root of a checkout; slapd must be installed)
"""

from __future__ import annotations

import socket
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from portal.database import Database
from portal.directory import accounts, sign_in
from portal.directory.answers import Yes
from portal.directory.lookup import LdapDirectory
from portal.directory.punctual import Punctual
from portal.migrations import schema
from tests.real.slapd import Slapd, make_slapd, site

TURNS, TIMES = 40, 5
START_TLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
UNBIND = bytes.fromhex("30050201024200")
LAST_OF_AN_ANSWER = {0x61, 0x65, 0x78}
"""Bind response, search result done, extended response (RFC 4511, 4)."""


@dataclass
class Recorded:
    """The messages one question sends: on the service's connection, and the bind on the person's own."""

    searches: list[bytes] = field(default_factory=list)
    bind: bytes = b""


class Bare:
    """The same messages over sockets and TLS of Python's own, and nothing else: no reading of what the answers say."""

    def __init__(self, slapd: Slapd, service_bind: bytes) -> None:
        self._port = slapd.port
        self._context = ssl.create_default_context(cafile=str(slapd.ca_file))
        self._service = self._connect()
        self._ask(self._service, service_bind)

    def run(self, recorded: Recorded) -> None:
        """One question, message by message, each awaited."""
        first, *others = recorded.searches
        self._ask(self._service, first)
        if recorded.bind:
            with closing(self._connect()) as person:
                self._ask(person, recorded.bind)
                person.sendall(UNBIND)
        for message in others:
            self._ask(self._service, message)

    def close(self) -> None:
        """End the service's connection."""
        self._service.close()

    def _connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self._port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ask(plain, START_TLS)
        return self._context.wrap_socket(plain, server_hostname="127.0.0.1")

    @staticmethod
    def _ask(connected: socket.socket, message: bytes) -> None:
        connected.sendall(message)
        content = b""
        while not _is_whole(content):
            content += connected.recv(65_536)


def _is_whole(content: bytes) -> bool:
    """Whether these messages end with the last of an answer."""
    position = 0
    while position + 2 <= len(content):
        length, head = content[position + 1], 2
        if length & 0x80:
            head += length & 0x7F
            length = int.from_bytes(content[position + 2 : position + head], "big")
        if position + head + length > len(content):
            return False
        # The message's number comes first, as one to four bytes.
        operation = content[position + head + 2 + content[position + head + 1]]
        position += head + length
        if operation in LAST_OF_AN_ANSWER:
            return True
    return False


@contextmanager
def recording(recorded: Recorded) -> Iterator[None]:
    """Within this block, what the portal sends is kept."""
    original = Punctual.sendall

    def noted(self: Punctual, content: bytes) -> None:
        # SEQUENCE, message number, then the operation: 0x60 bind, 0x63 search.
        head = 2 + (content[1] & 0x7F if content[1] & 0x80 else 0)
        operation = content[head + 2 + content[head + 1]]
        if operation == 0x63:
            recorded.searches.append(content)
        elif operation == 0x60:
            recorded.bind = content
        original(self, content)

    Punctual.sendall = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Punctual.sendall = original  # type: ignore[method-assign]


def recorded_questions(slapd: Slapd, login: str) -> tuple[bytes, Recorded, Recorded]:
    """The service's bind, a sign-in, and a person read again."""
    service, entering, again = Recorded(), Recorded(), Recorded()
    with closing(LdapDirectory(site(slapd))) as directory:
        with recording(service):
            directory.find_people(login)
        with recording(entering):
            answer = directory.sign_in(login, "secret")
        assert isinstance(answer, Yes), answer
        with recording(again):
            directory.read(answer.person.id)
    assert entering.bind
    assert not again.bind
    return service.bind, entering, again


def by_turns(ways: list[Callable[[], object]]) -> list[float]:
    """Milliseconds of each way, measured in short turns of one run."""
    spent: list[list[float]] = [[] for _ in ways]
    for turn in range(TURNS + 2):
        for way, times in zip(ways, spent, strict=True):
            for _ in range(TIMES):
                began = time.perf_counter()
                way()
                if turn >= 2:
                    times.append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in spent]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        slapd = make_slapd(Path(folder) / "slapd")
        try:
            measure(slapd, Path(folder))
        finally:
            slapd.stop()


def measure(slapd: Slapd, folder: Path) -> None:
    """One table: a sign-in, and the groups asked again."""
    service_bind, entering, again = recorded_questions(slapd, "zoe")
    bare = Bare(slapd, service_bind)
    directory = LdapDirectory(site(slapd))
    database = Database(f"sqlite:///{folder}/portal.db")
    schema.upgrade(database)
    sign_in.sign_in(database, directory, "zoe", "secret", "", 4)
    with database.reading() as session:
        account = accounts.find(session, "zoe")
    assert account
    entered = by_turns([
        lambda: bare.run(entering), lambda: directory.sign_in("zoe", "secret"),
        lambda: sign_in.sign_in(database, directory, "zoe", "secret", "", 4),
    ])  # fmt: skip
    asked = by_turns([
        lambda: bare.run(again), lambda: directory.read(account.directory_id),
        lambda: sign_in.confirmed_account(database, directory, account),
    ])  # fmt: skip
    table = Table(
        "question", "messages", "bare ms", "directory ms", "÷ bare", "with the database ms", "÷ bare", "beyond bare ms"
    )
    for name, recorded, (raw, ours, whole) in (("sign-in", entering, entered), ("groups again", again, asked)):
        messages = len(recorded.searches) + bool(recorded.bind)
        table.add_row(
            name, str(messages), f"{raw:.2f}", f"{ours:.2f}", f"{ours / raw:.2f}", f"{whole:.2f}", f"{whole / raw:.2f}",
            f"{whole - raw:.2f}",
        )  # fmt: skip
    Console(width=120).print(table)
    bare.close()
    directory.close()
    database.close()


if __name__ == "__main__":
    main()
