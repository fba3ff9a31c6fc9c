"""`portal demo`: everything on loopback, from nothing to a purchase, ended by Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx2

from portal import logs, settings
from portal.catalog.synchronisation import synchronise
from portal.commands.context import BAD_USAGE, stop
from portal.commands.language import say, terminal_language
from portal.installation import Installation, open_installation
from portal.migrations import schema
from portal.money import parse_amount
from portal.rights.ceilings import add_ceiling
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope

if TYPE_CHECKING:
    from demo.company import Company

PORTAL_PORT, CONSOLE_PORT = 8000, 8001
START_LIMIT_S = 30


def register(group: click.Group) -> None:
    """Add `demo`."""
    group.add_command(demo)


@click.command(help=say("Run everything on this machine: directory, operator, merchants, portal and worker."))
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help=say("Keep the data in this folder instead of a temporary one."))
@click.option("--port", default=PORTAL_PORT, show_default=True, help=say("Port of the portal; the next free one when it is taken."))
def demo(keep: Path | None, port: int) -> None:
    logs.configure(level=30)
    with tempfile.TemporaryDirectory(prefix="guichet-demo-") as temporary:
        folder = (keep or Path(temporary)).absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "portal.log").touch()
        except OSError as error:
            stop(say("%(folder)s cannot be written (%(why)s): choose another folder with --keep.", folder=folder, why=error.strerror), BAD_USAGE)
        _run(folder, _free_port(port))


def _run(folder: Path, port: int) -> None:
    from demo.company import start_company

    company = start_company(folder, _free_port(CONSOLE_PORT))
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    try:
        configuration = folder / "portal.toml"
        configuration.write_text(company.configuration(port), encoding="utf-8")
        _furnish(configuration)
        with _portal(configuration, folder / "portal.log") as portal:
            try:
                _wait_until_ready(port, portal, folder)
                _print_welcome(company, port, folder)
                portal.wait()
            except KeyboardInterrupt:
                click.echo("\n" + say("Stopping."))
            finally:
                portal.terminate()
    finally:
        company.stop()


def _furnish(configuration: Path) -> None:
    """A database with its rules, its ceiling and its catalogue; nothing is done twice."""
    installation = open_installation(settings.load(configuration, {}))
    fresh = schema.version(installation.database) is None
    schema.upgrade(installation.database)
    if fresh:
        _make_rules(installation)
    synchronise(installation.database, installation.merchants)
    installation.close()


def _make_rules(installation: Installation) -> None:
    from demo import people

    with installation.database.transaction() as session:
        for group, right in (
            (people.GROUP_ACHATS, "buy"), (people.GROUP_CONSULTATION, "browse"),
        ):  # fmt: skip
            add_rule(session, "demonstration", group, Scope("all"), right, "allow")
        add_ceiling(
            session, "demonstration", "each", people.GROUP_STAGIAIRES, Scope("all"), "month", parse_amount("20.00"), "EUR"
        )


def _portal(configuration: Path, log_file: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    environment["PORTAL_CONFIG"] = str(configuration)
    log = log_file.open("ab")
    return subprocess.Popen([sys.executable, "-m", "portal", "serve"], env=environment, stdout=log, stderr=log, start_new_session=True)


def _wait_until_ready(port: int, portal: subprocess.Popen[bytes], folder: Path) -> None:
    give_up = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up and portal.poll() is None:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=2).status_code == 200:
                return
        except httpx2.HTTPError:
            time.sleep(0.1)
    last = (folder / "portal.log").read_text(encoding="utf-8", errors="replace")[-2000:]
    stop(say("The portal did not start. The end of its log:") + "\n" + last, 1)


def _print_welcome(company: Company, port: int, folder: Path) -> None:
    from demo import people

    click.echo(say("Guichet is ready:") + click.style(f"  http://127.0.0.1:{port}", bold=True))
    click.echo(say("The other side (operator, merchants, groups):") + f"  {company.console.url}")
    click.echo(say("Sign in with one of these, password %(password)s:", password=people.PASSWORD))
    for login, french, english in people.SAMPLE_LOGINS:
        click.echo(f"  {login:<18} {french if terminal_language() == 'fr' else english}")
    click.echo(say("Configuration: PORTAL_CONFIG=%(path)s", path=folder / "portal.toml"))
    click.echo(say("Ctrl-C ends everything."))
    sys.stdout.flush()


def _free_port(wanted: int) -> int:
    for port in [*range(wanted, wanted + 50), 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("no free port")
