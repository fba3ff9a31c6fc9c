"""`portal connectors`: the modules that bring merchants; a new one, its proof, and what is recorded for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from connectors.contract import ConnectorError
from connectors.http import Network
from connectors.kit import TIERS, Report, Result, Tier, prove, prove_all, recorder
from connectors.kit.skeleton import CannotMake, make_skeleton
from connectors.kit.story import FixturesError, read_story
from connectors.kit.tiers import remember, tier_of
from connectors.manifest import SiteText, Source
from connectors.merchants import registry
from connectors.merchants.trust import Trust
from portal import settings
from portal.commands.catalog import sync
from portal.commands.connected import connected
from portal.commands.context import json_option, print_rows, read_settings
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.languages import in_language
from portal.settings_faults import SettingsError

MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}


@dataclass(frozen=True)
class Use:
    """How a merchant of this site uses a connector."""

    site: Source | None
    trust: Trust


def register(group: click.Group) -> None:
    """Add `connectors`."""
    group.add_command(connectors)
    # What an author tries after `check`; the same command as `catalog sync`.
    connectors.add_command(sync)


@click.group(help=say("Connector modules."))
def connectors() -> None:
    """Commands on connectors."""


@connectors.command(
    "list", help=say("Every connector there is, whether it is in use, its tier, and what is wrong with it.")
)
@json_option
def list_connectors(as_json: bool) -> None:
    configuration = read_settings()
    used: dict[str, dict[str, Use]] = {}
    for key, section in configuration.merchants.items():
        site = configuration.path(section.manifest) if section.manifest else None
        used.setdefault(configuration.connector(section), {})[key] = Use(site, section.trust)
    rows_of_screen, why = connected(configuration)
    for row in rows_of_screen:
        # Should a name stand in both, the file wins.
        if row.key not in configuration.merchants:
            used.setdefault(row.connector, {})[row.key] = Use(SiteText(row.manifest) if row.manifest else None, "")
    rows = [
        {"connector": name, "used_as": ", ".join(used.get(name, {})), "tier": _tier(configuration.folder, name),
         "code": _code(name, used.get(name, {})), "wrong": _wrong_with(name, used.get(name, {}))}
        for name in sorted({*registry.names(), *used})
    ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty=say("There is no connector."))
    if why:
        # What is listed is true without them; only who uses it may be more.
        click.echo(say("Merchants connected on the screen are not named here. The database cannot be read: %(detail)s.", detail=why), err=True)  # fmt: skip
    if any(row["wrong"] for row in rows):
        raise SystemExit(FOUND_WRONG)


def _wrong_with(connector: str, used: Mapping[str, Use]) -> str:
    """What is wrong with a connector as it is used; a protocol that nobody uses has no manifest to be wrong."""
    # Code of others that nobody uses is not run, and is nothing wrong: its manifest alone is read.
    unused = set() if connector in registry.PROTOCOLS else {Use(None, _trust_of(connector))}
    found = []
    for use in sorted(set(used.values()) or unused, key=str):
        try:
            registry.read_connector(connector, use.site, use.trust)
        except registry.ConnectorBroken as broken:
            found.append(_told(broken))
    return "; ".join(found)


def _told(broken: registry.ConnectorBroken) -> str:
    """Why it cannot be used, and what to do."""
    said = (in_language(words, terminal_language()) for words in (broken.words, broken.remedy))
    return ". ".join(text for text in said if text)


def _code(connector: str, used: Mapping[str, Use]) -> str:
    """Whose code speaks, and where it runs."""
    words = {
        "declared": say("none: data only"),
        "shipped": say("shipped"),
        "own_process": say("in its own process"),
        "in_process": say("of others, within the portal"),
        "refused": say("of others, not enabled"),
    }
    try:
        levels = {registry.level_of(connector, trust) for trust in {use.trust for use in used.values()} or {""}}
    except registry.ConnectorBroken:
        return ""
    return ", ".join(words[level] for level in sorted(levels))


def _trust_of(connector: str) -> Trust:
    """How code runs that is put to the proof: apart, when it is of others."""
    try:
        return "own_process" if registry.level_of(connector) == "refused" else ""
    except registry.ConnectorBroken:
        return ""


def _tier(place: Path, connector: str) -> str:
    try:
        tier = tier_of(place, connector, registry.folder_of(connector))
    except registry.ConnectorBroken:
        return ""
    return say("not checked") if tier is None else tier or say("none")


@connectors.command(help=say("Make a connector NAME that runs, to change into yours."))
@click.argument("name")
@click.option(
    "--folder", "parent", type=click.Path(path_type=Path, file_okay=False),
    help=say("Make it within this folder instead of beside those that are shipped."),
)  # fmt: skip
def new(name: str, parent: Path | None) -> None:
    try:
        folder = make_skeleton(name, parent)
    except CannotMake as error:
        sentence = {
            "name": say("A name is made of small letters, digits and dashes: %(name)s is none.", name=name),
            "there": say("There is a connector %(name)s already.", name=name),
        }
        stop(sentence[error.code], BAD_USAGE)
    click.echo(say("%(folder)s: read connector.toml, change it, and prove each step with", folder=folder))
    click.echo(f"  ./run connectors check {folder if parent else name}")


@connectors.command(
    help=say("Prove a connector (its name, or its folder) against its fixtures; nothing leaves this machine.")
)
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help=say("Every connector there is."))
@click.option("--tier", type=click.Choice(TIERS), default="gold", help=say("The last tier to prove."))
@click.option("--show", is_flag=True, help=say("Show also what was sent and received when a check was passed."))
@click.option(
    "--in-process", is_flag=True, help=say("Run code that is not shipped in this process, to debug your own.")
)
@json_option
def check(names: tuple[str, ...], everything: bool, tier: Tier, show: bool, in_process: bool, as_json: bool) -> None:
    # A protocol has no merchant of its own to prove.
    shipped = [name for name in registry.names() if name not in registry.PROTOCOLS]
    wanted = [*names, *(shipped if everything else [])]
    if not wanted:
        stop(say("Name a connector, or say --all."), BAD_USAGE)
    places = [_place_of(name, in_process=in_process) for name in wanted]
    folder, name, trust = places[0]
    proved = prove_all(places, tier) if len(places) > 1 else iter([prove(folder, name, tier, trust)])
    shown = track(proved, total=len(places), disable=not sys.stderr.isatty(), transient=True, description="", console=Console(stderr=True))  # fmt: skip
    reports = list(shown)
    for (folder, name, _trust), report in zip(places, reports, strict=True):
        if tier == TIERS[-1]:
            _remember(name or str(folder), folder, report.tier)
    if as_json:
        click.echo(json.dumps([_as_json(report) for report in reports], ensure_ascii=False, indent=2))
    for report in [] if as_json else reports:
        _print(report, show=show)
    if any(report.failed for report in reports):
        raise SystemExit(FOUND_WRONG)


@connectors.command(
    help=say("Ask the story of a connector's fixtures of its configured merchant, and write the exchanges down.")
)
@click.argument("name")
@click.option("--yes", is_flag=True, help=say("Do not ask: the merchant takes the orders of the story as real ones."))
def record(name: str, yes: bool) -> None:
    configuration = read_settings()
    section = next(
        (each for each in configuration.merchants.values() if name in {each.connector, configuration.connector(each)}),
        None,
    )
    if section is None:
        stop(say("No merchant of portal.toml uses the connector %(name)s.", name=name), BAD_USAGE)
    if not yes:
        click.confirm(say("The merchant takes the orders of the story as real ones. Go on?"), abort=True)
    ca_file = configuration.network.ca_file
    private = tuple(configuration.network.private_hosts)
    trusted = str(configuration.path(ca_file)) if ca_file else ""
    network = Network(configuration.network.proxy, trusted, private_hosts=private)
    secrets = {key: value.get_secret_value() for key, value in section.secrets.items()}
    try:
        name = configuration.connector(section)
        folder = registry.folder_of(name)
        with recorder.recording(name, folder / "fixtures", section.base_url, secrets, network, section.trust) as (
            connector,
            written,
        ):
            recorder.record(
                connector, written, read_story(folder), f"record-{token_hex(8)}", f"G-REC-{token_hex(3).upper()}"
            )
            paths = written.write()
    except registry.ConnectorBroken as broken:
        stop(_told(broken), BAD_USAGE)
    except FixturesError as error:
        stop(in_language(error.words, terminal_language()), BAD_USAGE)
    except ConnectorError as error:
        stop(say("The merchant did not answer as the story needs: %(detail)s", detail=f"{type(error).__name__}: {error.detail}"), FOUND_WRONG)  # fmt: skip
    for path in paths:
        click.echo(path)
    click.echo(
        say("Read them before you share them: secrets, addresses and telephone numbers are taken out, names cannot be.")
    )


def _place_of(name: str, *, in_process: bool) -> tuple[Path, str, Trust]:
    """The folder of a connector, the name it is found by when it is installed, and where its code runs."""
    if (Path(name) / "connector.toml").is_file() and name not in registry.names():
        folder, name = Path(name).resolve(), ""
    else:
        folder = _folder_of(name)
    has_code = (folder / "connector.py").exists()
    apart = has_code and not in_process and not registry.is_shipped(folder)
    return folder, name, "own_process" if apart else "in_process"


def _folder_of(name: str) -> Path:
    try:
        return registry.folder_of(name)
    except registry.ConnectorBroken as broken:
        stop(_told(broken), BAD_USAGE)


def _remember(name: str, folder: Path, tier: str) -> None:
    """Keep the tier where `list` finds it; an author's machine need not have a portal."""
    try:
        remember(settings.load().folder, name, folder, tier)
    except (SettingsError, OSError):
        return


