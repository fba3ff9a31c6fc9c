"""The merchants that were connected on a screen, for commands that are of use without a database as well."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import ArgumentError, DBAPIError

from portal.catalog.site import MerchantRow
from portal.commands.language import say
from portal.database import Database, unusable
from portal.migrations import schema
from portal.settings import Settings


def connected(configuration: Settings) -> tuple[list[MerchantRow], str]:
    """Those of the database, and why they are not known where there is one that cannot tell; an author may well have none."""
    schema.metadata()
    try:
        database = Database(configuration.database_url)
    except (ArgumentError, ImportError) as error:
        return [], str(error)
    try:
        return _read(database)
    except DBAPIError as error:
        why = unusable(error)
        if not why:
            raise
        return [], why
    finally:
        database.close()


def _read(database: Database) -> tuple[list[MerchantRow], str]:
    file = database.url.database if database.url.get_backend_name() == "sqlite" else None
    # To open a file that is not there would make it.
    if file is not None and not Path(file).exists():
        return [], ""
    if schema.version(database) is None:
        return [], ""
    if not schema.is_current(database):
        return [], say("it is not of this version: run “portal db upgrade” first")
    with database.reading() as session:
        here = select(MerchantRow).where(MerchantRow.connector != "", MerchantRow.disconnected_at.is_(None))
        return list(session.scalars(here.order_by(MerchantRow.key))), ""
