"""`portal verify` and `portal audit`: the proof that the money is right, and who did what."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import date
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from portal import audit as journal
from portal.admin import journal as book
from portal.audit import AuditEntry
from portal.billing.operators import name_of
from portal.checkout.books import Books, Period, compare
from portal.checkout.verification import Breach
from portal.checkout.verification import verify as prove
from portal.commands.context import json_option, opened, print_rows
from portal.commands.ending import FOUND_WRONG
from portal.commands.language import say, terminal_language
from portal.commands.rights_options import DayType, instants
from portal.installation import Installation
from portal.money import format_money


def register(group: click.Group) -> None:
    """Add `verify` and `audit`."""
    group.add_command(verify)
    group.add_command(audit)


EXPLANATIONS = {
    "unknown_here": say("nobody here knows this order"),
    "not_there": say(
        "it is booked here and not in the other book: its list may lag behind, or the line was lost there"
    ),
    "other_amount": say("both books have the line, with another amount"),
    "charge_disputed": say("the charge is a dispute that waits for a decision"),
    "charge_written_off": say("it was written off here, and charged there all the same"),
    "charge_voided": say("it was cancelled here, and charged there all the same"),
    "charge_new": say("the charge was not reserved here yet"),
    "charge_reserved": say("the charge was not noted here yet"),
    "charge_missing": say("the charge of this order is missing here"),
    "order_disputed": say("the order is a dispute that waits for a decision"),
    "order_failed": say("the purchase failed here, and was delivered there all the same"),
    "order_missing": say("the order is missing here"),
    "refund_in_doubt": say("a refund is in doubt and waits for a decision"),
    "refund_by_others": say("more was given back there than was asked for here"),
    "refund_not_there": say("it was confirmed here as given back, and is not in the operator's list"),
}
EXPLAINED = {
    "written_off": say("%(order)s: delivered by %(merchant)s for %(amount)s and written off by %(by)s: %(reason)s"),
    "given_up": say(
        "%(order)s: given up by %(by)s (%(reason)s), and delivered for %(amount)s by the word of %(merchant)s: refuse its invoice, or pay it outside of here"
    ),
}


@click.command(help=say("Prove that the books are right; with --books also against the operator's and the merchants'."))
@click.option("--books", is_flag=True, help=say("Compare with the operator's and the merchants' books."))
@click.option("--from", "first", type=DayType(), help=say("The first day of purchases that --books compares."))
@click.option("--until", "last", type=DayType(), help=say("The last day of purchases that --books compares."))
@json_option
def verify(books: bool, first: date | None, last: date | None, as_json: bool) -> None:
    compared = None
    with opened() as installation:
        breaches = prove(installation.database, installation.storage)
        if books:
            starts, ends = instants(first, last, installation.settings.portal.zone)
            compared = _compare(installation, Period(starts, ends))
            breaches += compared.differences
    if as_json:
        click.echo(json.dumps(_as_json(breaches, compared), ensure_ascii=False, indent=2, default=str))
    else:
        _tell(breaches, compared)
    if breaches:
        raise SystemExit(FOUND_WRONG)


def _compare(installation: Installation, period: Period) -> Books:
    """With a bar on a terminal: every payment is asked for its refunds."""
    if not sys.stderr.isatty():
        return compare(installation.means, period)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(say("Reading the other books"), total=None)
        return compare(installation.means, period, lambda: progress.advance(task))


def _tell(breaches: list[Breach], compared: Books | None) -> None:
    for name, lines in (compared.lines if compared else {}).items():
        cents = compared.totals[name] if compared else 0
        click.echo(say("%(name)s: %(lines)s lines, %(cents)s cents", name=name, lines=lines, cents=cents))
    if compared and compared.moving:
        click.echo(
            say(
                "Still on their way, and not compared until they have arrived: %(numbers)s",
                numbers=", ".join(sorted(compared.moving)),
            )
        )
    for identity, count in (compared.elsewhere if compared else {}).items():
        click.echo(
            say(
                "Not compared: %(count)s charges of %(operator)s, which is not in force any more.",
                count=count, operator=name_of(identity),
            )
        )  # fmt: skip
    for line in compared.explained if compared else []:
        click.echo(
            EXPLAINED[line.kind]
            % {**asdict(line), "amount": format_money(line.amount_cents, line.currency, terminal_language())}
        )  # fmt: skip
    for breach in breaches:
        click.echo(
            say(
                "Invariant %(number)s broken, %(subject)s: %(detail)s",
                number=breach.invariant, subject=breach.subject, detail=_detail(breach),
            )
        )  # fmt: skip
    if not breaches:
        click.echo(say("Everything agrees."))


def _detail(breach: Breach) -> str:
    """The facts, and the explanation where there is one."""
    known = EXPLANATIONS.get(breach.because)
    return f"{breach.detail} ({known})" if known else breach.detail


def _as_json(breaches: list[Breach], compared: Books | None) -> dict[str, Any]:
    found = [
        {"invariant": breach.invariant, "subject": breach.subject, "detail": breach.detail,
         "because": breach.because}
        for breach in breaches
    ]  # fmt: skip
    content: dict[str, Any] = {"breaches": found}
    if compared:
        content |= {
            "lines": compared.lines, "totals": compared.totals, "moving": sorted(compared.moving),
            "elsewhere": compared.elsewhere,
            **{kind: [asdict(line) for line in compared.explained if line.kind == kind] for kind in EXPLAINED},
        }  # fmt: skip
    return content


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
@click.option("--hash", "digest", default="", help=say("Also look for this hash, as a daily log line noted it."))
@json_option
def verify_audit(digest: str, as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        broken = journal.first_broken(session)
        newest = journal.newest(session)
        known = not digest or journal.has_hash(session, digest.strip().lower())
    if as_json:
        entries = {"broken": broken, "newest": newest}
        said = {name: {"id": entry.id, "at": entry.at, "hash": entry.hash} if entry else None
                for name, entry in entries.items()}  # fmt: skip
        click.echo(json.dumps({**said, "hash_known": known}, ensure_ascii=False, indent=2, default=str))
    else:
        _tell_chain(broken, newest, known=known)
    if broken or not known:
        raise SystemExit(FOUND_WRONG)


def _tell_chain(broken: AuditEntry | None, newest: AuditEntry | None, *, known: bool) -> None:
    if broken:
        click.echo(say("The chain is broken at entry %(id)s of %(at)s.", id=broken.id, at=broken.at))
    if not known:
        click.echo(say("No entry has this hash: the journal was rewritten or cut since it was noted."))
    if not broken and known:
        click.echo(say("The chain verifies."))
        if newest:
            click.echo(say("Newest entry: %(id)s, %(hash)s", id=newest.id, hash=newest.hash))
