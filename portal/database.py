"""The database, SQLite or PostgreSQL: one declarative base, and transactions that are either whole or nothing.

SQLite runs in WAL mode with full synchronisation and foreign keys on. A writing transaction begins
with BEGIN IMMEDIATE, so that nobody else writes until it ends. On PostgreSQL writers go on together
under READ COMMITTED: what they decide upon they lock, or change by one conditional update
(docs/decisions/0010). Either waits for a lock at most `BUSY_TIMEOUT_MS`. When the database cannot be
reached or written, SQLAlchemy's error travels up: the request fails with a sentence and nothing is half
done; `unusable` tells such an error from a mistake of ours (docs/decisions/0023).
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
from psycopg.adapt import Dumper
from sqlalchemy import DateTime, MetaData, String, TypeDecorator, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Dialect, Engine, ExceptionContext, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InvalidatePoolError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import QueuePool

BUSY_TIMEOUT_MS = 10_000
POSTGRESQL = {
    "application_name": "guichet",
    "client_encoding": "utf8",
    "connect_timeout": 5,
    # Where several servers are named, the one that can be written.
    "target_session_attrs": "read-write",
    # A server, or one of us, that vanishes without a word is noticed within a minute by both sides.
    "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000,
    "options": f"-c lock_timeout={BUSY_TIMEOUT_MS} "
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
}  # fmt: skip
"""How we connect, in libpq's own words; the query string of the URL wins (`?sslmode=verify-full`, `?passfile=…`)."""
ESCAPES = "in a password : is written %3A, / is written %2F, @ is written %40 and % is written %25"
REST_S = 1.0
"""No server restarts in less; what is busier than that would pay a round trip in vain."""
FORBIDDEN = "42501"
"""PostgreSQL's code for a right the portal's user lacks."""
READ_ONLY = "25006"
"""Its code for a server that takes no writes, such as one that another has replaced."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What every table of the portal inherits; constraints are named so that migrations can find them."""

    metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, stored in UTC, read back aware."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


State = String(16)


@compiles(String, "postgresql")
def _of_any_length(_type: String, _compiler: Any, **_options: Any) -> str:
    # SQLite keeps texts of any length: one that PostgreSQL alone refused would fail there, and only there.
    return "VARCHAR"


class Database:
    """An engine and the two ways to use it: `transaction()` to write, `reading()` to read.

    Raises:
        ArgumentError: the URL names no database that can be used here.
    """

    def __init__(self, url: str | URL) -> None:
        try:
            self.url = make_url(url)
        except ValueError:
            # Its message would show whatever stands where a port should, which may be half a password.
            raise ArgumentError(f"its port is no number; {ESCAPES}") from None
        backend = self.url.get_backend_name()
        if backend == "sqlite":
            self.engine = _sqlite_engine(self.url)
            self._reader, self._writer = self.engine, self.engine.execution_options(begin="BEGIN IMMEDIATE")
        elif backend == "postgresql":
            self.engine = _postgresql_engine(self.url)
            self._writer = self.engine.execution_options()
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        else:
            raise ArgumentError(f"{backend} cannot be used, only sqlite and postgresql+psycopg")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits when the block ends and rolls back when it raises."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment of the database and writes nothing."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def insert_missing(session: Session, table: type[Base], values: dict[str, Any]) -> None:
    """Add a row unless one with the same unique key is there, also when another process adds it at this moment."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(table).values(**values).on_conflict_do_nothing())


def insert_missing_rows(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add those of many rows whose unique key is not there yet."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    if rows:
        session.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))


def one_at_a_time(connection: Connection, what: str) -> None:
    """From here to the end of its transaction nobody else is past this line for the same thing.

    On SQLite a writing transaction is alone anyway. Raises `OperationalError` after `BUSY_TIMEOUT_MS`.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_number_of(what))))


def beside_others(connection: Connection, what: str) -> None:
    """Like `one_at_a_time`, but together with all who come by this line: only those who come by that one are kept out."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock_shared(_number_of(what))))


def _number_of(what: str) -> int:
    return int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)


def unusable(error: SQLAlchemyError) -> str:
    """Why the database cannot be used, in the driver's words on one line; "" when the mistake is another."""
    if isinstance(error, PoolTimeout):
        return "every connection is in use"
    if not isinstance(error, DBAPIError):
        return ""
    option_unknown = isinstance(error, ProgrammingError) and error.statement is None
    refused = getattr(error.orig, "sqlstate", "") in {FORBIDDEN, READ_ONLY}
    if type(error) not in {OperationalError, DatabaseError} and not option_unknown and not refused:
        return ""
    first = next(iter(str(error.orig).strip().splitlines()), "")
    return " ".join(first.removeprefix("connection failed: ").split())


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=16, max_overflow=16, connect_args={"check_same_thread": False},
        hide_parameters=True,
    )  # fmt: skip
    event.listen(engine, "connect", partial(_prepare_sqlite, waits="timeout" in url.query))
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any, *, waits: bool = False) -> None:
    # The driver's own transaction handling begins too late to hold a read; we say BEGIN ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    if not waits:
        # As on PostgreSQL, the URL's own word wins (`?timeout=2.5`, in seconds).
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _postgresql_engine(url: URL) -> Engine:
    if "@" in (url.host or ""):
        # What follows the first @ would be taken for the server's name, and shown with it.
        raise ArgumentError(f"there is one @ too many; {ESCAPES}")
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), isolation_level="READ COMMITTED",
        # Few connections stay open, since a server has about a hundred for everybody.
        pool_size=4, max_overflow=28, hide_parameters=True,
        connect_args={name: value for name, value in POSTGRESQL.items() if name not in url.query},
    )  # fmt: skip
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "checkin", _note_rest)
    event.listen(engine, "checkout", partial(_wake, engine.dialect))
    event.listen(engine, "handle_error", _leave_read_only)
    return engine


def _prepare_postgresql(connection: psycopg.Connection[Any], _record: Any) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        connection.close()
        raise psycopg.OperationalError(
            f"the database is encoded in {encoding}, not in UTF8, and cannot hold every name"
        )
    connection.adapters.register_dumper(str, _Text)


def _note_rest(connection: psycopg.Connection[Any] | None, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()
    if connection is not None and not connection.closed:
        # After a reader it would say READ WRITE, and pass over what the server's administrator has ordered.
        connection.read_only = None


def _wake(dialect: Dialect, connection: Any, record: Any, _proxy: Any) -> None:
    """A connection that has rested is tried before it is used, so that a restart of the server goes unseen."""
    if time.monotonic() - record.info.get("rests_since", time.monotonic()) < REST_S:
        return
    try:
        dialect.do_ping(connection)
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _leave_read_only(context: ExceptionContext) -> None:
    """A server that takes no writes any more is left: the next connection looks for the one that does."""
    if getattr(context.original_exception, "sqlstate", "") == READ_ONLY:
        context.is_disconnect = True


class _Text(Dumper):
    """Text without U+0000, which PostgreSQL cannot hold and visitors may send: U+FFFD stands in its place."""

    def dump(self, obj: str) -> bytes:
        return obj.replace("\0", "\ufffd").encode()
