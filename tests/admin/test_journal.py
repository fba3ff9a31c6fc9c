"""The journal on screen: who, what, when, from where; filtered, exported, verified."""

from __future__ import annotations

import csv
import io
import json

import pytest
from sqlalchemy import text

from demo import people
from portal import audit
from portal.directory.answers import Group
from portal.rights.ceilings import Terms, add_ceiling, change_ceiling
from portal.rights.scopes import Scope


@pytest.fixture
def changed(installation):
    with installation.database.transaction() as session:
        made = add_ceiling(
            session, "command line", Group(people.GROUP_ACHATS), Terms("each", Scope("all"), "month", 200)
        )
        change_ceiling(session, "command line", made, 300, 80)
        audit.record(session, "=cmd|'/c calc'!A1", "rule_added", "<script>alert(1)</script>")


def test_each_entry_shows_who_and_what_changed(changed, admin):
    admin.get("/admin/journal")

    assert "Benoît Besson" in admin.text
    assert "Plafond changé" in admin.text
    assert "<del>200</del>" in admin.page
    assert "<ins>300</ins>" in admin.page
    assert "<script>alert" not in admin.page
    assert "La chaîne est intacte" in admin.text


@pytest.mark.parametrize(("query", "shown", "hidden"), [
    ("q=benoît", "Connexion", "Plafond"), ("q=COMMAND", "Plafond changé", "127.0.0.1"),
    ("action=ceiling_changed", "Plafond changé", "command line</td>"), ("first=2999-01-01", "Rien ne correspond", "<tbody>"),
    ("last=2001-01-01", "Rien ne correspond", "<tbody>"), ("q=%25", "Rien ne correspond", "<tbody>"),
])  # fmt: skip
def test_it_is_filtered(query, shown, hidden, changed, admin):
    page = admin.get(f"/admin/journal?{query}")
    entries = page.split('id="entries"')[1]

    assert shown in entries.replace("&#39;", "'")
    assert hidden not in entries


def test_it_is_read_page_by_page(admin, installation):
    with installation.database.transaction() as session:
        for number in range(120):
            audit.record(session, "t", "rule_added", f"subject {number}")
    seen, address = [], "/admin/journal"
    while address:
        page = admin.get(address)
        seen += [part.split("<")[0] for part in page.split(">subject ")[1:]]
        address = (
            page.split('class="pages"')[1].split('href="')[1].split('"')[0].replace("&amp;", "&")
            if 'class="pages"' in page
            else ""
        )

    assert seen == [str(number) for number in reversed(range(120))]


def test_a_rewritten_entry_is_named(changed, admin, installation):
    with installation.database.transaction() as session:
        session.execute(text("UPDATE audit_entries SET actor = 'somebody else' WHERE action = 'ceiling_changed'"))

    admin.get("/admin/journal")

    assert "La chaîne est rompue à l'entrée" in admin.text


def test_exports_hold_what_the_filter_lets_through(changed, admin):
    lines = admin.get("/admin/journal.json?action=ceiling_changed").splitlines()
    assert [json.loads(line)["after"]["limit_cents"] for line in lines] == [300]

    rows = list(csv.reader(io.StringIO(admin.get("/admin/journal.csv").removeprefix("\ufeff")), delimiter=";"))
    assert rows[0][:4] == ["id", "at", "actor", "address"]
    assert [row[2] for row in rows if "calc" in row[2]] == ["'=cmd|'/c calc'!A1"]
    admin.get("/admin/journal.exe")
    assert admin.status == 404


def test_nobody_else_reads_it(buyer):
    for address in ("/admin/journal", "/admin/journal.csv", "/admin/journal.json"):
        buyer.get(address)
        assert buyer.status == 404
