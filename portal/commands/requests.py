"""`portal requests`: what people ask to buy over a ceiling, and the answer."""

from __future__ import annotations

from typing import Any

import click

from portal import money
from portal.checkout import requests
from portal.checkout.request_mail import tell_asker
from portal.checkout.requests import PurchaseRequest
from portal.commands.context import json_option, opened, print_rows
from portal.commands.ending import BAD_USAGE, stop
from portal.commands.language import say, terminal_language
from portal.commands.rights_options import ACTOR, changing, naming
from portal.installation import Installation
from portal.languages import in_language
from portal.refusals import Refused

words_option = click.option("--words", default="", help=say("What the person who asked is told."))


def register(group: click.Group) -> None:
    """Add `requests`."""
    group.add_command(asked)


@click.group("requests", help=say("Requests to pass a ceiling once."))
def asked() -> None:
    """Commands on requests."""


@asked.command("list", help=say("Every request, the newest first."))
@click.option("--waiting", is_flag=True, help=say("Only those that wait for an answer."))
@json_option
def list_requests(waiting: bool, as_json: bool) -> None:
    with opened() as installation:
        with installation.database.reading() as session:
            found = requests.newest(session, waiting=waiting)
        zone, language = installation.settings.portal.zone, terminal_language()
    rows = [_row(each) for each in found] if as_json else [
        {say("number"): each.number, say("who"): each.account.login, say("what"): in_language(each.offer.title, language),
         say("for"): each.subject, say("price"): money.format_money(each.gross_cents, each.currency, language),
         say("why"): each.words, say("state"): each.standing, say("until"): f"{each.expires_at.astimezone(zone):%Y-%m-%d %H:%M}"}
        for each in found
    ]  # fmt: skip
    print_rows(rows, as_json=as_json, empty=say("Nobody asks for anything."))


@asked.command(help=say("Let one purchase pass, by the request's number."))
@click.argument("number")
@words_option
def allow(number: str, words: str) -> None:
    with opened() as installation:
        _answer(installation, number, allow=True, words=words)
    click.echo(say("Request %(number)s is allowed: that purchase may pass once.", number=number))


@asked.command(help=say("Decline a request, by its number."))
@click.argument("number")
@click.option("--words", required=True, help=say("What the person who asked is told."))
def decline(number: str, words: str) -> None:
    with opened() as installation:
        _answer(installation, number, allow=False, words=words)
    click.echo(say("Request %(number)s is declined.", number=number))


def _answer(installation: Installation, number: str, *, allow: bool, words: str) -> None:
    settings = installation.settings
    try:
        with naming(installation), changing(installation) as session:
            request = requests.find(session, number)
            if request is None:
                raise Refused("request_gone")
            requests.answer(session, request, ACTOR, None, allow, words, settings.requests.expire_after_days)
            address = f"{str(settings.portal.public_url).rstrip('/')}/offers/{request.offer.slug}"
            tell_asker(session, request, address, settings.portal.locale)
    except Refused as refused:
        sentences = {
            "request_gone": say("No request %(number)s waits for an answer: “portal requests list --waiting” shows those that do.", number=number),
            "request_words": say("Say why with --words: whoever asked learns by them."),
        }  # fmt: skip
        stop(sentences[refused.reason.code], BAD_USAGE)


def _row(request: PurchaseRequest) -> dict[str, Any]:
    decider = request.decided_by
    return {
        "number": request.number, "login": request.account.login, "offer": request.offer.slug,
        "subject": request.subject, "net_cents": request.net_cents, "gross_cents": request.gross_cents,
        "currency": request.currency, "ceilings": request.ceilings, "words": request.words,
        "state": request.standing, "asked_at": request.asked_at, "expires_at": request.expires_at,
        "decider": request.decider_name, "decided_by": decider.login if decider else None,
        "decided_at": request.decided_at, "answer": request.answer, "order_number": request.order_number,
    }  # fmt: skip
