"""A private PostgreSQL on a free loopback port, owned by an unprivileged user, with as many databases as tests want."""

from __future__ import annotations

import glob
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from portal.database import Database
from portal.migrations import schema
from tests.real.slapd import free_port

USER = "guichet"
NOT_DURABLE = ("fsync=off", "full_page_writes=off")
"""Tests stop the server in order; what a power cut would lose is nobody's."""


def require_postgresql() -> Path:
    """Where the server's programs are, or why these tests cannot run: a failure in CI, never a silent skip."""
    newest = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(Path(path).parts[4]))
    program = newest[-1] if newest else shutil.which("initdb")
    if not program:
        reason = "PostgreSQL is missing: apt-get install postgresql"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return Path(str(program)).parent


@dataclass
class Postgres:
    """A running server; every database of it is made from a template and can be dropped."""

    programs: Path
    folder: Path
    port: int
    password: str
    settings: tuple[str, ...]
    owner: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=count)

    def url(self, name: str = "postgres") -> str:
        """A database as `portal.toml` names it."""
        return f"postgresql+psycopg://{USER}:{self.password}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        chosen = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", *self.settings)
        command = [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *(word for setting in chosen for word in ("-c", setting))],
                stdout=log, stderr=log, cwd=self.folder, **self.owner,
            )  # fmt: skip
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up and self.process.poll() is None:
            try:
                self.run("SELECT 1")
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: in order without waiting for its users, or (SIGQUIT) as in a power cut."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(120)
            self.process = None

    def run(self, statement: str) -> None:
        """One statement as the server's administrator."""
        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(statement.encode())

    def make(self, template: str = "template1") -> str:
        """A new database, a copy of another that nobody is connected to; returns its name."""
        name = f"portal_{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Away with it, whoever is connected."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def furnished(self, furnish: Callable[[Database], None] = schema.upgrade) -> str:
        """A new database with our tables, and what else `furnish` puts into it; returns its name."""
        name = self.make()
        database = Database(self.url(name))
        furnish(database)
        database.close()
        return name


@contextmanager
def private_postgresql(*settings: str) -> Iterator[Postgres]:
    """A server for one block, with settings of its own (`fsync=off`)."""
    programs = require_postgresql()
    # initdb refuses root; Debian's package makes a user for it.
    owner: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="guichet-postgresql-"))
    if os.getuid() == 0:
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
        person = known.get("postgres") or known["nobody"]
        owner = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}
        os.chown(folder, person.pw_uid, person.pw_gid)
    server = Postgres(programs, folder, free_port(), secrets.token_hex(12), settings, owner)
    secret = folder / "password"
    secret.write_text(server.password)
    try:
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}",
             "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, cwd=folder, **owner,
        )  # fmt: skip
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
