"""How long something lasts, in words: `24 heures`, `un mois`; and what may be wrong with its end."""

from __future__ import annotations

from babel.units import format_unit
from flask_babel import get_locale, lazy_gettext

from connectors.terms import read_term

ONE = {
    "years": lazy_gettext("one year"), "months": lazy_gettext("one month"), "weeks": lazy_gettext("one week"),
    "days": lazy_gettext("one day"), "hours": lazy_gettext("one hour"), "minutes": lazy_gettext("one minute"),
}  # fmt: skip

REASONS = {
    "access_shorter": lazy_gettext(
        "The merchant's access ends earlier than you were promised. An administrator is looking into it; "
        "nothing is charged meanwhile."
    ),
    "access_ended": lazy_gettext(
        "What the merchant delivered is over already. An administrator is looking into it; nothing is charged meanwhile."
    ),
}
"""What is wrong with an end."""


def term(text: str) -> str:
    """A term as offers give it, in the language of the page; "" without one."""
    if not text:
        return ""
    parts = vars(read_term(text))
    locale = str(get_locale() or "fr")
    said = [
        str(ONE[unit]) if many == 1 else format_unit(many, f"duration-{unit[:-1]}", "long", locale=locale)
        for unit, many in parts.items()
        if many
    ]
    return ", ".join(said)
