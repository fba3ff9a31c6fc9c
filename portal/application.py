"""The web application: a list of what exists."""

from __future__ import annotations

from flask import Flask

from portal import health, web
from portal import settings as configuration
from portal.admin import views as admin
from portal.catalog import views as catalog
from portal.checkout import views as checkout
from portal.directory import views as directory
from portal.installation import Installation, open_installation
from portal.sealing import secret_key
from portal.settings import Settings


def make_app(settings: Settings | None = None, installation: Installation | None = None) -> Flask:
    """The application: a list of what exists.

    Raises:
        SettingsError: the configuration cannot be used.
    """
    installation = installation or open_installation(settings or configuration.load())
    app = Flask("portal")
    app.config.update(
        SECRET_KEY=secret_key(installation.settings.path(installation.settings.portal.secret_key_file)),
        SESSION_COOKIE_SECURE=installation.settings.portal.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_NAME="guichet",
        MAX_CONTENT_LENGTH=1_000_000,
        BABEL_DEFAULT_LOCALE=installation.settings.portal.locale,
        BABEL_DEFAULT_TIMEZONE=installation.settings.portal.time_zone,
        WTF_CSRF_TIME_LIMIT=None,
    )
    for room in (web, directory, catalog, checkout, admin, health):
        room.register(app, installation)
    return app
