"""`portal merchants`: who sells here and how each stands; pausing one at once, connecting and disconnecting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from portal import words
from portal.admin import merchant_sheet
from portal.admin.merchant_sheet import Sheet
from portal.catalog import connecting, site
from portal.catalog.following import Draft
from portal.commands.catalog import reading_progress
from portal.commands.context import in_words, json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.commands.rights_options import ACTOR, changing, from_terminal
from portal.installation import Installation
from portal.languages import in_language
from portal.money import format_money
from portal.refusals import Refused

USAGE = {
    "merchant_key",
    "merchant_key_taken",
    "merchant_key_other",
    "merchant_address",
    "merchant_manifest",
    "choice_gone",
}


def register(group: click.Group) -> None:
    """Add `merchants`."""
    group.add_command(merchants)


@click.group(help=say("Merchants of this site."))
def merchants() -> None:
    """Commands on merchants."""


@merchants.command(
    "list", help=say("Every merchant: whether it sells and answers, its last list, its disputes, what was spent.")
)
@json_option
def list_merchants(as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        found = merchant_sheet.sheets(session, installation.merchants, installation.settings)
    rows = [_row(sheet) for sheet in found]
    if not as_json:
        rows = [_shown(row, sheet) for row, sheet in zip(rows, found, strict=True)]
    print_rows(rows, as_json=as_json, empty=say("No merchant sells here yet."))


@merchants.command(
    help=say("Sell nothing of a merchant from this moment on, in every process; open orders are finished.")
)
@click.argument("key")
def pause(key: str) -> None:
    with opened() as installation:
        _require(installation, key)
        with _in_words(installation), changing(installation) as session:
            site.pause(session, ACTOR, key)
    click.echo(say("%(key)s sells nothing any more.", key=key))


@merchants.command(help=say("Let a merchant sell again."))
@click.argument("key")
def resume(key: str) -> None:
    with opened() as installation:
        _require(installation, key)
        with _in_words(installation), changing(installation) as session:
            site.resume(session, ACTOR, key)
    click.echo(say("%(key)s sells again.", key=key))


@merchants.command(
    help=say("Connect a merchant: it is tested first, its credentials are asked for and kept encrypted.")
)
@click.argument("connector")
@click.option("--key", default="", help=say("Its name on this site; by default the connector's."))
@click.option("--base-url", default="", help=say("The address of its interface; by default the one of its manifest."))
@click.option(
    "--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=say("The merchant's manifest, for a connector that speaks a protocol."),
)  # fmt: skip
def connect(connector: str, key: str, base_url: str, manifest: Path | None) -> None:
    with opened() as installation:
        text = manifest.read_text(encoding="utf-8") if manifest else ""
        found = merchant_sheet.available_as(connector, installation.settings, text)
        if found is None or found.why:
            why = in_language(found.why, terminal_language()) if found else say("there is no such connector")
            stop(say("Connector %(name)s: %(why)s.", name=connector, why=why), BAD_USAGE)
        secrets = {name: click.prompt(name, hide_input=True, err=True) for name in found.secrets}
        draft = Draft(key or connector, connector, base_url, text, secrets)
        with _in_words(installation), from_terminal():
            connecting.connect(installation.database, installation.merchants, ACTOR, draft)
        with reading_progress() as progress:
            done = installation.lists.now(draft.key, progress)
    click.echo(say("%(key)s is connected and sells %(listed)s offers.", key=draft.key, listed=done.listed))
    if done.problem:
        stop(say("Its list could not be read to its end: %(problem)s", problem=done.problem), FOUND_WRONG)


@merchants.command(
    help=say("Disconnect a merchant that was connected here, and erase its credentials; its orders and documents stay.")
)
@click.argument("key")
def disconnect(key: str) -> None:
    with opened() as installation:
        sheet = _require(installation, key)
        with _in_words(installation), changing(installation) as session:
            site.disconnect(session, ACTOR, key)
    click.echo(say("%(key)s is disconnected.", key=key))
    if sheet.figures.open:
        click.echo(
            say("%(count)s orders are still open: they wait until it is connected again.", count=sheet.figures.open)
        )


def _require(installation: Installation, key: str) -> Sheet:
    with installation.database.reading() as session:
        found = merchant_sheet.sheets(session, installation.merchants, installation.settings)
    sheet = next((each for each in found if each.key == key and each.state != "gone"), None)
    if sheet is None:
        known = ", ".join(each.key for each in found if each.state != "gone")
        stop(say("No merchant is named %(key)s here; there are: %(known)s.", key=key, known=known), BAD_USAGE)
    return sheet


@contextmanager
def _in_words(installation: Installation) -> Iterator[None]:
    """A block whose refusal ends the command with its sentence, and with what a test has found."""
    try:
        yield
    except Refused as refused:
        with in_words(installation):
            click.echo(words.reason(refused.reason), err=True)
        for problem in refused.reason.facts.get("problems", []):
            what, remedy = (in_language(each, terminal_language()) for each in (problem.what, problem.remedy))
            click.echo(f"  {what}\n  → {remedy}", err=True)
        raise SystemExit(BAD_USAGE if refused.reason.code in USAGE else FOUND_WRONG) from None


def _row(sheet: Sheet) -> dict[str, Any]:
    manifest, report = sheet.manifest, sheet.report
    return {
        "merchant": sheet.key, "name": sheet.name, "connector": sheet.connector,
        "version": manifest.version if manifest else "", "sandbox": manifest.sandbox if manifest else None,
        "configured": "here" if sheet.is_here else "" if sheet.state == "gone" else "portal.toml", "state": sheet.state,
        "why": in_language(sheet.why, terminal_language()) if sheet.why else "", "tier": sheet.tier,
        "away_since": sheet.away.since if sheet.away else None, "read_at": report.at if report else None,
        "offers": sheet.on_sale, "refused": report.refused_count if report else 0,
        "problem": report.problem if report else "", "open": sheet.figures.open, "disputed": sheet.figures.disputed,
        "month_cents": sheet.figures.month_cents, "all_cents": sheet.figures.all_cents,
    }  # fmt: skip


def _shown(row: dict[str, Any], sheet: Sheet) -> dict[str, Any]:
    """The same in a width that terminals have."""
    language = terminal_language()
    sums = {name: format_money(row[f"{name}_cents"], "EUR", language) for name in ("month", "all")}
    few = {
        name: row[name]
        for name in ("merchant", "name", "connector", "configured", "state", "tier", "offers", "refused", "disputed")
    }
    read_at = f"{sheet.report.at:%Y-%m-%d %H:%M} UTC" if sheet.report else ""
    return {**few, "tier": row["tier"] or "", "away": "!" if sheet.away else "", "read_at": read_at, **sums}
