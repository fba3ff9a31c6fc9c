"""The operator's screen: who it is, whether it answers, what waits for it, and choosing another."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from demo.companies import COMPANIES
from portal import clock, create_app, settings
from portal.audit import AuditEntry
from portal.billing import operator_choice
from portal.billing.worker import work_once
from portal.installation import open_installation
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def finance(app):
    someone = Visitor(app)
    someone.sign_in("francoise.dupre")
    return someone


def buy(buyer):
    return buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))


@pytest.fixture
def reopened(installation, tmp_path):
    """Another process over the same folder, its configuration edited first."""
    houses = []

    def reopen(old="", new=""):
        path = tmp_path / "portal.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        houses.append(open_installation(settings.load(path, {})))
        return houses[-1]

    yield reopen
    for house in houses:
        house.close()


def signed_in(house, login):
    visitor = Visitor(create_app(installation=house))
    visitor.sign_in(login)
    return visitor


def work_off(house):
    while work_once(house.database, "test worker", house.handlers):
        pass


def choose(visitor, profile, **fields):
    visitor.get("/admin/operator")
    visitor.post("/admin/operator", profile=profile, **fields)


def test_it_says_who_the_operator_is_and_what_waits(admin, buyer, company):
    company.operator.fault = "error500"
    number = buy(buyer)
    company.operator.fault = None
    text = (admin.get("/admin/operator"), admin.text)[1]

    assert '<h2 id="who">Orange</h2>' in text
    for said in ("+33123456789", company.operator.url.removeprefix("http://"), "API CAMARA", "les achats sont refusés"):
        assert said in text, said
    assert re.search(r"un débit, 3,53\s€", text)
    assert "sa réponse s'est perdue" in text
    assert number in text
    assert "Opérateur</a>" in text


def test_finance_reads_it_and_changes_nothing(finance, installation):
    assert "Orange" in finance.get("/admin/operator")
    for button in ("/admin/operator/try", "/admin/operator/foresee", 'action="/admin/operator"'):
        assert button not in finance.page
    for address in ("/admin/operator", "/admin/operator/try", "/admin/operator/foresee"):
        finance.get("/")
        finance.post(address, profile="free")
        assert finance.status == 404, address
    assert installation.operator.identity == "orange/camara"


def test_others_do_not_find_it(buyer):
    buyer.get("/admin/operator")
    assert buyer.status == 404


@pytest.mark.parametrize(("fault", "said"), [(None, "Orange répond et accepte"), ("down", "Vérifiez [operator]")])
def test_trying_the_connection_says_what_is_found_and_charges_nothing(admin, company, fault, said):
    admin.get("/admin/operator")
    company.operator.fault = fault
    admin.post("/admin/operator/try")

    assert said in admin.text
    assert 'id="waits"' in admin.page
    assert company.operator.book.charges() == []
    fragment = admin.client.post(
        "/admin/operator/try", headers={"HX-Request": "true", "HX-Request-Type": "partial"},
        data={"csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', admin.page)[1]},
    ).get_data(as_text=True)  # fmt: skip
    assert ("<html" in fragment, "notice" in fragment) == (False, True)


def test_what_is_chosen_holds_in_every_process_at_once_and_is_in_the_journal(
    admin, installation, reopened, company, work
):
    other = reopened()
    assert other.operator.identity == "orange/camara"
    admin.get("/admin/operator")
    admin.post("/admin/operator/foresee", profile="aol")
    assert "Choisir SFR" in admin.text
    choose(admin, "aol")

    assert "SFR est l'opérateur à partir de maintenant" in admin.text
    assert '<h2 id="who">SFR</h2>' in admin.text
    assert "Benoît Besson, le" in admin.text
    assert other.operator.identity == installation.operator.identity == "sfr/camara"
    buyer = signed_in(other, "chloe.lefevre")
    number = buy(buyer)
    work()
    assert [(line.reference, line.state) for line in company.operator.book.charges()] == [(number, "succeeded")]
    with installation.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "operator_chosen")).one()
    assert (entry.subject, entry.before["operator"], entry.after["operator"]) == ("aol", "orange/camara", "sfr/camara")
    assert entry.actor.startswith("account ")
    choose(admin, "")
    assert other.operator.identity == "orange/camara"


def test_a_wrong_password_keeps_what_was_chosen(admin, installation, later):
    later(minutes=11)
    choose(admin, "free", password="wrong")

    assert admin.status == 409
    assert 'name="password"' in admin.page
    assert re.search(r'value="free" checked', admin.page)
    assert installation.operator.identity == "orange/camara"
    choose(admin, "free", password="deux-clics")
    assert installation.operator.identity == "free/camara"


def test_nothing_is_chosen_while_a_charge_is_open(admin, buyer, installation, work):
    buy(buyer)
    admin.get("/admin/operator")
    admin.post("/admin/operator/foresee", profile="free")
    assert "Choisir Free" not in admin.text
    choose(admin, "free", anyway="1")

    assert admin.status == 409
    assert re.search(r"Des débits de 3,53\s€ en tout \(1\)", admin.text)
    assert "/admin/purchases?charge=open" in admin.page
    assert installation.operator.identity == "orange/camara"
    work()
    choose(admin, "free")
    assert installation.operator.identity == "free/camara"


def test_the_purchases_whose_charges_are_open_are_listed(admin, buyer, work):
    done = buy(buyer)
    work()
    waits = buy(buyer)
    admin.get("/admin/purchases?charge=open")

    assert (waits in admin.page, done in admin.page) == (True, False)
    assert done in admin.get("/admin/purchases?charge=nonsense")


def test_a_dispute_keeps_its_operator(admin, buyer, company, installation, work):
    buy(buyer)
    company.operator.book.charges()[0].state = "cancelled"
    work()
    choose(admin, "free")

    assert admin.status == 409
    assert installation.operator.identity == "orange/camara"
    assert "charge=disputed" in admin.get("/admin/operator")


def test_the_refund_of_an_earlier_operators_charge_is_refused_in_words(admin, buyer, company, installation, work):
    number = buy(buyer)
    work()
    choose(admin, "free")
    asked = len(company.operator.book.journal())
    assert "<dd>Orange</dd>" in admin.get(f"/admin/purchases/{number}")
    for choice in ("refund", "look"):
        admin.post(f"/admin/purchases/{number}", choice=choice, reason="wrong company")
        assert admin.status == 409
        assert "Ce débit est chez Orange" in admin.text
    work()

    assert len(company.operator.book.journal()) == asked
    choose(admin, "orange")
    admin.get(f"/admin/purchases/{number}")
    admin.post(f"/admin/purchases/{number}", choice="refund", reason="wrong company")
    work()
    assert [line.refunded_cents for line in company.operator.book.charges()] == [353]


def test_what_is_missing_is_said_before_choosing_and_only_whoever_insists_gets_it(admin, reopened, company):
    other = reopened(f'api_root = "{company.operator.url}"', 'api_root = ""')
    visitor = signed_in(other, "benoit.besson")
    assert "il faut un contrat" in (visitor.get("/admin/operator"), visitor.text)[1]
    visitor.post("/admin/operator/foresee", profile="free")
    assert "Free ne publie aucune adresse" in visitor.text
    choose(visitor, "free")
    assert (visitor.status, other.operator.identity) == (409, "orange/camara")
    choose(visitor, "free", anyway="1")

    assert other.operator.identity == "free/camara"


def test_a_name_nobody_has_is_refused(admin, installation):
    choose(admin, "minitel")

    assert (admin.status, "minitel" in admin.page) == (409, True)
    assert installation.operator.identity == "orange/camara"


def test_a_choice_whose_profile_has_gone_is_named_and_another_can_be_made(admin, installation):
    with installation.database.transaction() as session:
        operator_choice.write(session, "minitel", "account 1")
    assert "minitel" in admin.get("/admin/operator")
    choose(admin, "free")

    assert (admin.status, installation.operator.identity) == (200, "free/camara")


def test_the_environment_wins_and_nothing_can_be_chosen(admin, installation, reopened, monkeypatch):
    choose(admin, "sfr")
    monkeypatch.setenv("PORTAL_OPERATOR__PROFILE", "alice")
    other = reopened()
    visitor = signed_in(other, "benoit.besson")
    visitor.get("/admin/operator")
    assert ("PORTAL_OPERATOR__PROFILE" in visitor.page, 'id="choose"' in visitor.page) == (True, False)
    visitor.post("/admin/operator", profile="orange")

    assert (visitor.status, other.operator.identity) == (409, "free/camara")


def test_portal_toml_changed_by_hand_leaves_charges_where_they_are(buyer, company, reopened):
    number = buy(buyer)
    changed = reopened('profile = "orange"', 'profile = "free"')
    asked = len(company.operator.book.journal())
    assert work_once(changed.database, "test worker", changed.handlers)
    assert len(company.operator.book.journal()) == asked
    visitor = signed_in(changed, "benoit.besson")
    assert "réservé chez Orange et reste ouvert" in (visitor.get("/admin/operator"), visitor.text)[1]
    choose(visitor, "orange")
    assert visitor.status == 200
    visitor.get(f"/admin/purchases/{number}")
    assert "Ce débit est chez" not in visitor.text


def test_an_operator_that_takes_files_shows_them_and_is_left_only_when_they_are_delivered(tmp_path, reopened):
    (tmp_path / "out").mkdir()
    other = reopened('profile = "orange"', 'profile = "sfr"\nadapter = "usage_file"\nusage_folder = "out"')
    other.operator.files.public_key()
    buy(signed_in(other, "chloe.lefevre"))
    work_off(other)
    visitor = signed_in(other, "benoit.besson")
    assert "Une ligne attend le prochain fichier" in (visitor.get("/admin/operator"), visitor.text)[1]
    choose(visitor, "free")
    assert (visitor.status, "attendent encore leur fichier" in visitor.text) == (409, True)

    other.operator.files.close(clock.now().date() + timedelta(days=2))
    other.operator.files.deliver()
    assert "livré, sans réponse encore" in (visitor.get("/admin/operator"), visitor.text)[1]
    choose(visitor, "free")
    assert other.operator.identity == "free/usage_file"


def test_what_waits_while_it_is_away_is_shown_with_its_amount_and_its_limit(reopened, company):
    text = 'when_unreachable = "accept"\noffline_limit = "20.00"'
    house = reopened("[operator]\n", f"[operator]\n{text}\n")
    company.operator.fault = "down"
    buy(signed_in(house, "chloe.lefevre"))
    work_off(house)
    visitor = signed_in(house, "francoise.dupre")
    said = (visitor.get("/admin/operator"), visitor.text)[1]

    assert re.search(r"un achat, 3,53\s€ sur 20,00\s€, le plus ancien du", said)
    assert "il était injoignable" in said


def test_an_operator_known_to_be_away_is_shown_until_it_answers(admin, buyer, company, installation, later):
    company.operator.fault = "down"
    for _time in range(6):
        buy(buyer)
    assert "S’il répond" in admin.get("/admin/operator")
    assert "reprend de lui-même" in admin.text

    company.operator.fault = None
    later(minutes=10)
    buy(buyer)
    assert "S’il répond" not in admin.get("/admin/operator")
