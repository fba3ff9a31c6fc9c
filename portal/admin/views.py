"""The admin screens: a list of what exists."""

from __future__ import annotations

from typing import Any

from flask import Flask, redirect, url_for
from flask.typing import ResponseReturnValue

from portal.admin import (
    ceiling_views,
    change_views,
    connection_views,
    delegation_views,
    directory_views,
    journal_views,
    merchant_views,
    operator_views,
    people_views,
    purchase_views,
    rights_views,
    rule_file_views,
)
from portal.admin.access import authority, may_settle
from portal.admin.blueprint import admin
from portal.installation import Installation

__all__ = [
    "ceiling_views",
    "change_views",
    "connection_views",
    "delegation_views",
    "directory_views",
    "journal_views",
    "merchant_views",
    "operator_views",
    "people_views",
    "purchase_views",
    "register",
    "rights_views",
    "rule_file_views",
]  # fmt: skip


def register(app: Flask, _installation: Installation) -> None:
    """Add every admin screen, and tell all pages who may enter them."""
    app.register_blueprint(admin)
    app.context_processor(_context)


def _context() -> dict[str, Any]:
    return {"authority": authority(), "may_settle": may_settle(), "changes_waiting": change_views.waiting}


@admin.get("/")
def entrance() -> ResponseReturnValue:
    """The first of the screens this person has."""
    if authority().is_any:
        return redirect(url_for("admin.rights"))
    return redirect(url_for("admin.all_purchases"))
