"""Signing in and out, and the choice of language."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Flask, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user

from portal import words
from portal.directory import sessions, sign_in
from portal.directory.forms import SignInForm
from portal.installation import Installation
from portal.languages import LANGUAGES
from portal.refusals import Refused
from portal.web import account, installation, person_of

directory = Blueprint("directory", __name__)


def register(app: Flask, _installation: Installation) -> None:
    """Add the sign-in pages."""
    app.register_blueprint(directory)


@directory.route("/sign-in", methods=["GET", "POST"])
def enter() -> ResponseReturnValue:
    """The sign-in page; a form that was refused keeps the login."""
    if current_user.is_authenticated:
        return redirect(_way_on())
    form = SignInForm()
    refusal = ""
    if form.validate_on_submit():
        house = installation()
        try:
            token = sign_in.sign_in(
                house.database, house.directory, form.login.data or "", form.password.data or "",
                request.remote_addr or "", house.settings.directory.max_failures,
            )  # fmt: skip
        except Refused as error:
            refusal = words.reason(error.reason)
        else:
            chosen = session.get("language")
            session.clear()
            if chosen:
                session["language"] = chosen
            login_user(person_of(token))
            return redirect(_way_on())
    elif form.is_submitted():
        refusal = words.reason({"code": "sign_in_refused"})
    status = 200 if request.method == "GET" else 422
    return render_template("directory/sign_in.html", form=form, refusal=refusal), status


@directory.post("/sign-out")
def leave() -> ResponseReturnValue:
    """End every session of this person, in every browser."""
    with installation().database.transaction() as db:
        sessions.end_all(db, account().id)
    logout_user()
    session.clear()
    return redirect(url_for("directory.enter"))


@directory.post("/language")
def language() -> ResponseReturnValue:
    """Choose the language of the pages."""
    if request.form.get("language") in LANGUAGES:
        session["language"] = request.form["language"]
    return redirect(_way_on())


def _way_on() -> str:
    """Where the visitor was going, if that is a page of this site."""
    wanted = request.args.get("next") or request.form.get("next") or ""
    parts = urlsplit(wanted)
    local = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return wanted if local else url_for("catalog.home")
