"""Requests to pass a ceiling: asked in one click with a reason, decided in two."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal import logs
from portal.checkout import requests
from portal.checkout.quotes import find_quote
from portal.checkout.request_mail import tell_asker, tell_deciders
from portal.checkout.requests import Deciders
from portal.directory.answers import Person
from portal.directory.config import DirectoryUnknown
from portal.refusals import Reason, Refused
from portal.rights.decision import Employee, explain
from portal.web import account, installation, wants_fragment

log = logs.get(__name__)

MOST_TOLD = 20


asked = Blueprint("requests", __name__, url_prefix="/requests")


def register(app: Flask) -> None:
    """Add the pages of requests, and the number of those that wait for the signed-in person to every page."""
    app.register_blueprint(asked)
    app.context_processor(_waiting)


@asked.post("")
def ask() -> ResponseReturnValue:
    """Ask for the purchase of a quote to pass; the panel then shows who decides."""
    house, person = installation(), account()
    words = request.form.get("words", "")
    decider = _manager()
    why = None
    with house.database.transaction() as session:
        quote = find_quote(session, request.form.get("token", ""), person.id)
        if quote is None:
            abort(410)
        employee = Employee(person.id, person.group_keys)
        decision = explain(session, employee, quote.offer.wanted, house.settings.portal.zone, quote.price)
        slug, token = quote.offer.slug, quote.token
        try:
            made, is_new = requests.ask(
                session, quote, person, decision, words, decider, house.settings.requests.expire_after_days
            )
            if is_new:
                tell_deciders(session, made, _people_to_tell(decider), _address("requests.requested"), _default())
        except Refused as refused:
            why = refused.reason.code
    # The panel is shown by its own address, so that a reload asks nothing again.
    part = 1 if wants_fragment() else None
    return redirect(url_for("checkout.offer", slug=slug, quote=token, part=part, why=why), code=303)


@asked.get("")
def requested() -> ResponseReturnValue:
    """What the signed-in person has asked, and what waits for his decision."""
    return _show()


@asked.post("/<number>")
def decide(number: str) -> ResponseReturnValue:
    """Allow or decline; the person who asked finds the answer at his next look."""
    house = installation()
    try:
        with house.database.transaction() as session:
            decided = requests.decide(
                session, number, account(), deciders(), "allow" in request.form, request.form.get("answer", ""),
                house.settings.requests.expire_after_days,
            )  # fmt: skip
            tell_asker(session, decided, _address("checkout.offer", slug=decided.offer.slug), _default())
    except Refused as refused:
        return _show(refused.reason, number, 409)
    return redirect(url_for("requests.requested"), code=303)


def deciders() -> Deciders:
    """Who may decide besides the person a request names."""
    settings = installation().settings
    return Deciders(settings.directory.admin_groups, settings.requests.group)


def _show(refusal: Reason | None = None, about: str = "", status: int = 200) -> ResponseReturnValue:
    with installation().database.reading() as session:
        own = requests.of_account(session, account().id)
        waiting = requests.to_decide(session, account(), deciders())
    return render_template(
        "checkout/requests.html", own=own, waiting=waiting, refusal=refusal, about=about,
        typed=request.form.get("answer", ""),
    ), status  # fmt: skip


def _manager() -> Person | None:
    """Who the directory says decides for the signed-in person; None when it is himself, nobody, or cannot be said."""
    house, person = installation(), account()
    if house.settings.requests.decided_by != "manager" or not person.manager:
        return None
    try:
        found = house.directory.person(person.manager)
    except DirectoryUnknown as error:
        log.warning("manager_not_found", detail=str(error))
        return None
    return found if found and found.id != person.directory_id else None


def _people_to_tell(decider: Person | None) -> list[Person]:
    """The person named, else the members of the group set for it, else the administrators; at most so many mails."""
    if decider:
        return [decider]
    directory, settings = installation().directory, installation().settings
    groups = [settings.requests.group] if settings.requests.group else settings.directory.admin_groups
    try:
        found = [group for name in groups for group in directory.find_group(name)]
        people = {person for group in found for person in directory.members(group)}
        others = sorted((each for each in people if each.id != account().directory_id), key=lambda each: each.login)
        # A list of members has no more than names: each is read again for his address and language.
        told = [directory.person(person.dn) for person in others[:MOST_TOLD]]
    except DirectoryUnknown as error:
        log.warning("deciders_not_found", detail=str(error))
        return []
    return [person for person in told if person]


def _address(endpoint: str, slug: str = "") -> str:
    path = url_for(endpoint, slug=slug) if slug else url_for(endpoint)
    return str(installation().settings.portal.public_url).rstrip("/") + path


def _default() -> str:
    return installation().settings.portal.locale


def _waiting() -> dict[str, Any]:
    if not current_user.is_authenticated:
        return {}
    with installation().database.reading() as session:
        return {"requests_waiting": len(requests.to_decide(session, account(), deciders()))}
