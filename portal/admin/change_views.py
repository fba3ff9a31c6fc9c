"""What merchants have changed: what was agreed, what it is now, and an administrator's word on each."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.admin import change_words, journal
from portal.admin.access import actor, admins_only, is_proved, require_proof
from portal.admin.blueprint import admin
from portal.catalog import changes
from portal.refusals import Reason, Refused
from portal.web import installation

ANSWERS = {"agree": changes.agree, "refuse": changes.refuse}


@admin.get("/merchants/changes")
@admins_only
def merchant_changes() -> ResponseReturnValue:
    """Everything on hold, what nobody has answered first."""
    return _show()


@admin.post("/merchants/changes")
@admins_only
def answer_change() -> ResponseReturnValue:
    """Agree to one change, or refuse it; the button says which."""
    answer = next((name for name in ANSWERS if name in request.form), "refuse")
    try:
        require_proof()
        with installation().database.transaction() as session:
            ANSWERS[answer](session, actor(), request.form.get(answer, ""))
    except Refused as refused:
        return _show(refused.reason)
    return redirect(url_for("admin.merchant_changes", done=answer), code=303)


def waiting() -> int:
    """How many changes nobody has answered, for whoever looks at any of these screens."""
    with installation().database.reading() as session:
        return changes.waiting(session)


def _show(refusal: Reason | None = None) -> ResponseReturnValue:
    with installation().database.reading() as session:
        found, names = changes.listing(session), journal.names_of_actors(session)
    return render_template(
        "admin/changes.html", changes=found, names=names, words=change_words, refusal=refusal, proved=is_proved(),
        done=request.args.get("done", ""),
    ), 409 if refusal else 200  # fmt: skip
