"""`portal test`: all tests of a checkout, with what they need named when it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say

ROOT = Path(__file__).parent.parent.parent


def register(group: click.Group) -> None:
    """Add `test`."""
    group.add_command(test)


@click.command(help=say("Run all tests (arguments go to pytest)."), context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    if not (ROOT / "tests").is_dir():
        stop(say("The tests are part of the source tree; run this command in a checkout."), BAD_USAGE)
    missing = [name for name in os.environ.get("GUICHET_TESTS_MISSING", "").split(",") if name]
    done = subprocess.run([sys.executable, "-m", "pytest", *(arguments or at_once())], cwd=ROOT, check=False)
    if missing:
        sentence = say(
            "Left out for want of %(missing)s. As root: apt-get install %(packages)s",
            missing=", ".join(missing), packages=" ".join(missing),
        )  # fmt: skip
        click.echo(sentence, err=True)
        if os.environ.get("CI") == "true":
            raise SystemExit(FOUND_WRONG)
    raise SystemExit(done.returncode)


def at_once() -> tuple[str, ...]:
    """How the whole suite is run: a file on each core, since servers of a file's own are started once for it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ("-n", str(cores), "--dist", "loadfile") if cores > 1 else ()