def _as_json(report: Report) -> dict[str, Any]:
    checks = [
        {"id": result.check.id, "tier": result.check.tier, "outcome": result.outcome,
         "sentence": in_language(result.check.words, terminal_language()),
         "why": in_language(result.why, terminal_language()), "remedy": in_language(result.remedy, terminal_language()),
         "exchanges": list(result.exchanges)}
        for result in report.results
    ]  # fmt: skip
    return {"connector": report.connector, "tier": report.tier, "failed": len(report.failed), "checks": checks}


def _print(report: Report, *, show: bool) -> None:
    told: dict[str, str] = {}
    for result in report.results:
        before = told.setdefault(result.why.get("en", ""), result.check.id) if result.outcome == "failed" else ""
        _print_result(result, show=show, before="" if before == result.check.id else before)
    count = {outcome: sum(result.outcome == outcome for result in report.results) for outcome in MARKS}
    click.echo(say(
        "%(connector)s: %(tier)s (%(passed)s passed, %(failed)s failed, %(skipped)s skipped)",
        connector=report.connector, tier=report.tier or say("no tier"), **count))  # fmt: skip


def _print_result(result: Result, *, show: bool, before: str) -> None:
    """One check; what failed for the same reason as one `before` says only so."""
    language = terminal_language()
    click.echo(f"{MARKS[result.outcome]} {result.check.id:<22} {in_language(result.check.words, language)}")
    if before:
        click.echo("    " + say("The same as under %(check)s.", check=before))
        return
    for text in (in_language(result.why, language), in_language(result.remedy, language)):
        if text:
            click.echo(f"    {text}")
    for exchange in result.exchanges if show or result.outcome == "failed" else ():
        click.echo("    " + exchange.replace("\n", "\n    "))
