"""The directory's diagnosis: the way to it stage by stage, and one login resolved as a sign-in does it."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from portal.admin.access import admins_only
from portal.admin.blueprint import admin
from portal.directory import findings
from portal.web import installation


@admin.get("/directory")
@admins_only
def directory() -> ResponseReturnValue:
    """What is configured; with `look`, what is found on the way there, and with `login` how that person is found."""
    house = installation()
    login = request.args.get("login", "").strip()[:256]
    found = house.directory.diagnose(login) if "look" in request.args else []
    steps = [(each.ok, findings.found(each, gettext), findings.remedy(each, gettext)) for each in found]
    return render_template(
        "admin/directory.html", settings=house.settings.directory, login=login, steps=steps,
        wrong=sum(not ok for ok, _sentence, _remedy in steps),
    )  # fmt: skip
