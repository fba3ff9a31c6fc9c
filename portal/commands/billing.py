"""`portal charges`, `portal verify` and `portal audit`: the money, and the proof that it is right."""

from __future__ import annotations

from datetime import date

import click
from sqlalchemy import select

from portal import audit as journal
from portal.admin import journal as book
from portal.billing.charges import Charge
from portal.billing.worker import work_once
from portal.checkout.books import compare
from portal.checkout.verification import verify as prove
from portal.commands.context import json_option, opened, print_rows
from portal.commands.ending import FOUND_WRONG
from portal.commands.language import say
from portal.commands.rights_options import DayType
from portal.outbox import Task


def register(group: click.Group) -> None:
    """Add `charges`, `verify` and `audit`."""
    group.add_command(charges)
    group.add_command(verify)
    group.add_command(audit)


@click.group(help=say("Charges to the operator."))
def charges() -> None:
    """Commands on charges."""


@charges.command("list", help=say("Every charge with its state."))
@click.option("--state", default="", help=say("Only this state."))
@json_option
def list_charges(state: str, as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        query = select(Charge).order_by(Charge.id.desc())
        rows = [
            {"order": charge.order_number, "state": charge.state, "amount_cents": charge.amount_cents,
             "merchant": charge.merchant_name, "operator_ref": charge.operator_ref, "created_at": charge.created_at}
            for charge in session.scalars(query.where(Charge.state == state) if state else query)
        ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty=say("There is no charge."))


@charges.command(help=say("Do now everything that is due: carry on, capture, void."))
def push() -> None:
    with opened() as installation:
        done = 0
        while work_once(installation.database, installation.owner, installation.handlers):
            done += 1
        with installation.database.reading() as session:
            waiting = len(session.scalars(select(Task.id).where(Task.done_at.is_(None))).all())
    click.echo(say("%(done)s tasks done or tried; %(waiting)s wait for later.", done=done, waiting=waiting))


@click.command(help=say("Prove that the books are right; with --books also against the operator's and the merchants'."))
@click.option("--books", is_flag=True, help=say("Compare with the operator's and the merchants' books."))
def verify(books: bool) -> None:
    with opened() as installation:
        breaches = prove(installation.database, installation.storage)
        if books:
            compared = compare(installation.means)
            breaches += compared.differences
            for name, lines in compared.lines.items():
                cents = compared.totals[name]
                click.echo(say("%(name)s: %(lines)s lines, %(cents)s cents", name=name, lines=lines, cents=cents))
            if compared.moving:
                click.echo(
                    say(
                        "Still on their way, and not compared until they have arrived: %(numbers)s",
                        numbers=", ".join(sorted(compared.moving)),
                    )
                )
    for breach in breaches:
        click.echo(
            say(
                "Invariant %(number)s broken, %(subject)s: %(detail)s",
                number=breach.invariant,
                subject=breach.subject,
                detail=breach.detail,
            )
        )
    if breaches:
        raise SystemExit(FOUND_WRONG)
    click.echo(say("Everything agrees."))


@click.group(help=say("The audit journal."))
def audit() -> None:
    """Commands on the journal."""


@audit.command("list", help=say("The newest entries of the journal, by who, what and when."))
@click.option("--about", default="", help=say("Text in the actor, the subject or the address."))
@click.option("--action", default="", help=say("Only this action, like rule_added."))
@click.option("--from", "first", type=DayType(), help=say("The first day."))
@click.option("--until", "last", type=DayType(), help=say("The last day."))
@json_option
def list_audit(about: str, action: str, first: date | None, last: date | None, as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        zone = installation.settings.portal.zone
        found = book.every_entry(session, book.Filter(about, action, first, last), zone)
        rows = [book.as_row(entry, zone) for entry in found]
    if not as_json:
        names = ("id", "at", "actor", "address", "action", "subject")
        rows = [{name: row[name] for name in names} for row in rows[-200:]]
    print_rows(rows, as_json=as_json, empty=say("Nothing in the journal matches."))


@audit.command("verify", help=say("Verify the chain of the journal; name its first broken line."))
def verify_audit() -> None:
    with opened() as installation, installation.database.reading() as session:
        broken = journal.first_broken(session)
    if broken:
        click.echo(say("The chain is broken at entry %(id)s of %(at)s.", id=broken.id, at=broken.at))
        raise SystemExit(FOUND_WRONG)
    click.echo(say("The chain verifies."))
