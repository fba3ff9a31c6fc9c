"""Ceilings: how full each is, and giving one another limit or ending it."""

from __future__ import annotations

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import money
from portal.admin.access import actor, authority, is_proved, managers_only, require_proof
from portal.admin.blueprint import admin
from portal.admin.ceiling_report import ceiling_reports
from portal.admin.naming import category_of, names
from portal.audit import recorded
from portal.refusals import Reason, Refused
from portal.rights.ceilings import Ceiling, change_ceiling, end_ceiling
from portal.web import installation


@admin.get("/ceilings")
@managers_only
def ceilings() -> ResponseReturnValue:
    """Every ceiling the person may manage, the fullest counters of each, and its days."""
    return _show()


@admin.post("/ceilings/<int:number>")
@managers_only
def change(number: int) -> ResponseReturnValue:
    """Another limit, or none from now on; it binds the very next purchase."""
    house = installation()
    try:
        limit = None if "end" in request.form else _amount(request.form.get("limit", ""))
        require_proof()
        with house.database.transaction() as session:
            ceiling = session.get(Ceiling, number)
            if ceiling is None or ceiling.ended_at:
                raise Refused("ceiling_gone")
            key = ceiling.group.key if ceiling.group else ""
            if not authority().may_manage(key, ceiling.scope, category_of(session, ceiling.scope)):
                abort(404)
            if limit is None:
                end_ceiling(session, actor(), ceiling)
            else:
                change_ceiling(session, actor(), ceiling, limit, ceiling.warn_percent)
            entries = recorded(session)
    except Refused as refused:
        return _show(refused.reason, number, status=409)
    saved = ",".join(str(entry.id) for entry in entries) or None
    return redirect(url_for("admin.ceilings", saved=saved), code=303)


def _amount(text: str) -> int:
    try:
        return money.parse_amount(text)
    except ValueError:
        raise Refused("not_an_amount") from None


def _show(refusal: Reason | None = None, about: int = 0, status: int = 200) -> ResponseReturnValue:
    house = installation()
    with house.database.reading() as session:
        reports = [
            report for report in ceiling_reports(session, house.settings.portal.zone)
            if authority().may_manage(
                report.ceiling.group.key if report.ceiling.group else "", report.ceiling.scope,
                category_of(session, report.ceiling.scope),
            )
        ]  # fmt: skip
    return render_template(
        "admin/ceilings.html", reports=reports, names=names(), refusal=refusal, about=about,
        typed=request.form.get("limit", ""), proved=is_proved(), saved=request.args.get("saved", ""),
    ), status  # fmt: skip
