"""What merchants change, in words: the name of each thing compared, and its values."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext, lazy_gettext

from portal import category_words, term_words, words
from portal.filters import show_money, show_rate

NAMES = {
    "connector": lazy_gettext("Connector"),
    "name": lazy_gettext("Name"),
    "siren": lazy_gettext("SIREN"),
    "vat": lazy_gettext("VAT number"),
    "country": lazy_gettext("Country"),
    "terms_url": lazy_gettext("Terms of sale"),
    "hosts": lazy_gettext("Reached at"),
    "sandbox": lazy_gettext("Demonstration only"),
    "currency": lazy_gettext("Currency"),
    "vat_rate_bp": lazy_gettext("VAT rate"),
    "delivery": lazy_gettext("What is delivered"),
    "gross_cents": lazy_gettext("Price, VAT included"),
    "pricing": lazy_gettext("What the price is for"),
    "term": lazy_gettext("How long it lasts"),
    "units": lazy_gettext("Units in the pack"),
    "category": lazy_gettext("Category"),
    "packs": lazy_gettext("Packs that pay for it"),
}

PRICINGS = {
    "act": lazy_gettext("one act"),
    "duration": lazy_gettext("an access for a while"),
    "pack": lazy_gettext("a pack of units"),
    "subscription": lazy_gettext("one period of a subscription"),
}


def name(of: str) -> str:
    """What is compared; what nobody has named yet is shown as it is called."""
    return str(NAMES.get(of, of.replace("_", " ").capitalize()))


def value(of: str, given: Any, currency: str = "EUR") -> str:
    """One value of it."""
    if of == "gross_cents":
        return show_money(given, currency) if given else str(gettext("free"))
    if of == "vat_rate_bp":
        return show_rate(given)
    if of == "delivery":
        return str(words.DELIVERY_KINDS.get(given, given))
    if of == "pricing":
        return str(PRICINGS.get(given, given))
    if of == "category":
        return category_words.category(given)
    if of == "term":
        return term_words.term(given) or str(gettext("none"))
    if isinstance(given, bool):
        return str(gettext("yes") if given else gettext("no"))
    if isinstance(given, list):
        return ", ".join(map(str, given)) or str(gettext("none"))
    return str(given) or str(gettext("none"))
