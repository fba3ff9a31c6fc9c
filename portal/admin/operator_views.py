"""The operator: who it is, whether it answers, what waits for it, and choosing another."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connectors.contract import Problem
from connectors.operators.profiles import UnknownProfile
from portal import clock
from portal.admin import journal, operator_sheet, operator_words
from portal.admin.access import actor, admins_only, is_proved, require_proof, settlers_only
from portal.admin.blueprint import admin
from portal.billing import operator_choice
from portal.billing.operators import Prospect
from portal.refusals import Reason, Refused
from portal.web import installation, wants_fragment


@admin.get("/operator")
@settlers_only
def operator() -> ResponseReturnValue:
    """Everything at one look; the operator is not asked for it."""
    return _show()


@admin.post("/operator/try")
@admins_only
def try_operator() -> ResponseReturnValue:
    """Connect and sign in, as `portal check` does; charges nothing."""
    return _show(part="_operator_tried", tried=installation().operator.check(), at=clock.now())


@admin.post("/operator/foresee")
@admins_only
def foresee_operator() -> ResponseReturnValue:
    """What choosing one would meet; nothing is changed."""
    return _show(part="_operator_prospect", prospect=_prospect())


@admin.post("/operator")
@admins_only
def choose_operator() -> ResponseReturnValue:
    """Put it in force, everywhere at once, unless something stands in the way."""
    try:
        require_proof()
        installation().operators.choose(actor(), _wanted(), anyway="anyway" in request.form)
    except Refused as refused:
        return _show(refusal=refused.reason, prospect=_prospect(refused.reason), status=409)
    return redirect(url_for("admin.operator", done=1), code=303)


def _wanted() -> str:
    return request.form.get("profile", "")[:64]


def _prospect(refusal: Reason | None = None) -> Prospect | None:
    if refusal and refusal.code in {"operator_unknown", "operator_pinned"}:
        return None
    try:
        return installation().operators.foresee(_wanted())
    except UnknownProfile:
        return None


def _show(
    *, part: str = "", tried: list[Problem] | None = None, prospect: Prospect | None = None,
    refusal: Reason | None = None, status: int = 200, **more: Any,
) -> ResponseReturnValue:  # fmt: skip
    house = installation()
    with house.database.reading() as session:
        try:
            in_force = house.operators.in_force(session)
        except UnknownProfile as gone:
            # What was chosen is not there any more: nothing works until another is, so the screen must still show.
            in_force = house.operators.as_configured()
            refusal = refusal or Reason("operator_unknown", {"name": gone.name, "known": ", ".join(gone.known)})
        waits = operator_sheet.waiting(session, in_force.adapter.identity)
        choice, names = operator_choice.read(session), journal.names_of_actors(session)
    template = f"admin/{part}.html" if part and wants_fragment() else "admin/operator.html"
    return render_template(
        template, who=operator_sheet.portrait(in_force, house.settings.operator), waits=waits, choice=choice, names=names,
        files=operator_sheet.files_of(in_force.adapter), choices=operator_sheet.choices(), words=operator_words,
        configured=house.operators.configured, pinned=house.operators.pinned, wanted=request.form.get("profile"), tried=tried,
        prospect=prospect, refusal=refusal, proved=is_proved(), done=request.args.get("done", ""), **more,
    ), status  # fmt: skip
