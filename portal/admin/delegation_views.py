"""Delegates: which group decides on the rights of which other, within what; only administrators say so."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import logs
from portal.admin.access import actor, admins_only, is_proved, require_proof
from portal.admin.blueprint import admin
from portal.admin.forms import DelegationForm
from portal.admin.naming import names, scope_choices
from portal.audit import recorded
from portal.directory.answers import Group
from portal.directory.config import DirectoryUnknown
from portal.refusals import Reason, Refused
from portal.rights.delegations import Delegation, add_delegation, end_delegation, live_delegations
from portal.rights.scopes import parse_scope
from portal.web import installation

log = logs.get(__name__)

OFFERED = 12


@admin.get("/delegations")
@admins_only
def delegations() -> ResponseReturnValue:
    """Every delegation in force, and the form to make one."""
    return _show(_form())


@admin.get("/delegations/groups/<any(delegates, target):field>")
@admins_only
def delegation_groups(field: str) -> ResponseReturnValue:
    """Groups for what was typed so far, to choose from in the field itself."""
    text = request.args.get(field, "").strip()
    try:
        found = installation().directory.search_groups(text, OFFERED) if len(text) > 1 else []
    except DirectoryUnknown as error:
        log.warning("groups_not_searched", detail=str(error))
        found = []
    return render_template("admin/_group_options.html", groups=found)


@admin.post("/delegations")
@admins_only
def delegate() -> ResponseReturnValue:
    """Let the members of one group decide on another's rights within a scope."""
    form = _form()
    if not form.validate_on_submit():
        return _show(form, Reason("scope_unknown"), status=422)
    try:
        delegates, target = _group(form.delegates.data), _group(form.target.data)
        if delegates.key == target.key:
            raise Refused("delegation_themselves")
        require_proof()
        with installation().database.transaction() as session:
            add_delegation(session, actor(), delegates, target, parse_scope(form.scope.data))
            entries = recorded(session)
    except Refused as refused:
        return _show(form, refused.reason, status=422)
    return redirect(url_for("admin.delegations", saved=",".join(str(entry.id) for entry in entries) or None), code=303)


@admin.post("/delegations/<int:number>/end")
@admins_only
def take_back(number: int) -> ResponseReturnValue:
    """Take a delegation away; what was decided under it stays."""
    try:
        require_proof()
        with installation().database.transaction() as session:
            given = session.get(Delegation, number)
            if given is None or given.ended_at:
                raise Refused("delegation_gone")
            end_delegation(session, actor(), given)
            entries = recorded(session)
    except Refused as refused:
        return _show(_form(), refused.reason, status=409)
    return redirect(url_for("admin.delegations", saved=",".join(str(entry.id) for entry in entries) or None), code=303)


def _form() -> DelegationForm:
    form = DelegationForm(meta={"csrf": False})  # the whole site's protection has checked the token already
    form.scope.choices = scope_choices(names())
    return form


def _group(typed: str | None) -> Group:
    """The one group meant, by its name or its DN. Raises `Refused`."""
    text = (typed or "").strip()
    try:
        found = installation().directory.find_group(text) if text else []
    except DirectoryUnknown as error:
        log.warning("group_not_found", detail=str(error))
        raise Refused("directory_unknown") from error
    if len(found) > 1:
        raise Refused("group_ambiguous", name=text, found=" ; ".join(group.dn for group in found))
    if not found:
        raise Refused("group_not_found", name=text or "…")
    return found[0]


def _show(form: DelegationForm, refusal: Reason | None = None, status: int = 200) -> ResponseReturnValue:
    with installation().database.reading() as session:
        live = live_delegations(session)
    return render_template(
        "admin/delegations.html", form=form, delegations=live, names=names(), refusal=refusal, proved=is_proved(),
        saved=request.args.get("saved", ""),
    ), status  # fmt: skip
