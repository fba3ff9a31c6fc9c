"""`portal catalog` and `portal connectors`: what is on sale, and the modules that bring it."""

from __future__ import annotations

import click

from connectors.merchants import registry
from portal.catalog import offers
from portal.catalog.synchronisation import synchronise
from portal.commands.context import json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.languages import in_language


def register(group: click.Group) -> None:
    """Add `catalog` and `connectors`."""
    group.add_command(catalog)
    group.add_command(connectors)


@click.group(help=say("The catalogue."))
def catalog() -> None:
    """Commands on the catalogue."""


@catalog.command(help=say("Read what the merchants sell now (all, or one MERCHANT)."))
@click.argument("merchant", default="")
def sync(merchant: str) -> None:
    with opened() as installation:
        if merchant and merchant not in installation.merchants.loaded:
            stop(
                say(
                    "There is no merchant %(merchant)s in the configuration, or its connector is broken.",
                    merchant=merchant,
                ),
                BAD_USAGE,
            )
        done = synchronise(installation.database, installation.merchants, merchant)
    for item in done:
        click.echo((item.problem and f"{item.merchant}: {item.problem}") or say(
            "%(merchant)s: %(listed)s offers, %(removed)s withdrawn, %(refused)s refused",
            merchant=item.merchant, listed=item.listed, removed=item.removed, refused=len(item.refused)))  # fmt: skip
        for refused in item.refused:
            click.echo(f"  {refused}")
    if any(item.problem or item.refused for item in done):
        raise SystemExit(FOUND_WRONG)


@catalog.command("list", help=say("Every offer on sale."))
@json_option
def list_offers(as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        rows = [
            {"offer": row.slug, "merchant": row.merchant_name, "title": in_language(row.title, terminal_language()),
             "gross_cents": row.gross_cents, "category": row.category, "scope": f"offer:{row.merchant}/{row.offer}"}
            for row in offers.search(session)
        ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty=say("Nothing is on sale; run “portal catalog sync”."))


@click.group(help=say("Connector modules."))
def connectors() -> None:
    """Commands on connectors."""


@connectors.command("list", help=say("Every connector there is, and whether it is in use."))
@json_option
def list_connectors(as_json: bool) -> None:
    with opened(current=False) as installation:
        used: dict[str, list[str]] = {}
        for key, section in installation.settings.merchants.items():
            used.setdefault(section.connector, []).append(key)
        rows = [{"connector": name, "used_as": ", ".join(used.get(name, []))} for name in registry.names()]
    print_rows(rows, as_json=as_json, empty=say("There is no connector."))
