"""What most commands begin with: the configuration, read and checked, and how they end."""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from flask_babel import force_locale
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from portal import logs, settings
from portal.commands.ending import BAD_USAGE, stop
from portal.commands.language import say, terminal_language
from portal.database import unusable
from portal.directory.lookup import LdapDirectory
from portal.installation import Installation, directory_config, open_installation
from portal.migrations import schema
from portal.migrations.schema import NewerSchema
from portal.settings import Settings
from portal.settings_faults import SENTENCES, SettingsError

json_option = click.option("--json", "as_json", is_flag=True, help=say("Print JSON instead of a table."))


def read_settings() -> Settings:
    """The configuration; every fault is printed and ends the command with exit code 2."""
    # What goes well is said on standard output; only servers tell every step to their log.
    logs.configure(level=logging.WARNING)
    try:
        return settings.load()
    except SettingsError as error:
        _stop_for(error)


def _stop_for(error: SettingsError) -> NoReturn:
    for fault in error.faults:
        click.echo(f"{fault.where}: {say(SENTENCES[fault.code], **fault.facts)}", err=True)
    stop(say("The configuration cannot be used: correct the lines above and start again."), BAD_USAGE)


@contextmanager
def opened(*, current: bool = True) -> Iterator[Installation]:
    """An installation for one command; `current` demands a database of this version."""
    chosen = read_settings()
    try:
        installation = open_installation(chosen)
    except SettingsError as error:
        _stop_for(error)
    try:
        with usable_database():
            if current and not schema.is_current(installation.database):
                stop(say("The database is not of this version: run “portal db upgrade” first."), BAD_USAGE)
            yield installation
    finally:
        installation.close()


@contextmanager
def usable_database() -> Iterator[None]:
    """A block that ends the command with a sentence when the database is not there, not ours, or not of our time."""
    try:
        yield
    except NewerSchema as error:
        sentence = say(
            "The database was made by a later version of Guichet (%(version)s); update this one.", version=error
        )
        stop(sentence, BAD_USAGE)
    except DBAPIError as error:
        detail = unusable(error)
        if not detail:
            raise
        stop(f"{say('The database cannot be used: %(detail)s.', detail=detail)} {database_remedy(error)}", BAD_USAGE)


def database_remedy(error: SQLAlchemyError) -> str:
    """What to do about a database that cannot be used."""
    if isinstance(getattr(error, "orig", None), sqlite3.Error):
        return say("Check [database] url in portal.toml, and that its folder exists and may be written.")
    return say(
        "Check [database] url in portal.toml, that its server runs and can be reached, and that its user owns the database."
    )


def open_directory(settings: Settings) -> LdapDirectory:
    """The directory alone, for commands that need nothing else."""
    return LdapDirectory(directory_config(settings))


@contextmanager
def in_words(installation: Installation) -> Iterator[None]:
    """Reasons can be said in the terminal's language within this block."""
    from portal import create_app

    with create_app(installation=installation).app_context(), force_locale(terminal_language()):
        yield


def print_rows(rows: Sequence[dict[str, Any]], *, as_json: bool, empty: str) -> None:
    """A listing: a table for people, JSON for machines."""
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
        return
    if not rows:
        click.echo(empty)
        return
    table = Table(*rows[0].keys())
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 200).print(table)
