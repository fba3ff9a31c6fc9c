"""What commands on rights have in common: a group by its name, a scope, days, and who is typing."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click
from flask_babel import get_locale
from sqlalchemy.orm import Session

from portal import audit
from portal.catalog import offers
from portal.commands.context import in_words
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say
from portal.directory.answers import Group
from portal.directory.config import DirectoryUnknown
from portal.installation import Installation
from portal.rights.scopes import Scope, parse_scope
from portal.sentences import Names

ACTOR = "command line"


class ScopeType(click.ParamType[Scope]):
    """`all`, `category:NAME`, `merchant:KEY` or `offer:KEY/ID`."""

    name = "scope"

    def convert(self, value: str | Scope, param: click.Parameter | None, ctx: click.Context | None) -> Scope:
        """A scope from what was typed."""
        try:
            return value if isinstance(value, Scope) else parse_scope(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class DayType(click.ParamType[date]):
    """A day: `2026-12-31`."""

    name = "day"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """A day from what was typed."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(say("%(value)s is not a day; write it like 2026-12-31.", value=value), param, ctx)


scope_option = click.option(
    "--scope",
    type=ScopeType(),
    default="all",
    show_default=True,
    help=say("all, category:NAME, merchant:KEY or offer:KEY/ID."),
)
days_options: Callable[[Any], Any] = lambda command: click.option(  # noqa: E731 - two options, as one decorator
    "--from", "first", type=DayType(), help=say("The first day it holds.")
)(click.option("--until", "last", type=DayType(), help=say("The last day it holds."))(command))


def instants(first: date | None, last: date | None, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """The company's days as the moments (UTC) between which something holds, the end excluded."""
    if first and last and first > last:
        stop(say("The last day lies before the first: nothing was changed."), BAD_USAGE)
    starts = datetime.combine(first, time.min, zone).astimezone(UTC) if first else None
    ends = datetime.combine(last + timedelta(days=1), time.min, zone).astimezone(UTC) if last else None
    return starts, ends


@contextmanager
def changing(installation: Installation) -> Iterator[Session]:
    """One transaction; the journal notes from which terminal it was made."""
    with from_terminal(), installation.database.transaction() as session:
        yield session


@contextmanager
def from_terminal() -> Iterator[None]:
    """A block in which the journal notes this terminal."""
    with audit.acting_from(f"{_user()}@{socket.gethostname()}"):
        yield


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "?"


def one_group(installation: Installation, name: str) -> Group:
    """A group given by its name or DN, which must exist and be the only one."""
    try:
        found = installation.directory.find_group(name)
    except DirectoryUnknown as error:
        stop(say("The directory could not be asked (%(detail)s): nothing was changed.", detail=str(error)), FOUND_WRONG)
    if not found:
        stop(say("No group of the directory is named %(name)s: nothing was changed.", name=name), BAD_USAGE)
    if len(found) > 1:
        several = "; ".join(group.dn for group in found)
        stop(
            say("Several groups are named %(name)s; give the whole DN: %(found)s", name=name, found=several), BAD_USAGE
        )
    return found[0]


def note_empty(installation: Installation, scope: Scope) -> None:
    """Say so when nothing on sale lies within a scope: a name may be mistyped, or its merchant not read yet."""
    with installation.database.reading() as session:
        if not offers.on_sale(session, scope, limit=1):
            click.echo(say("Nothing on sale lies within %(scope)s now: is it written as in “portal catalog list”?", scope=scope), err=True)  # fmt: skip


@contextmanager
def naming(installation: Installation) -> Iterator[Names]:
    """A block in which sentences can be said, with what merchants and offers are called in the terminal's language."""
    with in_words(installation):
        with installation.database.reading() as session:
            merchants, titles = offers.names(session, str(get_locale() or "fr")[:2])
        yield Names(merchants, titles)
