"""The rule file: every rule, ceiling and delegation as one TOML file, taken away for review and brought back."""

from __future__ import annotations

import hashlib
from datetime import date

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import logs, rulebook_words
from portal.admin.access import actor, admins_only, is_proved, require_proof
from portal.admin.blueprint import admin
from portal.admin.naming import names
from portal.directory.config import DirectoryUnknown
from portal.refusals import Reason, Refused
from portal.rights import rulebook
from portal.rights.rulebook import Rulebook
from portal.rights.rulebook_reading import RulebookFaults, read, resolver
from portal.web import installation

log = logs.get(__name__)

LARGEST = 400_000


@admin.get("/rule-file")
@admins_only
def rule_file() -> ResponseReturnValue:
    """Take the file away, or bring one back."""
    return _show("")


@admin.get("/rule-file.toml")
@admins_only
def take_rule_file() -> ResponseReturnValue:
    """What is in force, as the file."""
    house = installation()
    with house.database.reading() as session:
        text = rulebook.write(session, house.settings.portal.zone)
    headers = {"Content-Disposition": f'attachment; filename="guichet-rules-{date.today().isoformat()}.toml"'}
    return Response(text, mimetype="application/toml; charset=utf-8", headers=headers)


@admin.post("/rule-file")
@admins_only
def bring_rule_file() -> ResponseReturnValue:
    """Say what a file would change, or with `apply` make it so: all of it, or nothing when one line is wrong."""
    house, faults = installation(), list[tuple[int, str]]()
    text = ""
    try:
        text = _text()
        book = _read(text)
        if "apply" in request.form:
            require_proof()
        with house.database.transaction() as session:
            plan = rulebook.compare(session, book)
            changes = rulebook_words.changes(plan, names())
            if "apply" not in request.form:
                return _show(text, changes=changes)
            # What was shown is what is done: somebody may have changed something meanwhile.
            if request.form.get("shown") != _shown(changes):
                return _show(text, changes=changes, refusal=Reason("changed_meanwhile"), status=409)
            rulebook.apply(session, actor(), plan)
    except RulebookFaults as wrong:
        faults = [(fault.line, rulebook_words.fault(fault)) for fault in wrong.faults]
        return _show(text, faults=faults, status=422)
    except Refused as refused:
        known = _changes(text) if "apply" in request.form else None
        return _show(text, changes=known, refusal=refused.reason, status=422)
    return redirect(url_for("admin.rule_file", done=len(changes)), code=303)


def _text() -> str:
    upload = request.files.get("file")
    content = upload.read(LARGEST + 1) if upload else b""
    try:
        text = content.decode("utf-8-sig") or request.form.get("text", "")
    except UnicodeDecodeError:
        raise Refused("file_not_text") from None
    if len(text) > LARGEST:
        raise Refused("file_too_large")
    if not text.strip():
        raise Refused("file_missing")
    # Browsers send the lines of a form with a carriage return.
    return text.replace("\r\n", "\n")


def _read(text: str) -> Rulebook:
    house = installation()
    try:
        return read(text, resolver(house.directory), house.settings.portal.zone)
    except DirectoryUnknown as error:
        log.warning("groups_not_looked_up", detail=str(error))
        raise Refused("directory_unknown") from error


def _changes(text: str) -> list[tuple[str, str]] | None:
    try:
        book = _read(text)
    except (RulebookFaults, Refused):
        return None
    with installation().database.reading() as session:
        return rulebook_words.changes(rulebook.compare(session, book), names())


def _shown(changes: list[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(changes).encode()).hexdigest()


def _show(
    text: str, *, changes: list[tuple[str, str]] | None = None, faults: list[tuple[int, str]] | None = None,
    refusal: Reason | None = None, status: int = 200,
) -> ResponseReturnValue:  # fmt: skip
    return render_template(
        "admin/rule_file.html", text=text, changes=changes, shown=_shown(changes or []), faults=faults or [],
        refusal=refusal, proved=is_proved(), done=request.args.get("done", ""),
    ), status  # fmt: skip
