"""One person: what may he buy, what has he left, and why; and how it would be in other groups."""

from __future__ import annotations

from dataclasses import dataclass

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock, logs
from portal.admin.access import admins_only
from portal.admin.blueprint import admin
from portal.admin.naming import names
from portal.catalog import offers
from portal.catalog.offers import OfferRow
from portal.directory.accounts import Account
from portal.directory.answers import Group, Person, Yes
from portal.directory.config import DirectoryUnknown
from portal.rights import ceilings
from portal.rights.decision import Decision, Employee, explain
from portal.rights.holds import Room, rooms_under
from portal.web import installation, wants_fragment

log = logs.get(__name__)

SHORTEST_SEARCH = 2
NEVER_SIGNED_IN = 0
"""No account has this number, so that every counter of somebody new is empty."""


@dataclass(frozen=True)
class Verdict:
    """What is decided of one offer for one person."""

    offer: OfferRow
    may_see: bool
    buying: Decision


@admin.get("/people")
@admins_only
def people() -> ResponseReturnValue:
    """Find a person of the directory as one types."""
    text = request.args.get("q", "").strip()
    found: list[Person] = []
    unanswered = False
    if len(text) >= SHORTEST_SEARCH:
        try:
            found = installation().directory.search_people(text)
        except DirectoryUnknown as error:
            log.warning("people_not_searched", detail=str(error))
            unanswered = True
    template = "admin/_people.html" if wants_fragment() else "admin/people.html"
    return render_template(template, text=text, found=found, unanswered=unanswered)


@admin.get("/people/<directory_id>")
@admins_only
def person(directory_id: str) -> ResponseReturnValue:
    """Every service with its verdict and why; with `also`, as if the person were in those groups too."""
    house = installation()
    answer = house.directory.read(directory_id)
    with house.database.reading() as session:
        account = session.scalar(select(Account).where(Account.directory_id == directory_id))
        if not isinstance(answer, Yes) and account is None:
            abort(404)
        known = answer.groups if isinstance(answer, Yes) else tuple(Group(**each) for each in account.groups)  # type: ignore[union-attr]
        supposed = _supposed(request.args.getlist("also"))
        keys = frozenset().union(*(group.keys for group in [*known, *supposed]))
        employee = Employee(account.id if account else NEVER_SIGNED_IN, keys)
        verdicts = _verdicts(session, employee)
        rooms = _rooms(session, employee)
    return render_template(
        "admin/person.html", person=answer.person if isinstance(answer, Yes) else account, account=account,
        answer=answer, groups=known, supposed=supposed, verdicts=verdicts, rooms=rooms, names=names(),
        also=request.args.get("add", ""), directory_id=directory_id,
    )  # fmt: skip


def _verdicts(session: Session, employee: Employee) -> list[Verdict]:
    zone = installation().settings.portal.zone
    return [
        Verdict(
            row,
            explain(session, employee, row.wanted, zone, right="browse").allowed,
            explain(session, employee, row.wanted, zone, row.price),
        )
        for row in offers.on_sale(session, limit=200)
    ]


def _rooms(session: Session, employee: Employee) -> tuple[Room, ...]:
    """Every ceiling that binds this person, whatever he buys."""
    own = [
        each for each in ceilings.live_ceilings(session)
        if each.group is None or each.group.key in employee.group_keys
    ]  # fmt: skip
    return rooms_under(session, own, employee.account_id, clock.now(), installation().settings.portal.zone)


def _supposed(wanted: list[str]) -> list[Group]:
    """The groups one supposes the person to be in, as the directory knows them."""
    found: list[Group] = []
    for name in [*wanted, request.args.get("add", "")]:
        try:
            found += installation().directory.find_group(name.strip())[:1] if name.strip() else []
        except DirectoryUnknown as error:
            log.warning("group_not_found", detail=str(error))
    return list(dict.fromkeys(found))
