"""What merchants have changed: neither shown, nor priced, nor confirmed, until an administrator has said yes."""

from __future__ import annotations

import html
import re
import time
from dataclasses import replace

import pytest
from sqlalchemy import select

from demo import people
from demo.companies import COMPANIES
from portal import create_app, settings
from portal.audit import AuditEntry
from portal.catalog import consent
from portal.catalog.synchronisation import synchronise
from portal.installation import open_installation
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
PAGE = "/admin/merchants/changes"
PRICED_OTHERWISE = "a changé la façon dont ce service est tarifé"
SOMEBODY_ELSE = "a changé d'identité ou d'adresse"


@pytest.fixture
def rate_changes(installation, monkeypatch):
    """The registry's list is read with another VAT rate for its K-bis extract."""
    connector = installation.merchants.loaded["registre"].connector
    listed = connector.list_offers

    def other(state=""):
        for offer in listed(state):
            is_it = offer.id == "kbis"
            vat = round(offer.net_cents * 0.055)
            other = {"vat_rate_bp": 550, "vat_cents": vat, "gross_cents": offer.net_cents + vat}
            yield replace(offer, **other) if is_it else offer

    def change():
        monkeypatch.setattr(connector, "list_offers", other)
        return installation.lists.now("registre", lambda *_told: None)

    return change


def texts(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def answer(visitor, name, **more):
    visitor.get(PAGE)
    change = re.search(rf'name="{name}" value="(\w+)"', visitor.page)[1]
    return visitor.post(PAGE, **{name: change}, **more)


def test_an_offer_on_hold_is_neither_shown_nor_priced_nor_confirmed(installation, buyer, rate_changes):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    assert rate_changes().held == 1
    assert "registre-kbis" not in buyer.get("/")
    buyer.confirm(token)
    assert buyer.status == 409
    assert PRICED_OTHERWISE in texts(buyer.page)
    assert PRICED_OTHERWISE in texts(buyer.get("/offers/registre-kbis"))
    assert buyer.ask_price("registre-kbis", siren=SIREN) == ""
    assert PRICED_OTHERWISE in texts(buyer.page)
    assert buyer.states() == []


def test_an_order_that_is_open_goes_on(installation, buyer, work, later):
    assert buyer.confirm(buyer.ask_price("coface-rapport", siren=SIREN))
    assert buyer.states() == ["preparing"]
    with installation.database.transaction() as session:
        consent.put_aside(session, "coface")
    assert "coface-" not in buyer.get("/")
    time.sleep(0.4)  # as long as the demonstration's report takes in tests
    later(seconds=30)
    work()
    assert buyer.states() == ["delivered"]


def test_the_screen_says_what_it_was_and_is_and_a_yes_sells_it_again(installation, admin, buyer, rate_changes, later):
    rate_changes()
    assert "Changements (1)" in texts(admin.get("/admin/rights"))
    assert "Taux de TVA Accepté 20 % → Maintenant 5,5 %" in texts(admin.get(PAGE))
    later(minutes=11)
    answer(admin, "agree")
    assert admin.status == 409
    answer(admin, "agree", password="wrong")
    assert admin.status == 409
    assert "registre-kbis" not in buyer.get("/")
    assert "la vente reprend" in texts(answer(admin, "agree", password=people.PASSWORD))
    assert "registre-kbis" in buyer.get("/")
    assert "Changements (" not in texts(admin.page)
    with installation.database.reading() as session:
        [entry] = session.scalars(select(AuditEntry).where(AuditEntry.action == "change_agreed"))
    assert (entry.subject, entry.before, entry.after["vat_rate_bp"]) == ("registre/kbis", {"vat_rate_bp": 2000}, 550)


def test_a_no_keeps_it_on_hold_and_can_become_a_yes(admin, buyer, rate_changes):
    rate_changes()
    assert "Refusé" in texts(answer(admin, "refuse", password=people.PASSWORD))
    assert "Refusé par Benoît Besson" in texts(admin.page)
    assert "Changements (" not in texts(admin.page)
    assert "registre-kbis" not in buyer.get("/")
    answer(admin, "agree")
    assert "registre-kbis" in buyer.get("/")


def test_an_answer_to_what_is_no_more_is_said(admin, rate_changes, installation):
    rate_changes()
    admin.get(PAGE)
    change = re.search(r'name="agree" value="(\w+)"', admin.page)[1]
    synchronise(installation.database, installation.merchants, "coface")
    admin.post(PAGE, agree=change, password=people.PASSWORD)
    assert admin.status == 200
    admin.post(PAGE, agree=change)
    assert admin.status == 409
    assert "n'est plus là" in texts(admin.page)


@pytest.mark.parametrize("login", ["chloe.lefevre", "francoise.dupre"])
def test_the_screen_is_for_administrators(login, app):
    someone = Visitor(app)
    someone.sign_in(login)
    someone.get(PAGE)
    assert someone.status == 404
    someone.get("/")
    someone.post(PAGE, agree="x")
    assert someone.status == 404


def test_a_merchant_that_is_reached_elsewhere_waits(installation, buyer, tmp_path, admin):
    assert installation.lists.now("registre", lambda *_told: None).problem == ""
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    path = tmp_path / "portal.toml"
    text = path.read_text(encoding="utf-8")
    address = re.search(r'base_url = "(http://127.0.0.1:\d+/registre)"', text)[1]
    path.write_text(text.replace(address, address.replace("127.0.0.1", "localhost")), encoding="utf-8")
    house = open_installation(settings.load(path, {}))
    try:
        elsewhere = Visitor(create_app(installation=house))
        elsewhere.sign_in("chloe.lefevre")
        # Even before a worker has looked: the web process knows what it has loaded.
        assert elsewhere.confirm(token) == ""
        assert SOMEBODY_ELSE in texts(elsewhere.page)
        assert elsewhere.ask_price("registre-kbis", siren=SIREN) == ""
        assert SOMEBODY_ELSE in texts(elsewhere.page)
        house.lists.look()
        assert "registre-" not in elsewhere.get("/")
        assert SOMEBODY_ELSE in texts(elsewhere.get("/offers/registre-kbis"))
        page = texts(admin.get(PAGE))
        assert "127.0.0.1 → Maintenant localhost" in page
        assert "ses 6 offres sont suspendues" in page
        answer(admin, "agree", password=people.PASSWORD)
        assert "registre-kbis" in elsewhere.get("/")
        assert elsewhere.confirm(elsewhere.ask_price("registre-kbis", siren=SIREN))
        assert len(elsewhere.states()) == 1
    finally:
        house.close()
