"""`portal db`: the schema."""

from __future__ import annotations

import click

from portal.commands.context import opened
from portal.commands.language import say
from portal.migrations import schema


def register(group: click.Group) -> None:
    """Add `db`."""
    group.add_command(db)


@click.group(help=say("The database."))
def db() -> None:
    """Commands on the schema."""


@db.command(help=say("Bring the database to this version."))
def upgrade() -> None:
    with opened(current=False) as installation:
        schema.upgrade(installation.database)
        click.echo(say("The database is at version %(version)s.", version=schema.version(installation.database)))
