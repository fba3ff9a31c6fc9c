"""How a command ends: with a sentence, and an exit code that scripts can read."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

FOUND_WRONG = 1
BAD_USAGE = 2


def stop(sentence: str, code: int) -> NoReturn:
    """End the command with a sentence and an exit code."""
    click.echo(sentence, err=True)
    sys.exit(code)
