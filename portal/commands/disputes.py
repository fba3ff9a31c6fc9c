"""`portal disputes`: what nobody can decide automatically, with its evidence, and the decision."""

from __future__ import annotations

import json
from typing import Any, get_args

import click

from portal import words
from portal.admin.purchase_sheet import Case, case_of, waiting
from portal.billing.disputes import Choice
from portal.checkout.disputes import ORDER_CHOICES, settle
from portal.commands.context import in_words, json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, FOUND_WRONG, stop
from portal.commands.language import say, terminal_language
from portal.commands.rights_options import ACTOR, from_terminal
from portal.languages import in_language
from portal.money import format_money
from portal.refusals import Refused

CHOICES = (*ORDER_CHOICES, *get_args(Choice))


def register(group: click.Group) -> None:
    """Add `disputes`."""
    group.add_command(disputes)


@click.group(help=say("Disputes: purchases that wait for a person's decision."))
def disputes() -> None:
    """Commands on disputes."""


@disputes.command("list", help=say("Every purchase that waits for a decision, with what is safe now."))
@json_option
def list_disputes(as_json: bool) -> None:
    with opened() as installation, installation.database.reading() as session:
        cases = [case_of(session, order.number) for order, _account in waiting(session)]
    rows = [_row(case) for case in cases if case]
    if not as_json:
        rows = [
            {say("number"): row["order"], say("who"): row["login"], say("what"): in_language(row["title"], terminal_language()),
             say("price"): format_money(row["gross_cents"], row["currency"], terminal_language()),
             say("state"): f"{row['state']}, {row['charge']['state']}", say("choices"): ", ".join(row["choices"])}
            for row in rows
        ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty=say("Nothing waits for a decision."))


@disputes.command(help=say("Everything both sides said of one purchase, as JSON."))
@click.argument("order")
def show(order: str) -> None:
    with opened() as installation, installation.database.reading() as session:
        case = case_of(session, order)
    if case is None:
        stop(say("There is no order %(order)s.", order=order), BAD_USAGE)
    said = [
        {"at": each.at, "side": each.side, "event": each.event, **dict(each.facts)} for each in case.happenings
    ]  # fmt: skip
    click.echo(json.dumps([{**_row(case), "evidence": said}], ensure_ascii=False, indent=2, default=str))


@disputes.command(
    help=say("Decide: one of the choices that “disputes list” shows; “look” asks the operator and changes nothing.")
)
@click.argument("order")
@click.argument("choice", type=click.Choice(CHOICES))
@click.option("--reason", default="", help=say("Why: it is kept in the journal and in the books."))
def decide(order: str, choice: str, reason: str) -> None:
    with opened() as installation:
        with installation.database.reading() as session:
            if case_of(session, order) is None:
                stop(say("There is no order %(order)s.", order=order), BAD_USAGE)
        try:
            with from_terminal():
                settle(installation.database, installation.operators, ACTOR, order, choice, reason)
        except Refused as refused:
            with in_words(installation):
                sentence = words.reason(refused.reason)
            stop(sentence, FOUND_WRONG)
        with installation.database.reading() as session:
            case = case_of(session, order)
    left = ", ".join(case.choices) if case else ""
    click.echo(say("Done. Choices that are safe now: %(choices)s", choices=left or say("none")))


def _row(case: Case) -> dict[str, Any]:
    order, charge = case.order, case.evidence.charge
    return {
        "order": order.number, "login": case.account.login, "title": order.title, "subject": order.subject,
        "merchant": order.merchant, "gross_cents": order.gross_cents, "currency": order.currency, "state": order.state,
        "key": order.key, "merchant_ref": order.merchant_ref, "created_at": order.created_at,
        "charge": {"state": charge.state, "key": charge.key, "operator_ref": charge.operator_ref,
                   "refunded_cents": charge.refunded_cents, "offline_at": charge.offline_at},
        "choices": case.choices,
    }  # fmt: skip
