"""What may somebody buy, and why: the screen gives the words of the command line, and simulates."""

from __future__ import annotations

import html
import json

import pytest
from click.testing import CliRunner

from demo import people
from portal.commands import portal
from portal.directory.answers import Group, Yes
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope, parse_scope


def identifier(installation, login):
    answer = installation.directory.sign_in(login, people.PASSWORD)
    assert isinstance(answer, Yes)
    return answer.person.id


def test_a_person_is_found_by_any_part_of_the_name(admin):
    admin.get("/admin/people?q=lef")

    assert "Chloé Lefèvre" in admin.text
    assert "Hugo" not in admin.text


def test_a_person_shows_groups_verdicts_and_what_is_left(admin, buyer, installation):
    with installation.database.transaction() as session:
        add_ceiling(session, "t", Group(people.GROUP_ACHATS), Terms("each", Scope("all"), "month", 2000))
    buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))

    admin.get(f"/admin/people/{identifier(installation, 'chloe.lefevre')}")

    assert "achats" in admin.text
    assert "peut acheter" in admin.text
    assert "il reste 19,10" in admin.text.replace("\u202f", " ").replace("\xa0", " ")


def test_a_simulation_changes_nothing_and_says_so(admin, installation):
    address = f"/admin/people/{identifier(installation, 'loic.oneill')}"
    assert "peut acheter</span>" not in admin.get(address)

    admin.get(address + "?add=achats")

    assert "peut acheter</span>" in admin.page
    assert "Simulation" in admin.text
    assert "peut acheter</span>" not in admin.get(address)


def test_nobody_is_nobody(admin):
    admin.get("/admin/people/00000000-0000-0000-0000-000000000000")

    assert admin.status == 404


def test_a_directory_that_is_down_shows_what_was_read(admin, buyer, company, installation):
    known = identifier(installation, "chloe.lefevre")
    company.directory.fault = "down"

    admin.get(f"/admin/people/{known}")

    assert "ne répond pas de cette personne" in admin.text
    assert "achats" in admin.text


LOGINS = ("chloe.lefevre", "hugo.garcon", "amelie.noel", "loic.oneill", "francoise.dupre")
OFFERS = ("registre-kbis", "lesechos-article", "coface-rapport", "quidonc-inverse")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_screen_and_command_give_the_same_words_for_twenty_cases(
    language, app, admin, installation, tmp_path, monkeypatch
):
    from tests.conftest import Visitor

    monkeypatch.setenv("PORTAL_CONFIG", str(tmp_path / "portal.toml"))
    monkeypatch.setattr("portal.commands.language.terminal_language", lambda: language)
    monkeypatch.setattr("portal.commands.context.terminal_language", lambda: language)
    with installation.database.transaction() as session:
        add_rule(session, "t", Group(people.GROUP_ACHATS), parse_scope("category:presse"), "buy", "deny")
        add_ceiling(session, "t", Group(people.GROUP_STAGIAIRES), Terms("each", Scope("all"), "month", 100))
        add_ceiling(
            session, "t", None, Terms("everyone", parse_scope("merchant:coface"), "purchase", 10**6, with_vat=False)
        )
    for login in LOGINS:
        Visitor(app).sign_in(login)
    admin.get("/admin/people")
    admin.post("/language", language=language)
    for login in LOGINS:
        page = html.unescape(admin.get(f"/admin/people/{identifier(installation, login)}"))
        for offer in OFFERS:
            result = CliRunner().invoke(portal, ["rights", "explain", login, offer, "--json"])
            [answer] = json.loads(result.stdout)
            assert answer["words"]
            paragraphs = "".join(f"<p>{sentence}</p>" for sentence in answer["words"])
            assert paragraphs in page, (login, offer)
