"""The whole set of rules, taken away and brought back on screen."""

from __future__ import annotations

import html
import io
import re

import pytest

from demo import people
from portal.directory.answers import Group
from portal.rights.ceilings import Terms, add_ceiling, live_ceilings
from portal.rights.rules import all_rules
from portal.rights.scopes import Scope

CEILING = f"""
[[ceilings]]
who = "each"
group = "{people.GROUP_ACHATS}"
limit = "50.00"
period = "month"
scope = "all"
"""


def said(installation):
    with installation.database.reading() as session:
        return len(all_rules(session)), [each.limit_cents for each in live_ceilings(session)]


def fields(admin):
    """What the form that applies would send."""
    shown = re.search(r'name="shown" value="([^"]*)"', admin.page)[1]
    text = re.search(r'<textarea name="text" hidden>(.*?)</textarea>', admin.page, re.S)[1]
    return {"apply": "1", "shown": shown, "text": html.unescape(text)}


def test_what_is_taken_away_changes_nothing_when_brought_back(admin, installation):
    text = admin.get("/admin/rule-file.toml")
    assert people.GROUP_ACHATS in text
    admin.get("/admin/rule-file")
    admin.post("/admin/rule-file", file=(io.BytesIO(text.encode()), "rules.toml"))

    assert "Tout est déjà comme le dit le fichier" in admin.text
    assert said(installation) == (2, [])


def test_a_file_is_looked_at_then_applied(admin, installation):
    text = admin.get("/admin/rule-file.toml") + CEILING
    admin.get("/admin/rule-file")
    admin.post("/admin/rule-file", text=text)
    assert "jusqu'à 50,00" in admin.text
    assert said(installation) == (2, [])

    admin.post("/admin/rule-file", **fields(admin))

    assert "1 changement" in admin.text
    assert said(installation) == (2, [5000])


def test_what_was_not_shown_is_not_done(admin, installation):
    text = admin.get("/admin/rule-file.toml") + CEILING
    admin.get("/admin/rule-file")
    admin.post("/admin/rule-file", text=text)
    with installation.database.transaction() as session:
        add_ceiling(session, "t", Group(people.GROUP_ACHATS), Terms("shared", Scope("all"), "year", 9))

    admin.post("/admin/rule-file", **fields(admin))
    assert admin.status == 409
    assert said(installation) == (2, [9])
    assert "entre-temps" in admin.text

    admin.post("/admin/rule-file", **fields(admin))
    assert said(installation) == (2, [5000])


@pytest.mark.parametrize(("content", "sentence"), [
    (CEILING.replace("50.00", "much"), "Ligne 5"), ("[[rules", "Ligne 1"), ("", "Choisissez un fichier"),
    ("\ufeff[[shelves]]\n", "Ligne 1"), ("x" * 400_001, "400 ko"), (b"\xff\xfe", "UTF-8"),
])  # fmt: skip
def test_a_wrong_file_is_named_by_its_lines_and_applies_nothing(admin, installation, content, sentence):
    raw = content if isinstance(content, bytes) else content.encode()
    admin.get("/admin/rule-file")
    admin.post("/admin/rule-file", file=(io.BytesIO(raw), "rules.toml"), apply="1")

    assert sentence in admin.text
    assert said(installation) == (2, [])


def test_a_directory_that_is_down_changes_nothing(admin, company, installation):
    admin.get("/admin/rule-file")
    company.directory.fault = "down"
    admin.post("/admin/rule-file", text=CEILING, apply="1")

    assert admin.status in {422, 503}
    assert said(installation) == (2, [])
