"""What every page shares: who is signed in, which language, safe headers, and one page for all errors.

Every view needs a signed-in person unless its endpoint is listed in `OPEN_ENDPOINTS`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, g, redirect, render_template, request, session, url_for
from flask_babel import Babel, get_locale, gettext
from flask_htmx import HTMX
from flask_login import LoginManager, current_user, logout_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import audit, clock, filters, logs
from portal.database import unusable
from portal.directory import sessions, sign_in
from portal.directory.accounts import Account
from portal.installation import Installation
from portal.languages import LANGUAGES
from portal.refusals import Refused

log = logs.get(__name__)

OPEN_ENDPOINTS = {"static", "directory.enter", "directory.language", "health.live", "health.ready"}
PAGE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

login_manager = LoginManager()
csrf = CSRFProtect()
htmx = HTMX()
babel = Babel()


@dataclass
class SignedIn:
    """The signed-in person, as Flask-Login wants him: `get_id` is the token of his session.

    `waits`: his groups are unknown just now, and nothing may be done on those last read.
    """

    account: Account
    token: str
    waits: bool = False
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        """The session's token, kept in the signed cookie."""
        return self.token


def register(app: Flask, installation: Installation) -> None:
    """Wire what every page shares."""
    app.extensions["guichet"] = installation
    proxies = installation.settings.portal.trusted_proxies
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    for extension in (login_manager, csrf, htmx):
        extension.init_app(app)
    babel.init_app(app, locale_selector=chosen_language)
    login_manager.user_loader(person_of)
    login_manager.unauthorized_handler(_ask_to_sign_in)
    app.before_request(_bind_log)
    app.before_request(_require_person)
    app.teardown_request(lambda _error: audit.note_address(""))
    app.after_request(_add_headers)
    app.register_error_handler(HTTPException, _show_error)
    app.register_error_handler(SQLAlchemyError, _show_database_error)
    app.register_error_handler(Exception, _show_crash)
    filters.register(app)
    app.context_processor(_page_context)
    app.add_template_global(asset)


def installation() -> Installation:
    """What this process works with."""
    return cast(Installation, current_app.extensions["guichet"])


def account() -> Account:
    """The signed-in person's account."""
    return cast(SignedIn, current_user).account


def language() -> str:
    """The language of this page: `fr` or `en`."""
    locale = get_locale()
    return locale.language if locale else "fr"


def chosen_language() -> str:
    """What the visitor chose; else what the directory says of him; else his browser; else the site's."""
    if session.get("language") in LANGUAGES:
        return str(session["language"])
    if current_user.is_authenticated:
        preferred = account().language[:2].lower()
        if preferred in LANGUAGES:
            return preferred
    default = installation().settings.portal.locale
    return request.accept_languages.best_match([default, *LANGUAGES]) or default


def wants_fragment() -> bool:
    """Whether htmx asked for a part of the page rather than for the page."""
    return bool(htmx) and request.headers.get("HX-Request-Type", "partial") == "partial"


def asset(name: str) -> str:
    """The address of a static file, changing with its content so that it can be cached for ever."""
    versions = current_app.extensions.setdefault("guichet.assets", {})
    if name not in versions:
        content = (Path(current_app.static_folder or "") / name).read_bytes()
        versions[name] = hashlib.sha256(content).hexdigest()[:12]
    return url_for("static", filename=name, v=versions[name])


def person_of(token: str) -> SignedIn | None:
    """Who holds a session's token, with rights at most five minutes old."""
    house = installation()
    with house.database.reading() as db:
        found = sessions.find_account(db, token)
    if found is None:
        return None
    try:
        current = sign_in.refresh(house.database, house.directory, found, house.settings.directory.when_down)
    except Refused:
        return SignedIn(found, token, waits=True)
    return SignedIn(current, token) if current else None


def _bind_log() -> None:
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(path=request.path)
    audit.note_address(request.remote_addr or "")


def _require_person() -> Any:
    if request.endpoint is None or request.endpoint in OPEN_ENDPOINTS:
        return None
    if not current_user.is_authenticated:
        return _ask_to_sign_in()
    if current_user.waits and request.endpoint != "directory.leave":
        return render_template("_error.html" if wants_fragment() else "error.html", kind="directory"), 503
    return None


def _ask_to_sign_in() -> Any:
    logout_user()
    back = request.full_path.rstrip("?") if request.method == "GET" and not htmx else ""
    target = url_for("directory.enter", next=back or None)
    if htmx:
        # A fragment cannot hold the sign-in page: the whole page goes there.
        return Response(status=204, headers={"HX-Redirect": target})
    return redirect(target)


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    if installation().settings.portal.secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        response.headers.setdefault("Cache-Control", "no-store")
        response.vary.add("HX-Request")
        response.vary.add("Accept-Language")
    return response


def _show_error(error: HTTPException) -> Any:
    if error.response is not None or (error.code or 500) < 400:
        return error
    kind = "csrf" if isinstance(error, CSRFError) else str(error.code)
    template = "_error.html" if wants_fragment() else "error.html"
    return render_template(template, kind=kind, number=g.get("incident", "")), error.code or 500


def _show_database_error(error: SQLAlchemyError) -> Any:
    detail = unusable(error)
    if not detail:
        return _show_crash(error)
    log.error("database_unavailable", detail=detail)
    if "_login_user" in g:
        get_locale()
    # A page for somebody asks the database for more than who he is, and that is away: only his language is kept.
    g._login_user = login_manager.anonymous_user()
    return _show_error(ServiceUnavailable())


def _show_crash(error: Exception) -> Any:
    g.incident = hashlib.sha256(f"{clock.now()}{id(error)}".encode()).hexdigest()[:8].upper()
    log.exception("request_failed", incident=g.incident)
    return _show_error(InternalServerError())


def _page_context() -> dict[str, Any]:
    portal = installation().settings.portal
    person = account() if current_user.is_authenticated else None
    return {
        "company": portal.company,
        "contact": portal.contact or gettext("your IT department"),
        "here": _here(),
        "person": person,
        "page_language": language(),
        "languages": LANGUAGES,
        "zone": portal.zone,
    }


def _here() -> str:
    """The address that shows this page again; the answer to a form is shown by the page the form was on."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    before = urlsplit(request.referrer or "")
    return before._replace(scheme="", netloc="", fragment="").geturl() or "/"
