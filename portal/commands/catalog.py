"""`portal catalog`: what is on sale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Lines

from portal import words
from portal.catalog import changes as change_list
from portal.catalog import lists as reading
from portal.catalog import offers
from portal.catalog.changes import Change
from portal.catalog.lists import Standing
from portal.catalog.synchronisation import Progress
from portal.commands.context import in_words, json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.commands.rights_options import ACTOR, from_terminal
from portal.languages import in_language
from portal.refusals import Refused

PROBLEMS = {
    reading.BUSY: say("another process is still reading this list; try again in a while"),
    reading.ON_HOLD: say("on hold until an administrator agrees to what has changed: “portal catalog changes”"),
}


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
        lists = installation.lists
        with reading_progress() as progress:
            keys = [merchant] if merchant else list(installation.merchants.loaded)
            done = [lists.now(key, progress, partial(_tell_waiting, key, set())) for key in keys]
        broken_ones = {} if merchant else installation.merchants.broken
    for key, fault in broken_ones.items():
        click.echo(f"{key}: {in_language(fault.words, terminal_language())}")
    for item in done:
        problem = PROBLEMS.get(item.problem, item.problem)
        click.echo((problem and f"{item.merchant}: {problem}") or say(
            "%(merchant)s: %(listed)s offers, %(removed)s withdrawn, %(refused)s refused",
            merchant=item.merchant, listed=item.listed, removed=item.removed, refused=item.refused_count))  # fmt: skip
        if item.held:
            click.echo("  " + say("%(held)s on hold: “portal catalog changes” says why", held=item.held))
        for refused in item.refused:
            click.echo(f"  {refused}")
    if broken_ones or any(item.problem or item.refused for item in done):
        raise SystemExit(FOUND_WRONG)


def _tell_waiting(merchant: str, told: set[str]) -> None:
    if merchant not in told:
        told.add(merchant)
        click.echo(
            say("%(merchant)s: a worker is reading this list; waiting for its end.", merchant=merchant), err=True
        )


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
        closed = installation.merchants.closed(session)
        rows = [
            {"offer": row.slug, "merchant": row.merchant_name, "title": in_language(row.title, terminal_language()),
             "gross_cents": row.gross_cents, "category": row.category, "scope": f"offer:{row.merchant}/{row.offer}"}
            for row in offers.on_sale(session) if row.merchant not in closed
        ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty=say("Nothing is on sale; run “portal catalog sync”."))


@catalog.command(help=say("When each merchant's list was last read, what came of it, and when it is read again."))
@json_option
def status(as_json: bool) -> None:
    with opened() as installation:
        found, zone = installation.lists.standing(), installation.settings.portal.zone
    rows = [_standing_row(each, zone, as_json=as_json) for each in found]
    print_rows(rows, as_json=as_json, empty=say("No merchant is configured."))


def _standing_row(each: Standing, zone: ZoneInfo, *, as_json: bool) -> dict[str, Any]:
    state = "on_hold" if each.is_on_hold else "being_read" if each.is_read_now else "failing" if each.failures else ""
    row = {
        "merchant": each.merchant, "read_at": each.read_at, "offers": each.offers, "refused": each.refused,
        "state": state, "problem": each.problem, "next_at": each.next_at,
    }  # fmt: skip
    if as_json:
        return row | {"failures": each.failures, "refusals": list(each.refusals)}
    return row | {"read_at": _local(each.read_at, zone), "next_at": _local(each.next_at, zone)}


def _local(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""


@catalog.command(help=say("What merchants have changed and an administrator must agree to before it is on sale."))
@json_option
def changes(as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        rows = [_change_row(each, as_json=as_json) for each in change_list.listing(session)]
    print_rows(rows, as_json=as_json, empty=say("Nothing waits for an administrator's word."))


def _change_row(each: Change, *, as_json: bool) -> dict[str, Any]:
    differing = {item.name: [item.before, item.after] for item in each.differences}
    row = {"change": each.change, "about": each.subject, "offers": each.offers, "refused_by": each.refused_by}
    if as_json:
        examples = [offer.slug for offer in each.examples]
        return row | {
            "merchant": each.merchant,
            "seen_at": each.seen_at,
            "differences": differing,
            "examples": examples,
        }
    return row | {"differences": "; ".join(f"{name}: {old} → {new}" for name, (old, new) in differing.items())}


@catalog.command(help=say("Agree to a CHANGE, as “portal catalog changes” names it, or refuse it."))
@click.argument("change")
@click.option("--refuse", is_flag=True, help=say("It stays on hold."))
def agree(change: str, refuse: bool) -> None:
    with opened() as installation:
        answer = change_list.refuse if refuse else change_list.agree
        try:
            with from_terminal(), installation.database.transaction() as session:
                found = answer(session, ACTOR, change)
        except Refused as refused:
            with in_words(installation):
                stop(words.reason(refused.reason), FOUND_WRONG)
    facts = {"merchant": found.merchant_name, "offers": found.offers}
    click.echo(say("%(merchant)s: %(offers)s offers stay on hold.", **facts) if refuse
               else say("%(merchant)s: agreed; %(offers)s offers are back on sale.", **facts))  # fmt: skip
