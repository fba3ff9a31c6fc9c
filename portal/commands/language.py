"""The language of the terminal: French when the system speaks French, English otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from babel.support import Translations

TRANSLATIONS = Path(__file__).parent.parent / "translations"


def terminal_language() -> str:
    """`fr` or `en`, from LC_ALL, LC_MESSAGES or LANG."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "fr" if value.lower().startswith("fr") else "en"
    return "en"


_catalogue = Translations.load(TRANSLATIONS, [terminal_language()])


def say(text: str, **facts: object) -> str:
    """A sentence of the command line in the terminal's language."""
    translated = _catalogue.gettext(text)
    return translated % facts if facts else translated
