"""Who may buy: the sheet of rules as sentences, a right proposed, previewed, saved and undone."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import logs, sentences
from portal.admin.access import actor, authority, is_proved, managers_only, require_proof
from portal.admin.blueprint import admin
from portal.admin.forms import RightForm
from portal.admin.naming import category_of, names, scope_choices
from portal.admin.proposals import Effect, Proposal, effect_of, save, take_away
from portal.admin.rule_sheet import rule_sheet
from portal.audit import AuditEntry
from portal.directory.answers import Group
from portal.directory.config import DirectoryUnknown
from portal.refusals import Reason, Refused
from portal.rights import changes
from portal.rights.groups import look_up_again
from portal.rights.rules import Rule
from portal.web import installation, wants_fragment

log = logs.get(__name__)

PICKED = 12
NO_GROUP = Reason("group_unknown")


@admin.get("/rights")
@managers_only
def rights() -> ResponseReturnValue:
    """Everything that is said of who may buy, and the form to say more."""
    _refresh_groups()
    return _show(_form())


@admin.get("/groups")
@managers_only
def groups() -> ResponseReturnValue:
    """Groups of the directory for what was typed so far, with how many are in each."""
    return _show(_form(), found=_search(request.args.get("group_text", "")), part="_groups")


@admin.post("/rights/preview")
@managers_only
def preview_right() -> ResponseReturnValue:
    """What the form would say, and who gains or loses by it; nothing is saved."""
    form = _form()
    picked = request.form.get("pick")
    if picked:
        form.group.data = picked
    # A group just picked changes the form itself; else what is being typed stays under the fingers.
    part = "_right" if picked else "_said"
    group, found = _chosen(form)
    if group:
        form.group.data, form.group_text.data = group.dn, group.name or group.dn
    if not form.validate_on_submit() or (group is None and not form.is_for_everyone):
        return _show(form, found=found, refusal=None if group or found else NO_GROUP, part=part, status=422)
    return _show(form, proposal=form.proposal(group, _zone()), part=part)


@admin.post("/rights")
@managers_only
def save_right() -> ResponseReturnValue:
    """Save what was previewed; the page shows it with a way back."""
    form = _form()
    group, found = _chosen(form)
    if not form.validate_on_submit() or (group is None and not form.is_for_everyone):
        return _show(form, found=found, refusal=None if group or found else NO_GROUP, status=422)
    proposal = form.proposal(group, _zone())
    try:
        require_proof()
        with installation().database.transaction() as session:
            entries = save(session, actor(), proposal, authority(), category_of(session, proposal.scope))
    except Refused as refused:
        return _show(form, proposal=proposal, refusal=refused.reason, status=409)
    return redirect(url_for("admin.rights", saved=_numbers(entries)), code=303)


@admin.route("/rights/<int:number>/remove", methods=["GET", "POST"])
@managers_only
def remove_right(number: int) -> ResponseReturnValue:
    """Ask once more before a rule goes, with who loses by it; then take it away."""
    house = installation()
    with house.database.reading() as session:
        rule = session.get(Rule, number)
        if rule is None or not authority().may_manage(rule.group.key, rule.scope, category_of(session, rule.scope)):
            abort(404)
        sentence = sentences.rule(rule, names())
    refusal = None
    if request.method == "POST":
        try:
            require_proof()
            with house.database.transaction() as session:
                entries = take_away(session, actor(), number, authority(), category_of(session, rule.scope))
            return redirect(url_for("admin.rights", saved=_numbers(entries)), code=303)
        except Refused as refused:
            refusal = refused.reason
    effect = effect_of(house.database, house.directory, remove=[number])
    return render_template(
        "admin/remove_right.html", rule=rule, sentence=sentence, effect=effect, refusal=refusal, proved=is_proved()
    ), 409 if refusal else 200


@admin.post("/changes/undo")
@managers_only
def undo_change() -> ResponseReturnValue:
    """Take back what was just saved, the newest first, all or nothing."""
    numbers = sorted(map(int, filter(str.isdigit, request.form.get("entries", "").split(","))), reverse=True)
    try:
        require_proof()
        with installation().database.transaction() as session:
            for number in numbers:
                entry = session.get(AuditEntry, number)
                if entry is None or (entry.actor != actor() and not authority().is_admin):
                    raise Refused("undo_impossible")
                changes.undo(session, actor(), entry)
    except Refused as refused:
        return _show(_form(), refusal=refused.reason, status=409)
    return redirect(url_for("admin.rights", undone=1), code=303)


def _numbers(entries: list[AuditEntry]) -> str | None:
    return ",".join(str(entry.id) for entry in entries) or None


def _form() -> RightForm:
    form = RightForm(meta={"csrf": False})  # the whole site's protection has checked the token already
    form.scope.choices = scope_choices(names())
    return form


def _zone() -> ZoneInfo:
    return installation().settings.portal.zone


def _search(text: str) -> list[tuple[Group, int | None]]:
    """Groups that match, with the number of their direct members where it can be had."""
    directory = installation().directory
    if len(text.strip()) < 2:
        return []
    try:
        return [(group, directory.count_members(group)) for group in directory.search_groups(text.strip(), PICKED)]
    except DirectoryUnknown as error:
        log.warning("groups_not_searched", detail=str(error))
        return []


def _chosen(form: RightForm) -> tuple[Group | None, list[tuple[Group, int | None]]]:
    """The group meant by the form, else those it may mean."""
    directory = installation().directory
    wanted = form.group.data or (form.group_text.data or "").strip()
    if not wanted or form.is_for_everyone:
        return None, []
    try:
        exact = directory.find_group(wanted)
    except DirectoryUnknown as error:
        log.warning("group_not_found", detail=str(error))
        return None, []
    if len(exact) == 1:
        return exact[0], []
    return None, [(group, directory.count_members(group)) for group in exact] or _search(form.group_text.data or "")


def _refresh_groups() -> None:
    house = installation()
    try:
        look_up_again(house.database, house.directory.group)
    except DirectoryUnknown as error:
        log.warning("groups_not_looked_up", detail=str(error))


def _effect(proposal: Proposal | None) -> Effect | None:
    rule = proposal.rule() if proposal else None
    return effect_of(installation().database, installation().directory, add=[rule]) if rule else None


def _show(
    form: RightForm, *, found: list[tuple[Group, int | None]] | None = None, proposal: Proposal | None = None,
    refusal: Reason | None = None, part: str = "", status: int = 200,
) -> ResponseReturnValue:  # fmt: skip
    known = names()
    with installation().database.reading() as session:
        sheets = rule_sheet(session, authority())
    said = []
    if proposal:
        rule, ceiling = proposal.rule(), proposal.ceiling()
        said = [sentences.rule(rule, known)] if rule else []
        said += [sentences.ceiling(ceiling, known)] if ceiling else []
    template = f"admin/{part}.html" if part and wants_fragment() else "admin/rights.html"
    body = render_template(
        template, form=form, found=found or [], said=said, effect=_effect(proposal), proposal=proposal,
        refusal=refusal, proved=is_proved(), sheets=sheets, names=known, fragment=wants_fragment(),
        saved=request.args.get("saved", ""), undone="undone" in request.args,
    )  # fmt: skip
    return body, status, {"HX-Retarget": "#right"} if template == "admin/_right.html" else {}
