"""What categories are called, and the symbols they have."""

from __future__ import annotations

from flask_babel import lazy_gettext

CATEGORIES = {
    "entreprises": lazy_gettext("Companies"),
    "presse": lazy_gettext("Press"),
    "annuaire": lazy_gettext("Directories"),
    "juridique": lazy_gettext("Legal"),
    "livres": lazy_gettext("Books"),
    "normes": lazy_gettext("Standards"),
    "traduction": lazy_gettext("Translation"),
    "courrier": lazy_gettext("Mail"),
    "logiciels": lazy_gettext("Software"),
}


def category(slug: str) -> str:
    """A category's name; a slug nobody translated is shown as it is."""
    return str(CATEGORIES.get(slug, slug.replace("-", " ").capitalize()))


def category_icon(slug: str) -> str:
    """The symbol of a category; that of any service for one only its merchant knows."""
    return slug if slug in CATEGORIES else "service"
