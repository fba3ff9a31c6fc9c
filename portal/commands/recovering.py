"""`portal charges recover`: what is open is looked for and resolved now, and what is left is said."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.progress import Progress

from portal.billing.recovery import Findings, Recovery, Waiting
from portal.commands.context import json_option, opened
from portal.commands.ending import FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.money import format_money

WHY = {
    "answer": say("by what the operator or the merchant answered"),
    "not_shown_yet": say("its reply was lost, and the operator's list may still show it"),
    "unreadable": say("the operator's list cannot be read"),
    "put_off": say("there was no time for it"),
}


@click.command(
    help=say("Find and resolve whatever is open: forgotten tasks, lost replies, payments that nobody here knows.")
)
@json_option
def recover(as_json: bool) -> None:
    with opened() as installation:
        found = _with_a_bar(installation.recovery)
    if found is None:
        stop(say("A worker is doing this at the moment; try again in a minute."), FOUND_WRONG)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2, default=str))
    else:
        _tell(found)
    if not found.all_is_well:
        raise SystemExit(FOUND_WRONG)


def _with_a_bar(recovery: Recovery) -> Findings | None:
    if not sys.stderr.isatty():
        return recovery.now()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(say("Resolving open charges"), total=None)
        return recovery.now(lambda done, of: progress.update(task, completed=done, total=of))


def _tell(found: Findings) -> None:
    for kind, count in sorted(found.enqueued.items()):
        click.echo(say("Forgotten and taken up again: %(count)s × %(task)s", count=count, task=kind))
    click.echo(
        say(
            "%(payments)s payments read in the operator's list; %(cases)s charges open, of which %(doubts)s in doubt; %(busy)s more are being worked on.",
            payments=found.payments, cases=found.cases, doubts=found.doubts, busy=found.busy,
        )
    )  # fmt: skip
    for state, count in sorted(found.settled.items()):
        click.echo(say("Resolved, and now %(state)s: %(count)s", state=state, count=count))
    for item in found.waiting:
        click.echo(say("Still open: %(order)s (%(task)s): %(why)s", order=item.order, task=item.task, why=_why(item)))
    for payment in found.orphans:
        amount = format_money(payment.amount_cents, payment.currency, terminal_language())
        click.echo(
            say(
                "Nobody here knows the operator's payment %(ref)s for order %(order)s: %(amount)s, %(state)s. It was not touched.",
                ref=payment.ref, order=payment.reference, amount=amount, state=payment.state,
            )
        )  # fmt: skip
    if found.unreadable:
        click.echo(say("The operator's list cannot be read: %(detail)s", detail=found.unreadable))
    if not found.whole:
        click.echo(say("The round was not finished; the next one goes on."))
    if found.all_is_well:
        click.echo(say("Nothing is left open."))


def _why(item: Waiting) -> str:
    return f"{WHY[item.why]} ({item.detail})" if item.detail else WHY[item.why]
