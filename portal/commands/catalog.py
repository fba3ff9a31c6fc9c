"""`portal catalog`: what is on sale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Lines

from portal.catalog import offers
from portal.catalog.synchronisation import Progress, synchronise
from portal.commands.context import json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.languages import in_language


def register(group: click.Group) -> None:
    """Add `catalog`."""
    group.add_command(catalog)


@click.group(help=say("The catalogue."))
def catalog() -> None:
    """Commands on the catalogue."""


@catalog.command(help=say("Read what the merchants sell now (all, or one MERCHANT)."))
@click.argument("merchant", default="")
def sync(merchant: str) -> None:
    with opened() as installation:
        if merchant and merchant not in installation.merchants.loaded:
            broken = installation.merchants.broken.get(merchant)
            why = in_language(broken.words, terminal_language()) if broken else say("it is not in the configuration")
            stop(say("Merchant %(merchant)s: %(why)s.", merchant=merchant, why=why), BAD_USAGE)
        with reading_progress() as progress:
            done = synchronise(installation.database, installation.merchants, merchant, progress)
        broken_ones = {} if merchant else installation.merchants.broken
    for key, fault in broken_ones.items():
        click.echo(f"{key}: {in_language(fault.words, terminal_language())}")
    for item in done:
        click.echo((item.problem and f"{item.merchant}: {item.problem}") or say(
            "%(merchant)s: %(listed)s offers, %(removed)s withdrawn, %(refused)s refused",
            merchant=item.merchant, listed=item.listed, removed=item.removed, refused=item.refused_count))  # fmt: skip
        for refused in item.refused:
            click.echo(f"  {refused}")
    if broken_ones or any(item.problem or item.refused for item in done):
        raise SystemExit(FOUND_WRONG)


@contextmanager
def reading_progress() -> Iterator[Progress]:
    """A line on a terminal for each merchant, with what was read of its list so far; nothing elsewhere."""
    columns = (TextColumn("{task.description}"), SpinnerColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Lines(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as shown:
        lines: dict[str, TaskID] = {}

        def told(merchant: str, read: int) -> None:
            if merchant not in lines:
                lines[merchant] = shown.add_task(merchant, total=None)
            shown.update(lines[merchant], completed=read)

        yield told


@catalog.command("list", help=say("Every offer on sale."))
@json_option
def list_offers(as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        rows = [
            {"offer": row.slug, "merchant": row.merchant_name, "title": in_language(row.title, terminal_language()),
             "gross_cents": row.gross_cents, "category": row.category, "scope": f"offer:{row.merchant}/{row.offer}"}
            for row in offers.on_sale(session)
        ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty=say("Nothing is on sale; run “portal catalog sync”."))
