"""What most commands begin with: the configuration, read and checked, and how they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from flask_babel import force_locale
from rich.console import Console
from rich.table import Table

from portal import logs, settings
from portal.commands.ending import BAD_USAGE, stop
from portal.commands.language import say, terminal_language
from portal.directory.lookup import LdapDirectory
from portal.installation import Installation, directory_config, open_installation
from portal.migrations import schema
from portal.settings import Settings, SettingsError

json_option = click.option("--json", "as_json", is_flag=True, help=say("Print JSON instead of a table."))


def read_settings() -> Settings:
    """The configuration; every fault is printed and ends the command with exit code 2."""
    logs.configure()
    try:
        return settings.load()
    except SettingsError as error:
        for fault in error.faults:
            click.echo(f"{fault.where}: {fault.what}", err=True)
        stop(say("The configuration cannot be used: correct the lines above and start again."), BAD_USAGE)


@contextmanager
def opened(*, current: bool = True) -> Iterator[Installation]:
    """An installation for one command; `current` demands a database of this version."""
    installation = open_installation(read_settings())
    try:
        if current and not schema.is_current(installation.database):
            stop(say("The database is not of this version: run “portal db upgrade” first."), BAD_USAGE)
        yield installation
    finally:
        installation.close()


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
