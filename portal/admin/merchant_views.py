"""Merchants: who sells here, how each stands, and what may be done about it at once."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connectors.contract import Problem
from portal import breakers, clock
from portal.admin import journal, merchant_sheet, merchant_words
from portal.admin.access import actor, admins_only, is_proved, require_proof
from portal.admin.blueprint import admin
from portal.admin.merchant_sheet import Sheet
from portal.catalog import connecting, site
from portal.catalog.lists import ON_HOLD
from portal.catalog.reading import read_beside
from portal.refusals import Reason, Refused
from portal.web import installation, wants_fragment

PATIENCE_S = 4.0
"""How long a person waits for a list to be read before the page says how far it is."""
DECISIONS = {"pause": site.pause, "resume": site.resume, "disconnect": site.disconnect}
PROVED = {"resume", "disconnect"}
"""Steps that ask the password again; whoever must stop a merchant loses no time."""


@admin.get("/merchants")
@admins_only
def merchants() -> ResponseReturnValue:
    """Every merchant, and every connector that could be connected."""
    house = installation()
    with house.database.reading() as session:
        found = merchant_sheet.sheets(session, house.merchants, house.settings)
    return render_template(
        "admin/merchants.html", sheets=found, available=merchant_sheet.available(found, house.settings),
        words=merchant_words, done=request.args.get("done", ""),
    )  # fmt: skip


@admin.get("/merchants/<key>")
@admins_only
def merchant(key: str) -> ResponseReturnValue:
    """One merchant, in full."""
    return show_merchant(key)


@admin.post("/merchants/<key>/test")
@admins_only
def test_merchant(key: str) -> ResponseReturnValue:
    """Ask it, as `portal check` does; buys nothing."""
    if key not in installation().merchants.loaded:
        return show_merchant(key, refusal=Reason("choice_gone"), status=409)
    with breakers.asking_anyway():
        tried = connecting.try_out(key, installation().merchants.merchant(key))
    return show_merchant(key, part="_merchant_tried", tried=tried, at=clock.now())


@admin.post("/merchants/<key>/read")
@admins_only
def read_merchant(key: str) -> ResponseReturnValue:
    """Read its list now; what takes long goes on while the page is shown."""
    house = installation()
    if key not in house.merchants.loaded:
        return show_merchant(key, refusal=Reason("choice_gone"), status=409)
    found = read_beside(house.lists, key, PATIENCE_S)
    done = "reading" if found is None else None if found.problem == ON_HOLD else "read"
    return redirect(url_for("admin.merchant", key=key, done=done), code=303)


@admin.post("/merchants/<key>")
@admins_only
def decide_merchant(key: str) -> ResponseReturnValue:
    """Pause it at once, let it sell again, or disconnect it."""
    step = request.form.get("step", "")
    sheet = _sheet(key)
    try:
        if step not in DECISIONS or sheet.state == "gone":
            raise Refused("choice_gone")
        if step in PROVED:
            require_proof()
        with installation().database.transaction() as session:
            DECISIONS[step](session, actor(), key)
    except Refused as refused:
        return show_merchant(key, refusal=refused.reason, status=409)
    return redirect(url_for("admin.merchant", key=key, done=step), code=303)


def show_merchant(
    key: str, *, part: str = "", refusal: Reason | None = None, tried: list[Problem] | None = None, status: int = 200,
    **more: Any,
) -> ResponseReturnValue:  # fmt: skip
    """The page of one merchant, or the part of it that htmx asked for."""
    sheet, house = _sheet(key), installation()
    with house.database.reading() as session:
        entries, names = merchant_sheet.history(session, key), journal.names_of_actors(session)
    template = f"admin/{part}.html" if part and wants_fragment() else "admin/merchant.html"
    return render_template(
        template, sheet=sheet, entries=entries, names=names, changes=journal.changes, words=merchant_words, tried=tried,
        refusal=refusal, proved=is_proved(), done=request.args.get("done", ""), **more,
    ), status  # fmt: skip


def _sheet(key: str) -> Sheet:
    house = installation()
    with house.database.reading() as session:
        found = merchant_sheet.sheet_of(session, house.merchants, house.settings, key)
    if found is None:
        abort(404)
    return found
