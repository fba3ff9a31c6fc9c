"""The spool: every line and file of charges ever made, in an SQLite database of its own, safe to kill at any instruction.

What SQLite has committed is on the disk (rollback journal, `synchronous = EXTRA`), and one process
writes at a time, also over a shared folder whose locks hold. A line enters at most one file: a trigger
forbids it a second. When the disk cannot be read or written, operations raise `SpoolUnusable`, and
nothing has been kept.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

PATIENCE_S = 10.0
TABLES = """
CREATE TABLE about (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, series TEXT NOT NULL);
CREATE TABLE files (
    number INTEGER PRIMARY KEY, account TEXT NOT NULL, day TEXT NOT NULL, currency TEXT NOT NULL, name TEXT NOT NULL UNIQUE,
    content BLOB NOT NULL, signature BLOB NOT NULL, sha256 TEXT NOT NULL,
    charges INTEGER NOT NULL, refunds INTEGER NOT NULL, net_cents INTEGER NOT NULL, closed_at TEXT NOT NULL,
    verdict TEXT NOT NULL DEFAULT '' CHECK (verdict IN ('', 'accepted', 'accepted_in_part', 'refused')), answered_at TEXT
);
CREATE TABLE issues (
    number INTEGER NOT NULL REFERENCES files, repeat INTEGER NOT NULL, name TEXT NOT NULL UNIQUE, delivered_at TEXT,
    PRIMARY KEY (number, repeat)
);
CREATE TABLE lines (
    ref TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('charge', 'refund')), key TEXT NOT NULL UNIQUE,
    charge_ref TEXT REFERENCES lines, state TEXT NOT NULL CHECK (state IN ('reserved', 'captured', 'voided', 'denied')),
    reference TEXT NOT NULL, line TEXT NOT NULL, amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    vat_cents INTEGER NOT NULL CHECK (vat_cents BETWEEN 0 AND amount_cents), currency TEXT NOT NULL,
    description TEXT NOT NULL, merchant_name TEXT NOT NULL, merchant_id TEXT NOT NULL, category TEXT NOT NULL,
    product_id TEXT NOT NULL, created_at TEXT NOT NULL, captured_at TEXT,
    sent_at TEXT, operator_ref TEXT NOT NULL DEFAULT '',
    file_number INTEGER REFERENCES files, position INTEGER, code TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '',
    UNIQUE (file_number, position), CHECK ((file_number IS NULL) = (position IS NULL)),
    CHECK (file_number IS NULL OR state IN ('captured', 'denied')),
    CHECK ((kind = 'refund') = (charge_ref IS NOT NULL))
);
CREATE INDEX lines_created ON lines (created_at);
CREATE INDEX lines_waiting ON lines (captured_at) WHERE file_number IS NULL AND state = 'captured';
CREATE INDEX lines_of_charge ON lines (charge_ref) WHERE charge_ref IS NOT NULL;
CREATE TABLE answers (
    name TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, read_at TEXT NOT NULL, problems TEXT NOT NULL,
    PRIMARY KEY (name, size)
);
CREATE TRIGGER in_one_file_only BEFORE UPDATE OF file_number, position ON lines WHEN OLD.file_number IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'a line is in one file only'); END;
CREATE TRIGGER a_file_never_changes BEFORE UPDATE OF number, account, content, signature, sha256, name ON files
    BEGIN SELECT RAISE(ABORT, 'a file never changes'); END;
CREATE TRIGGER no_file_is_deleted BEFORE DELETE ON files BEGIN SELECT RAISE(ABORT, 'a file is never deleted'); END;
CREATE TRIGGER no_line_is_deleted BEFORE DELETE ON lines BEGIN SELECT RAISE(ABORT, 'a line is never deleted'); END;
"""
VERSION = 1


class SpoolUnusable(Exception):
    """The spool cannot be opened, read or written. `kept` is None when nobody can say whether a write was kept."""

    def __init__(self, detail: str, *, kept: bool | None = False) -> None:
        super().__init__(detail)
        self.detail, self.kept = detail, kept


class Spool:
    """One spool; opened anew for each operation, so that threads and forks share nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "usage.db"

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone. Raises `SpoolUnusable`."""
        with self._opened() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
            except sqlite3.DatabaseError as error:
                raise SpoolUnusable(f"{self.path}: {error}") from error
            try:
                connection.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                raise SpoolUnusable(f"{self.path}: {error}", kept=None) from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the spool. Raises `SpoolUnusable`."""
        with self._opened() as connection:
            try:
                connection.execute("BEGIN")
                yield connection
            except sqlite3.DatabaseError as error:
                raise SpoolUnusable(f"{self.path}: {error}") from error

    def check(self) -> None:
        """Write something that changes nothing. Raises `SpoolUnusable`."""
        with self.writing() as connection:
            connection.execute("UPDATE about SET version = version")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise SpoolUnusable(f"{self.folder}: {error}") from error
        # Closing rolls back what was not committed.
        with closing(connection):
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA synchronous = EXTRA")
                _furnish(connection)
            except sqlite3.DatabaseError as error:
                raise SpoolUnusable(f"{self.path}: {error}") from error
            yield connection


def _furnish(connection: sqlite3.Connection) -> None:
    if _is_furnished(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been first, between the look and the lock.
    if not _is_furnished(connection):
        for statement in _statements(TABLES):
            connection.execute(statement)
        connection.execute("INSERT INTO about VALUES (1, ?, ?)", (VERSION, secrets.token_hex(4)))
    connection.execute("COMMIT")


def _is_furnished(connection: sqlite3.Connection) -> bool:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'about'").fetchone() is None:
        return False
    if connection.execute("SELECT version FROM about").fetchone()[0] != VERSION:
        raise sqlite3.DatabaseError("made by another version of Guichet")
    return True


def _statements(script: str) -> Iterator[str]:
    # `executescript` would commit first: the tables and the series are made at once or not at all.
    statement = ""
    for piece in script.strip().splitlines():
        statement += piece + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
