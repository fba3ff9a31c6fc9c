"""The web application: a list of what exists."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from flask import Flask

from portal import health, web
from portal import settings as configuration
from portal.admin import views as admin
from portal.catalog import views as catalog
from portal.checkout import views as checkout
from portal.directory import views as directory
from portal.installation import Installation, open_installation
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


def secret_key(path: Path) -> str:
    """The key that signs cookies, made on first start and readable by the portal's user only.

    Several processes may start at once: whoever comes first makes it, and nobody takes an empty file for a key.
    """
    with contextlib.suppress(FileNotFoundError):
        known = path.read_text(encoding="ascii").strip()
        if known:
            return known
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        known = file.read().strip()
        if not known:
            known = secrets.token_hex(32)
            file.write(known)
            file.flush()
            os.fsync(file.fileno())
    return known
