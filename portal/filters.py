"""How money, dates and states are read: the only ways templates may show them."""

from __future__ import annotations

from datetime import date, datetime

from babel.dates import format_date, format_datetime
from flask import Flask, current_app
from flask_babel import get_locale
from markupsafe import Markup, escape

from portal import category_words, clock, countries, money, sentences, term_words, upload_words, words
from portal.billing.operators import name_of
from portal.checkout.outcomes import is_a_page
from portal.checkout.terms import promised_end
from portal.languages import in_language


def register(app: Flask) -> None:
    """Add the filters to the templates."""
    app.add_template_filter(show_money, "money")
    app.add_template_filter(show_rate, "rate")
    app.add_template_filter(show_moment, "moment")
    app.add_template_filter(show_hour, "hour")
    app.add_template_filter(show_second, "moment_s")
    app.add_template_filter(show_day, "day")
    app.add_template_filter(show_words, "words")
    app.add_template_filter(words.order_state, "order_state")
    app.add_template_filter(category_words.category, "category")
    app.add_template_filter(category_words.category_icon, "category_icon")
    app.add_template_filter(words.action, "action")
    app.add_template_filter(words.period, "period")
    app.add_template_filter(term_words.term, "term")
    app.add_template_filter(ends_if_confirmed, "ends_if_confirmed")
    app.add_template_global(lambda: clock.now(), "now")
    app.add_template_filter(words.request_state, "request_state")
    app.add_template_filter(words.reason, "sentence")
    app.add_template_filter(words.active, "active_parts")
    app.add_template_filter(show_size, "size")
    app.add_template_test(is_a_page, "page")
    app.add_template_filter(countries.names, "countries")
    app.add_template_filter(upload_words.endings, "file_endings")
    app.add_template_filter(lambda accept: upload_words.kinds(accept, _locale()), "file_kinds")
    app.add_template_filter(lambda most: upload_words.size(most, _locale()), "file_limit")
    app.add_template_filter(name_of, "operator_name")
    app.add_template_filter(sentences.said, "said")
    app.add_template_filter(sentences.explanation, "explained")


def _locale() -> str:
    return str(get_locale() or "fr")


def show_money(cents: int, currency: str = "EUR") -> str:
    """`3,53 €`."""
    return money.format_money(cents, currency, _locale())


def show_rate(rate_bp: int) -> str:
    """`20 %`."""
    return money.format_rate(rate_bp, _locale())


def show_moment(at: datetime) -> Markup:
    """A time in the company's zone, with its exact value for machines."""
    zone = current_app.extensions["guichet"].settings.portal.zone
    local = at.astimezone(zone)
    text = format_datetime(local, "d MMM y, HH:mm", locale=_locale()) + _which(local)
    return Markup('<time datetime="{}">{}</time>').format(escape(local.isoformat(timespec="seconds")), text)


def show_second(at: datetime) -> Markup:
    """The same to the second, for evidence."""
    zone = current_app.extensions["guichet"].settings.portal.zone
    local = at.astimezone(zone)
    text = format_datetime(local, "d MMM y, HH:mm:ss", locale=_locale()) + _which(local)
    return Markup('<time datetime="{}">{}</time>').format(escape(local.isoformat(timespec="milliseconds")), text)


def show_day(day: date) -> str:
    """One of the company's days: `25 nov. 2026`."""
    return str(format_date(day, "d MMM y", locale=_locale()))


def show_hour(at: datetime) -> str:
    """The time of day in the company's zone: `14:05`."""
    zone = current_app.extensions["guichet"].settings.portal.zone
    local = at.astimezone(zone)
    return f"{local:%H:%M}{_which(local)}"


def _which(local: datetime) -> str:
    """Which of two is meant, in the hour that comes twice when the clocks go back: ` (UTC+2)`; "" in any other."""
    if local.utcoffset() == local.replace(fold=1 - local.fold).utcoffset():
        return ""
    hours, minutes = f"{local:%z}"[:3], f"{local:%z}"[3:]
    return f" (UTC{hours[0]}{int(hours[1:])}{'' if minutes == '00' else ':' + minutes})"


def ends_if_confirmed(term: str) -> datetime | None:
    """When a term ends that begins at this moment."""
    return promised_end(term, clock.now(), current_app.extensions["guichet"].settings.portal.zone)


def show_words(texts: dict[str, str]) -> str:
    """A text that exists in several languages."""
    return in_language(texts, _locale()[:2])


def show_size(size: int) -> str:
    """A file's size: `84 ko`."""
    return upload_words.size(max(1_000, round(size, -3)) if size < 1_000_000 else round(size, -5), _locale())
