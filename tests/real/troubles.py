"""Ways in which a database or a disk fails under a running portal, each for one block, on real files and servers."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from tests.real.postgres import Postgres

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process is in the middle of a writing transaction, and does not come to its end."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )  # fmt: skip
    assert holder.stdout
    assert holder.stdin
    assert holder.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        holder.stdin.close()
        holder.wait(60)
        holder.stdout.close()


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process can take another byte, for root and for everybody; sockets can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What is logged goes nowhere meanwhile: pytest keeps it in a file too.
    with capture_logs():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def on_each_connection(engine: Engine, begin: str, end: str) -> Iterator[None]:
    """Say something to every connection of a pool as it is taken, and the reverse afterwards."""
    now = [begin]

    def say(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.execute(now[0])

    event.listen(engine, "checkout", say)
    try:
        yield
    finally:
        now[0] = end
        taken = [engine.connect() for _ in range(engine.pool.checkedin())]  # type: ignore[attr-defined]
        for connection in taken:
            connection.close()
        event.remove(engine, "checkout", say)


@contextmanager
def stopped(server: Postgres) -> Iterator[None]:
    """The server is away."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def taking_no_writes(server: Postgres) -> Iterator[None]:
    """Every session of the server finds it read only from now on, those that are open too."""
    set_read_only(server, "on")
    try:
        yield
    finally:
        set_read_only(server, "off")


def set_read_only(server: Postgres, value: str) -> None:
    """Takes effect at once: each session reads its configuration before its next statement."""
    server.run(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    server.run("SELECT pg_reload_conf()")


@contextmanager
def once_in(owner: Any, name: str, begin: Callable[[], None]) -> Iterator[threading.Event]:
    """Something begins when a method has its first answer of this block; set once it has begun."""
    real, begun, first = getattr(owner, name), threading.Event(), threading.Lock()

    def call(*arguments: Any, **options: Any) -> Any:
        answer = real(*arguments, **options)
        if first.acquire(blocking=False):
            begin()
            begun.set()
        return answer

    setattr(owner, name, call)
    try:
        yield begun
    finally:
        delattr(owner, name)
