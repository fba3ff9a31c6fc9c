"""Connecting a merchant, and changing how one is asked: the connection is tested first, and only what works is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.admin import merchant_sheet, merchant_words
from portal.admin.access import actor, admins_only, is_proved, require_proof
from portal.admin.blueprint import admin
from portal.admin.merchant_sheet import Available
from portal.admin.merchant_views import PATIENCE_S
from portal.catalog import connecting
from portal.catalog.following import Draft
from portal.catalog.reading import read_beside
from portal.catalog.site import MerchantRow
from portal.refusals import Reason, Refused
from portal.web import installation

LONGEST = {"key": 64, "base_url": 500, "manifest": 100_000}
LONGEST_SECRET = 10_000
SECRET = "secret."  # noqa: S105 - how the fields of a form begin


@admin.get("/merchants/connect/<connector>")
@admins_only
def connect_merchant(connector: str) -> ResponseReturnValue:
    """What a connector needs, from its manifest."""
    return _show(_available(connector))


@admin.post("/merchants/connect/<connector>")
@admins_only
def save_merchant(connector: str) -> ResponseReturnValue:
    """Test, save, and begin to read its list."""
    found = _available(connector, _typed("manifest"))
    draft = _draft(_typed("key").strip(), connector, found)
    refusal = _tried(connecting.connect, draft)
    if refusal:
        return _show(found, refusal=refusal, status=422)
    read_beside(installation().lists, draft.key, PATIENCE_S)
    return redirect(url_for("admin.merchant", key=draft.key, done="connected"), code=303)


@admin.get("/merchants/<key>/credentials")
@admins_only
def merchant_credentials(key: str) -> ResponseReturnValue:
    """How one that was connected here is asked; its secrets are shown to nobody."""
    row = _row(key)
    return _show(_available(row.connector, row.manifest), row)


@admin.post("/merchants/<key>/credentials")
@admins_only
def save_credentials(key: str) -> ResponseReturnValue:
    """Test, and go on with them."""
    row = _row(key)
    found = _available(row.connector, _typed("manifest"))
    refusal = _tried(connecting.change, _draft(key, row.connector, found))
    if refusal:
        return _show(found, row, refusal=refusal, status=422)
    return redirect(url_for("admin.merchant", key=key, done="changed"), code=303)


def _tried(work: Callable[..., None], draft: Draft) -> Reason | None:
    house = installation()
    try:
        require_proof()
        work(house.database, house.merchants, actor(), draft)
    except Refused as refused:
        return refused.reason
    return None


def _available(connector: str, manifest: str = "") -> Available:
    found = merchant_sheet.available_as(connector, installation().settings, manifest)
    if found is None:
        abort(404)
    return found


def _row(key: str) -> MerchantRow:
    with installation().database.reading() as session:
        row = session.get(MerchantRow, key)
    if row is None or not row.is_connected_here or key in installation().merchants.configured:
        abort(404)
    return row


def _draft(key: str, connector: str, found: Available) -> Draft:
    secrets = {name: request.form.get(SECRET + name, "").strip()[:LONGEST_SECRET] for name in found.secrets}
    base_url, manifest = _typed("base_url").strip(), _typed("manifest").replace("\r\n", "\n")
    return Draft(key, connector, base_url, manifest, secrets)


def _typed(name: str) -> str:
    return request.form.get(name, "")[: LONGEST[name]]


def _show(
    found: Available, row: MerchantRow | None = None, *, refusal: Reason | None = None, status: int = 200
) -> ResponseReturnValue:  # fmt: skip
    typed: dict[str, Any] = {name: request.form.get(name) for name in LONGEST}
    if request.method == "GET":
        key = found.connector if found.manifest else ""
        base_url, manifest = (row.base_url, row.manifest) if row else ("", "")
        typed = {"key": key, "base_url": base_url, "manifest": manifest}
    problems = refusal.facts.get("problems", []) if refusal else []
    return render_template(
        "admin/connect_merchant.html", found=found, row=row, typed=typed, refusal=refusal, problems=problems,
        proved=is_proved(), words=merchant_words,
    ), status  # fmt: skip
