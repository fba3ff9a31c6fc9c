"""Every reason the rules can give has its sentence, in both languages, with every fact it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask_babel import force_locale

from portal import category_words, filters, words
from portal.checkout.fulfilment import CAUSES
from portal.refusals import Reason

ROOT = Path(__file__).parent.parent
FACTS = {
    "identity": "normes", "address": "nowhere", "name": "achats", "found": "cn=achats,dc=acme",
    "minutes": 15, "group": "cn=x", "merchant": "M", "minimum": 2, "maximum": 9, "amount_cents": 353, "limit_cents": 2000,
    "left_cents": 100, "cents": 706, "count": 2, "operator": "SFR", "current": "Free", "known": "free, sfr", "currency": "EUR", "period": "month", "renews_at": None, "words": {"fr": "Non.", "en": "No."},
}  # fmt: skip


def codes():
    """Every reason named in the rules' own code."""
    found = {
        "operator_" + code for code in ("line", "amount", "threshold", "denied", "credentials", "request", "expired")
    }
    for path in (ROOT / "portal").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'(?:Reason|Refused|_Wrong|NotReserved)\(\s*"(\w+)"', text))
        found |= set(re.findall(r'doubt\(session, order, "(\w+)"', text))
    return found | set(CAUSES.values())


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_reason_is_a_sentence(language, app):
    assert len(codes()) > 40
    with app.test_request_context("/"), force_locale(language):
        for code in codes():
            said = words.reason(Reason(code, FACTS))
            assert said[-1] == ".", (code, said)
            assert "%(" not in said


def test_every_sentence_is_of_a_reason_there_is():
    assert set(words.REASONS) <= codes()


def test_every_category_has_a_symbol_and_any_other_that_of_a_service():
    symbols = (Path(words.__file__).parent / "static" / "img" / "icons.svg").read_text(encoding="utf-8")

    for slug in [*category_words.CATEGORIES, "never-seen"]:
        assert f'id="{category_words.category_icon(slug)}"' in symbols


@pytest.mark.parametrize(("size", "french", "english"), [
    (12, "1 ko", "1 kB"), (84_400, "84 ko", "84 kB"), (1_240_000, "1,2 Mo", "1.2 MB"), (10_000_000, "10 Mo", "10 MB"),
])  # fmt: skip
def test_a_size_is_said_as_people_of_either_language_say_it(app, size, french, english):
    for locale, said in (("fr", french), ("en", english)):
        with app.test_request_context(), force_locale(locale):
            assert filters.show_size(size).replace("\N{NO-BREAK SPACE}", " ") == said
