"""Which version a database is at, and how it gets to ours."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData

from portal.database import Base, Database, one_at_a_time

FOLDER = Path(__file__).parent
ROOMS_WITH_TABLES = (
    "portal.audit",
    "portal.billing.charges",
    "portal.billing.ledger",
    "portal.billing.operator_choice",
    "portal.billing.refunds",
    "portal.billing.turns",
    "portal.breakers",
    "portal.catalog.consent",
    "portal.catalog.facets",
    "portal.catalog.offers",
    "portal.catalog.reports",
    "portal.catalog.runs",
    "portal.catalog.search",
    "portal.catalog.site",
    "portal.checkout.orders",
    "portal.checkout.packs",
    "portal.checkout.quotes",
    "portal.checkout.requests",
    "portal.checkout.uploads",
    "portal.daily",
    "portal.directory.accounts",
    "portal.directory.sessions",
    "portal.directory.throttle",
    "portal.mail.messages",
    "portal.outbox",
    "portal.rights.ceilings",
    "portal.rights.delegations",
    "portal.rights.groups",
    "portal.rights.holds",
    "portal.rights.rules",
)


class NewerSchema(Exception):
    """The database was made by a later version of the portal; this one must not touch it."""


def metadata() -> MetaData:
    """Every table of every room."""
    for module in ROOMS_WITH_TABLES:
        importlib.import_module(module)
    return Base.metadata


def configuration() -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def version(database: Database) -> str | None:
    """The revision a database is at; None when it is empty."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_current(database: Database) -> bool:
    """Whether a database has exactly our schema."""
    return version(database) == ScriptDirectory.from_config(configuration()).get_current_head()


def upgrade(database: Database) -> None:
    """Bring a database to our version; does nothing when it is there already.

    Raises:
        NewerSchema: the database is of a later version than this code.
    """
    at = version(database)
    script = ScriptDirectory.from_config(configuration())
    if at == script.get_current_head():
        return
    if at is not None and at not in {revision.revision for revision in script.walk_revisions()}:
        raise NewerSchema(at)
    config = configuration()
    with database.engine.execution_options(begin="BEGIN IMMEDIATE").connect() as connection, _rebuilding(connection):
        # Several machines may start at one moment; whoever comes second finds nothing left to do.
        one_at_a_time(connection, "schema")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


@contextmanager
def _rebuilding(connection: Connection) -> Iterator[None]:
    """Let SQLite build a table anew that others point at.

    It changes a constraint only so, and dropping the old table would break every key that points there.
    Nothing can be said about that within a transaction (https://www.sqlite.org/lang_altertable.html, 7).
    """
    driver = connection.connection.driver_connection
    if connection.dialect.name != "sqlite" or driver is None:
        yield
        return
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.rollback()
        driver.execute("PRAGMA foreign_keys = ON")
