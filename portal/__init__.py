"""Guichet: an intranet portal for online services, paid on the company's Internet invoice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from portal.installation import Installation
    from portal.settings import Settings


def create_app(settings: Settings | None = None, installation: Installation | None = None) -> Flask:
    """The web application; see `application.py` for the list of what it is made of."""
    # Imported here so that the rules, the worker and the commands do not load the web frame.
    from portal.application import make_app

    return make_app(settings, installation)
