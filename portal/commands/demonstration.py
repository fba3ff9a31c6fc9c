"""`portal demo`: everything on loopback, from nothing to a purchase, ended by Ctrl-C."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portal.commands.ending import BAD_USAGE, stop
from portal.commands.language import say, terminal_language
from portal.money import parse_amount

if TYPE_CHECKING:
    from demo.company import Company

PORTAL_PORT, CONSOLE_PORT = 8000, 8001
START_LIMIT_S = 30


def register(group: click.Group) -> None:
    """Add `demo`."""
    group.add_command(demo)


@click.command(help=say("Run everything on this machine: directory, operator, merchants, portal and worker."))
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help=say("Keep the data in this folder instead of a temporary one."),
)
@click.option(
    "--port",
    default=PORTAL_PORT,
    show_default=True,
    help=say("Port of the portal; the next free one when it is taken."),
)
@click.option(
    "--offline-limit",
    default="",
    help=say(
        "Accept purchases up to this amount, like 20.00, while the operator is down; without it they are refused."
    ),
)
def demo(keep: Path | None, port: int, offline_limit: str) -> None:
    try:
        parse_amount(offline_limit or "0")
    except ValueError:
        stop(say("%(amount)s is not an amount of money; write it like 200.00.", amount=offline_limit), BAD_USAGE)
    with tempfile.TemporaryDirectory(prefix="guichet-demo-") as temporary:
        folder = (keep or Path(temporary)).absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "portal.log").touch()
        except OSError as error:
            stop(
                say(
                    "%(folder)s cannot be written (%(why)s): choose another folder with --keep.",
                    folder=folder,
                    why=error.strerror,
                ),
                BAD_USAGE,
            )
        _run(folder, _free_port(port), offline_limit, keep=keep is not None)


def _run(folder: Path, port: int, offline_limit: str, *, keep: bool) -> None:
    configuration = folder / "portal.toml"
    portal = _start_portal(configuration, folder / "portal.log")
    try:
        from demo import kept_books
        from demo.company import start_company
        from demo.partners import PARTNERS

        signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
        company = start_company(folder, _free_port(CONSOLE_PORT, besides=port), PARTNERS)
        if keep:
            kept_books.recall(folder, company)
        try:
            company.configure(folder, port, offline_limit)
            _tell(portal, configuration)
            _wait_until_ready(port, portal, folder)
            _print_welcome(company, port, folder)
            portal.wait()
            click.echo(
                say("The portal has ended by itself; the end of its log:") + "\n" + _end_of_log(folder), err=True
            )
        except KeyboardInterrupt:
            click.echo("\n" + say("Stopping."))
        finally:
            portal.terminate()
            portal.wait()
            if keep:
                kept_books.keep(folder, company)
            company.stop()
    finally:
        portal.terminate()


def _start_portal(configuration: Path, log_file: Path) -> subprocess.Popen[bytes]:
    """It loads while the company opens, and begins when it is told the configuration's name."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    environment["PORTAL_CONFIG"] = str(configuration)
    with log_file.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "demo.portal"], env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def _tell(portal: subprocess.Popen[bytes], configuration: Path) -> None:
    if portal.stdin is not None:
        with contextlib.suppress(BrokenPipeError), portal.stdin as pipe:
            pipe.write(f"{configuration}\n".encode())


def _wait_until_ready(port: int, portal: subprocess.Popen[bytes], folder: Path) -> None:
    give_up = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up and portal.poll() is None:
        if _is_ready(port):
            return
        time.sleep(0.05)
    stop(say("The portal did not start. The end of its log:") + "\n" + _end_of_log(folder), 1)


def _end_of_log(folder: Path) -> str:
    return (folder / "portal.log").read_text(encoding="utf-8", errors="replace")[-2000:]


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _print_welcome(company: Company, port: int, folder: Path) -> None:
    from demo import people
    from demo.companies import COMPANIES

    example = next(iter(COMPANIES.values()))
    click.echo(say("Guichet is ready:") + click.style(f"  http://127.0.0.1:{port}", bold=True))
    click.echo(say("The other side (operator, merchants, groups):") + f"  {company.console.url}")
    click.echo(say("Sign in with one of these, password %(password)s:", password=people.PASSWORD))
    for login, french, english in people.SAMPLE_LOGINS:
        click.echo(f"  {login:<18} {french if terminal_language() == 'fr' else english}")
    click.echo(say("A company to look up: %(name)s, SIREN %(siren)s.", name=example.name, siren=example.siren))
    click.echo(say("Configuration: PORTAL_CONFIG=%(path)s", path=folder / "portal.toml"))
    click.echo(say("Ctrl-C ends everything."))
    sys.stdout.flush()


def _free_port(wanted: int, besides: int = 0) -> int:
    """The first port from `wanted` on that nobody listens on, nor will (`besides`)."""
    for port in [*(each for each in range(wanted, wanted + 50) if each != besides), 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("no free port")
