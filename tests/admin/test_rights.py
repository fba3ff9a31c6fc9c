"""Who may buy: proposed, previewed, saved, undone; and every way to get it wrong."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from demo import people
from portal.audit import AuditEntry
from portal.directory.answers import Group
from portal.rights.ceilings import Terms, add_ceiling, live_ceilings
from portal.rights.delegations import add_delegation
from portal.rights.rules import add_rule, all_rules
from portal.rights.scopes import Scope, parse_scope
from tests.conftest import Visitor

ACCOUNTING = f"cn=comptabilite,{people.GROUPS_BASE}"
RIGHT = {"group": ACCOUNTING, "what": "allow-buy", "scope": "offer:coface/rapport", "period": "month", "who": "each"}


def said(installation):
    with installation.database.reading() as session:
        rules = [(rule.group.label, rule.effect, rule.right, str(rule.scope)) for rule in all_rules(session)]
        ceilings = [(each.group.label if each.group else "", each.limit_cents) for each in live_ceilings(session)]
    return rules, ceilings


def test_a_right_with_its_ceiling_is_previewed_saved_and_undone(admin, installation):
    before = said(installation)
    admin.get("/admin/rights")
    admin.post("/admin/rights/preview", **RIGHT, limit="200,00")
    assert "comptabilite peut acheter « Rapport de crédit »" in admin.text
    assert "jusqu'à 200,00" in admin.text
    assert "Aïcha Benali" in admin.text
    assert "Chloé Lefèvre" not in admin.text.split("Pourront acheter")[1].split("</dl>")[0]
    assert said(installation) == before

    admin.post("/admin/rights", **RIGHT, limit="200,00")

    rules, ceilings = said(installation)
    assert ("comptabilite", "allow", "buy", "offer:coface/rapport") in rules
    assert ceilings == [("comptabilite", 20000)]
    entries = admin.page.split('name="entries" value="')[1].split('"')[0]
    admin.post("/admin/changes/undo", entries=entries)
    assert said(installation) == before


def test_a_ceiling_for_everyone_needs_no_group_and_may_leave_vat_out(admin, installation):
    admin.get("/admin/rights")
    everyone = {
        "what": "ceiling",
        "who": "everyone",
        "scope": "all",
        "period": "day",
        "limit": "30",
        "vat": "without",
        "warn": "0",
    }
    admin.post("/admin/rights/preview", **everyone)
    assert "Tout le monde : jusqu'à 30,00" in admin.text.replace("\xa0:", " :")
    assert "hors TVA" in admin.text or "TVA non comprise" in admin.text
    admin.post("/admin/rights", **everyone)

    with installation.database.reading() as session:
        (made,) = live_ceilings(session)
    assert (made.who, made.group, made.limit_cents, made.with_vat, made.warn_percent) == (
        "everyone",
        None,
        3000,
        False,
        0,
    )


def test_what_is_saved_holds_for_the_very_next_purchase(admin, app, installation):
    aicha = Visitor(app)
    aicha.sign_in("aicha.benali")
    assert "Aucun service" in aicha.text
    admin.get("/admin/rights")
    admin.post("/admin/rights", **RIGHT, limit="200,00")

    assert "coface-rapport" in aicha.get("/")
    assert "registre-kbis" not in aicha.page


def test_the_journal_says_who_and_from_where(admin, installation):
    admin.get("/admin/rights")
    admin.post("/admin/rights", **RIGHT)

    with installation.database.reading() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert (entry.action, entry.actor, entry.address) == ("rule_added", "account 1", "127.0.0.1")


def test_a_group_is_found_as_one_types_with_how_many_are_in_it(admin):
    page = admin.get("/admin/groups?group_text=COMPTA")

    assert ACCOUNTING in page
    assert "3 membres" in page


@pytest.mark.parametrize(("change", "sentence"), [
    ({"limit": "much"}, "n'est pas un montant"), ({"limit": "-5"}, "n'est pas un montant"),
    ({"what": "ceiling"}, "Un plafond demande un montant"), ({"what": "deny-buy", "limit": "5"}, "Un montant n'a de sens"),
    ({"first": "2026-12-02", "last": "2026-12-01"}, "précède le premier"), ({"scope": "offer:nobody/nothing"}, ""),
    ({"what": "sell"}, ""), ({"who": "everyone"}, "Seul un plafond peut valoir pour tous"),
    ({"warn": "101"}, "de 0 (jamais) à 100"), ({"vat": "some"}, ""), ({"group": "cn=nobody,dc=acme"}, "Choisissez un groupe"),
    ({"group": ""}, "Choisissez un groupe"), ({"group": "", "group_text": "*)(cn=*"}, "Choisissez un groupe"),
    ({"group": "", "group_text": "compt"}, "3 membres"),
])  # fmt: skip
@pytest.mark.parametrize("address", ["/admin/rights", "/admin/rights/preview"])
def test_what_makes_no_sense_is_said_and_nothing_is_saved(address, change, sentence, admin, installation):
    before = said(installation)
    admin.get("/admin/rights")

    admin.post(address, **{**RIGHT, **change})

    assert admin.status == 422
    assert sentence in admin.text
    assert said(installation) == before


def test_a_form_keeps_what_was_typed(admin):
    admin.get("/admin/rights")
    admin.post("/admin/rights/preview", **{**RIGHT, "limit": "2OO", "first": "2026-12-01"})

    assert 'value="2OO"' in admin.page
    assert 'value="2026-12-01"' in admin.page
    assert '<option selected value="offer:coface/rapport">' in admin.page


def test_a_rule_is_removed_after_its_losers_are_shown(admin, installation):
    with installation.database.reading() as session:
        rule = next(rule for rule in all_rules(session) if rule.right == "buy")
    admin.get(f"/admin/rights/{rule.id}/remove")
    assert "Ne pourront plus acheter" in admin.text
    assert "Chloé Lefèvre" in admin.text

    admin.post(f"/admin/rights/{rule.id}/remove")

    assert rule.id not in [each.id for each in _rules(installation)]
    assert admin.get(f"/admin/rights/{rule.id}/remove").count("card") == 0
    assert admin.status == 404


def _rules(installation):
    with installation.database.reading() as session:
        return all_rules(session)


def test_a_directory_that_is_down_still_lets_one_remove_a_rule(admin, company, installation):
    company.directory.fault = "down"
    rule = _rules(installation)[0]
    admin.get(f"/admin/rights/{rule.id}/remove")
    assert "ne peut dire qui" in admin.text

    admin.post(f"/admin/rights/{rule.id}/remove")

    assert len(_rules(installation)) == 1


def test_after_ten_minutes_the_password_is_asked_again(admin, installation, later):
    admin.get("/admin/rights")
    later(minutes=11)
    before = said(installation)

    admin.post("/admin/rights", **RIGHT)
    assert (admin.status, said(installation)) == (409, before)
    admin.post("/admin/rights", **RIGHT, password="wrong")
    assert (admin.status, said(installation)) == (409, before)
    admin.post("/admin/rights", **RIGHT, password=people.PASSWORD)

    assert said(installation) != before


@pytest.mark.parametrize(
    "address", ["/admin/", "/admin/rights", "/admin/people", "/admin/groups", "/admin/rights/1/remove"]
)
def test_who_is_no_admin_finds_nothing_there(address, buyer):
    buyer.get(address)

    assert buyer.status == 404


def test_a_group_that_vanished_is_shown_as_broken(admin, company, installation, later):
    gone = company.directory.tree.add_group("passagers", "Passagers", [])
    with installation.database.transaction() as session:
        add_rule(session, "test", installation.directory.find_group(gone)[0], Scope("all"), "buy", "allow")
    company.directory.tree.remove_group("passagers")
    later(minutes=6)

    admin.get("/admin/rights")

    assert "n'a plus ce groupe" in admin.text


@pytest.mark.parametrize("name", [
    'L\\"Été\\"', "R&D\\, Études", "a/b", "\u202eneg\u202c", "<script>alert(1)</script>".replace("<", "\\<").replace(">", "\\>"), "O'Neill",
])  # fmt: skip
def test_awkward_names_are_chosen_shown_and_saved(name, admin, company, installation):
    dn = company.directory.tree.add_group(name, "Bizarre", [f"uid=loic.oneill,{people.PEOPLE_BASE}"])
    admin.get("/admin/rights")
    admin.post("/admin/rights/preview", **{**RIGHT, "group": dn})
    assert "Loïc" in admin.text
    assert "<script>alert" not in admin.page

    admin.post("/admin/rights", **{**RIGHT, "group": dn})

    assert admin.status == 200
    assert dn in [rule.group.dn for rule in _rules(installation)]


def delegated(installation, scope="category:entreprises"):
    with installation.database.transaction() as session:
        add_delegation(
            session,
            "test",
            Group(people.GROUP_ACHATS),
            installation.directory.find_group(ACCOUNTING)[0],
            parse_scope(scope),
        )
        add_ceiling(session, "test", None, Terms("everyone", Scope("all"), "year", 5))


def test_a_delegate_sees_and_decides_on_his_group_and_scope_only(buyer, installation):
    delegated(installation)
    buyer.get("/admin/rights")
    assert "comptabilite" in buyer.text
    assert "stagiaires" not in buyer.text
    assert "Tout le monde" not in buyer.text

    buyer.post("/admin/rights", **{**RIGHT, "scope": "category:entreprises"})
    assert ("comptabilite", "allow", "buy", "category:entreprises") in said(installation)[0]
    for refused in ({"scope": "all"}, {"scope": "category:presse"}, {"group": people.GROUP_STAGIAIRES}):
        buyer.get("/admin/rights")
        buyer.post("/admin/rights", **{**RIGHT, "scope": "category:entreprises", **refused})
        assert buyer.status == 409
        assert "ne relève pas de vous" in buyer.text
    buyer.get("/admin/people")
    assert buyer.status == 404


def test_a_delegate_does_not_undo_what_others_did(buyer, admin, installation):
    delegated(installation)
    admin.get("/admin/rights")
    admin.post("/admin/rights", **RIGHT)
    entry = admin.page.split('name="entries" value="')[1].split('"')[0]
    buyer.get("/admin/rights")

    buyer.post("/admin/changes/undo", entries=entry)

    assert buyer.status == 409
    assert ("comptabilite", "allow", "buy", "offer:coface/rapport") in said(installation)[0]
