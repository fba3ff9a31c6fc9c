"""`portal charges`: what the operator was asked to put on the invoice, to take off it again, and what was written off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy import func, select

from portal import breakers, money, words
from portal.billing import charges as rules
from portal.billing import refunds, write_offs
from portal.billing.charges import Charge
from portal.billing.refunds import Refund
from portal.billing.worker import work_once
from portal.checkout.disputes import settle
from portal.commands.context import in_words, json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.commands.recovering import recover
from portal.commands.rights_options import ACTOR, changing, from_terminal
from portal.installation import Installation
from portal.outbox import Task
from portal.refusals import Refused

reason_option: Callable[[Any], Any] = click.option(
    "--reason", required=True, help=say("Why: it is kept in the journal and in the books.")
)

REFUND_STATES = {
    "asked": say("waiting for the operator"), "disputed": say("in doubt, waiting for a decision"),
    "done": say("confirmed"), "denied": say("denied by the operator"),
}  # fmt: skip


def register(group: click.Group) -> None:
    """Add `charges`."""
    charges.add_command(recover)
    group.add_command(charges)


@click.group(help=say("Charges to the operator."))
def charges() -> None:
    """Commands on charges."""


@charges.command("list", help=say("Every charge with its state, what was refunded and what was written off."))
@click.option("--state", default="", help=say("Only this state."))
@json_option
def list_charges(state: str, as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        query = select(Charge).order_by(Charge.id.desc())
        found = session.scalars(query.where(Charge.state == state) if state else query).all()
        asked = refunds.of_orders(session)
        given_up = write_offs.reasons(session)
    rows = [
        {"order": charge.order_number, "state": charge.state, "amount_cents": charge.amount_cents,
         "refunded_cents": charge.refunded_cents, "merchant": charge.merchant_name,
         "operator_ref": charge.operator_ref, "created_at": charge.created_at,
         "refunds": [_refund_row(refund) for refund in asked.get(charge.order_number, [])],
         "written_off": given_up.get(charge.order_number)}
        for charge in found
    ]  # fmt: skip
    if not as_json:
        rows = [_readable(row) for row in rows]
    print_rows(rows, as_json=as_json, empty=say("There is no charge."))


@charges.command(help=say("Do now everything that is due: carry on, capture, void, refund."))
@json_option
def push(as_json: bool) -> None:
    with opened() as installation, breakers.asking_anyway():
        done = 0
        while work_once(installation.database, installation.owner, installation.handlers):
            done += 1
        with installation.database.reading() as session:
            waiting = session.scalar(select(func.count()).select_from(Task).where(Task.done_at.is_(None)))
    if as_json:
        click.echo(json.dumps({"done": done, "waiting": waiting}))
    else:
        click.echo(say("%(done)s tasks done or tried; %(waiting)s wait for later.", done=done, waiting=waiting))


@charges.command(help=say("Ask the operator to give back a charge, in part (--amount) or all that is left."))
@click.argument("order")
@click.option("--amount", default="", help=say("How much, VAT included, like 12.50; all that is left without it."))
@reason_option
@json_option
def refund(order: str, amount: str, reason: str, as_json: bool) -> None:
    with opened() as installation, _in_words_of_refusal(installation), changing(installation) as session:
        installation.operators.staying(session)
        charge = _charge(session, order)
        installation.operators.require(session, charge)
        made = refunds.ask(session, ACTOR, charge, _cents(amount), reason)
    if as_json:
        click.echo(json.dumps(_refund_row(made), ensure_ascii=False, indent=2, default=str))
        return
    shown = money.format_money(made.amount_cents, made.currency, terminal_language())
    click.echo(
        say(
            "The operator is asked to give back %(amount)s for order %(order)s; it counts once the operator says yes.",
            amount=shown, order=order,
        )
    )  # fmt: skip


@charges.command("write-off", help=say("Write off what was delivered and can never be charged."))
@click.argument("order")
@reason_option
@json_option
def write_off(order: str, reason: str, as_json: bool) -> None:
    with opened() as installation, _in_words_of_refusal(installation):
        with installation.database.reading() as session:
            _charge(session, order)
        with from_terminal():
            settle(installation.database, installation.operators, ACTOR, order, "write_off", reason)
        with installation.database.reading() as session:
            charge = rules.of_order(session, order)
    if as_json:
        row = {"order": order, "state": charge.state, "amount_cents": charge.amount_cents, "reason": reason}
        click.echo(json.dumps(row, ensure_ascii=False, indent=2))
        return
    shown = money.format_money(charge.amount_cents, charge.currency, terminal_language())
    click.echo(say("%(amount)s of order %(order)s is written off.", amount=shown, order=order))


def _charge(session: Any, order: str) -> Charge:
    charge = rules.locked(session, order)
    if charge is None:
        stop(say("There is no charge for order %(order)s.", order=order), BAD_USAGE)
    return charge


def _cents(amount: str) -> int | None:
    try:
        return money.parse_amount(amount) if amount else None
    except ValueError:
        raise Refused("not_an_amount") from None


@contextmanager
def _in_words_of_refusal(installation: Installation) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        with in_words(installation):
            sentence = words.reason(refused.reason)
        stop(sentence, FOUND_WRONG)


def _refund_row(refund: Refund) -> dict[str, Any]:
    return {
        "order": refund.order_number, "amount_cents": refund.amount_cents, "vat_cents": refund.vat_cents,
        "currency": refund.currency, "state": refund.state, "reason": refund.reason, "asked_by": refund.asked_by,
        "key": refund.key, "operator_ref": refund.operator_ref, "asked_at": refund.asked_at,
        "ended_at": refund.ended_at,
    }  # fmt: skip


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """One row for people: refunds and write-offs in one column, each with its reason."""
    made: Sequence[dict[str, Any]] = row.pop("refunds")
    given_up = row.pop("written_off")
    notes = [
        say(
            "refund of %(amount)s %(state)s: %(reason)s", state=REFUND_STATES[each["state"]], reason=each["reason"],
            amount=money.format_money(each["amount_cents"], each["currency"], terminal_language()),
        )
        for each in made
    ]  # fmt: skip
    if given_up:
        notes.append(say("written off: %(reason)s", reason=given_up["reason"]))
    return {**row, say("remarks"): "; ".join(notes)}
