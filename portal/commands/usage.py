"""`portal usage`: files of charges for operators that bill from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from connectors.contract import ChargeFile, ChargeFiles, ConnectorError, Rejected
from portal import clock
from portal.billing.usage import dispute_rejected
from portal.commands.context import json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.installation import Installation
from portal.languages import in_language


def register(group: click.Group) -> None:
    """Add `usage`."""
    group.add_command(usage)


@click.group(help=say("Files of charges for an operator that bills from them."))
def usage() -> None:
    """Commands on usage files."""


@usage.command("list", help=say("Every file of charges, and what the operator said of it."))
@json_option
def list_files(as_json: bool) -> None:
    with _files() as (_installation, files):
        rows = [_row(file) for file in files.listing()]
    print_rows(rows, as_json=as_json, empty=say("There is no file yet."))


@usage.command(help=say("Close the days that have ended and deliver their files; the worker does it every night."))
@click.option("--today", is_flag=True, help=say("Close today as well, as far as it has come."))
@json_option
def close(today: bool, as_json: bool) -> None:
    with _files() as (installation, files):
        day = clock.now().astimezone(installation.settings.portal.zone).date()
        made = files.close(day + timedelta(days=1) if today else day)
        given = files.deliver()
        numbers = {file.number for file in made} | {file.number for file in given}
        rows = [_row(file) for file in files.listing() if file.number in numbers]
    print_rows(rows, as_json=as_json, empty=say("Nothing waits for a file."))


@usage.command(help=say("Deliver a file again under a name that says so: same number, same bytes."))
@click.argument("number", type=click.IntRange(1))
def reissue(number: int) -> None:
    with _files() as (_installation, files):
        try:
            file = files.reissue(number)
        except Rejected:
            stop(
                say("There is no file %(number)s; “portal usage list” shows those there are.", number=number), BAD_USAGE
            )
    if file.state == "closed":
        click.echo(say("File %(number)s will be delivered by the worker.", number=number))
    else:
        click.echo(say("File %(number)s was delivered again (re-issue %(times)s).", number=number, times=file.repeats))


@usage.command(help=say("Read the operator's answers now, and list all that were ever read."))
@json_option
def answers(as_json: bool) -> None:
    with _files() as (installation, files):
        new = files.read_answers()
        disputed = dispute_rejected(installation.database, files)
        language = terminal_language()
        rows = [
            {"name": answer.name, "read_at": answer.read_at.isoformat(timespec="seconds"),
             "problems": [in_language(problem.what, language) for problem in answer.problems]}
            for answer in files.answers()
        ]  # fmt: skip
    if not as_json:
        for row in rows:
            row["problems"] = "\n".join(row["problems"])
    print_rows(rows, as_json=as_json, empty=say("The operator has not answered yet."))
    for problem in new:
        click.echo(f"{in_language(problem.what, language)} {in_language(problem.remedy, language)}", err=True)
    if disputed:
        numbers = ", ".join(line.reference for line in disputed)
        click.echo(say("Refused by the operator, to be decided on: %(numbers)s", numbers=numbers), err=True)
    if new or disputed:
        raise SystemExit(FOUND_WRONG)


@usage.command(help=say("The public key that files' signatures verify with; the pair is made when there is none."))
def key() -> None:
    with _files() as (_installation, files):
        click.echo(files.public_key(), nl=False)


@contextmanager
def _files() -> Iterator[tuple[Installation, ChargeFiles]]:
    """The operator's files; says why when it takes none, or when they cannot be had."""
    with opened() as installation:
        files = installation.operator.files
        if files is None:
            stop(say('This operator is told each charge at once; files are for adapter = "usage_file".'), BAD_USAGE)
        try:
            yield installation, files
        except ConnectorError as error:
            stop(say("%(detail)s: “portal check” says what to do.", detail=error.detail), FOUND_WRONG)


def _row(file: ChargeFile) -> dict[str, Any]:
    times = {name: at.isoformat(timespec="seconds") if at else "" for name, at in {
        "closed_at": file.closed_at, "delivered_at": file.delivered_at, "answered_at": file.answered_at,
    }.items()}  # fmt: skip
    return {**asdict(file), "day": file.day.isoformat(), **times}
