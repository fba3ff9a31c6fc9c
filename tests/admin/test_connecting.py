"""Merchants connected on the screen: tested before they are saved, sealed, in every process, changed and taken away again."""

from __future__ import annotations

import re
import sqlite3

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from demo.acp_goods import API_KEY, MANIFEST
from demo.acp_shop import AcpShop
from demo.companies import COMPANIES
from portal.audit import AuditEntry
from portal.catalog import connecting
from portal.catalog.consent import MerchantAgreement
from portal.catalog.site import MerchantRow
from tests.admin.sites import SECRETS, Site, at, make_site, secret_fields, work_off
from tests.connectors.apart_world import HOSTILE, install

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def site(company, tmp_path, ready_database):
    made = make_site(company, tmp_path / "site", ready_database, "coface")
    yield made
    made.close()


@pytest.fixture
def admin(site):
    return at(site.houses[0], "benoit.besson")


def connect(admin, site: Site, **changed):
    admin.get("/admin/merchants/connect/coface")
    return admin.post("/admin/merchants/connect/coface", **(site.coface | changed))


def row(site, key="coface"):
    with site.houses[0].database.reading() as session:
        return session.get(MerchantRow, key)


def entries(site, action):
    with site.houses[0].database.reading() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def buy(house, **inputs):
    buyer = at(house, "chloe.lefevre")
    return buyer, buyer.confirm(buyer.ask_price("coface-avis", siren=SIREN, **inputs))


def test_credentials_are_tested_before_they_are_saved(admin, site):
    connect(admin, site, **secret_fields({"client_id": "acme", "client_secret": "wrong-one"}))

    assert admin.status == 422
    assert "Rien n’a été enregistré" in admin.text
    assert "Il refuse nos identifiants" in admin.text
    assert f'value="{site.coface["base_url"]}"' in admin.page
    assert "wrong-one" not in admin.page
    assert row(site) is None
    connect(admin, site, base_url="http://127.0.0.1:9")
    assert (admin.status, "Rien n’a été enregistré" in admin.text) == (422, True)
    connect(admin, site, base_url="http://acme:wrong-two@127.0.0.1:9")
    assert (admin.status, "n’est pas une adresse" in admin.text) == (422, True)
    connect(admin, site, base_url="nowhere")
    assert (admin.status, "n’est pas une adresse" in admin.text) == (422, True)
    connect(admin, site, **secret_fields({"client_id": "", "client_secret": ""}))
    assert (admin.status, "client_secret" in admin.text) == (422, True)
    assert row(site) is None
    assert entries(site, "merchant_connected") == []


def test_what_was_connected_sells_in_every_process_at_once(admin, site):
    other = site.process()
    assert "coface" not in other.merchants.loaded
    connect(admin, site)

    assert "le marchand est raccordé" in admin.text
    assert re.search(r"listées : [1-9]\d* ; retirées : 0 ; refusées : 0", admin.text)
    buyer, number = buy(other)
    work_off(other)
    assert number
    assert buyer.states()[0] == "delivered"
    assert number in admin.get("/admin/purchases?merchant=coface")
    assert "conservés chiffrés" in (admin.get("/admin/merchants/coface"), admin.text)[1]


def test_no_secret_is_shown_logged_journaled_or_stored_in_clear(admin, site, capsys):
    connect(admin, site)
    secret = SECRETS["client_secret"]
    for address in (
        "/admin/merchants",
        "/admin/merchants/coface",
        "/admin/merchants/coface/credentials",
        "/admin/journal",
    ):
        assert secret not in admin.get(address), address
    for kept in site.folder.glob("portal.db*"):
        assert secret.encode() not in kept.read_bytes(), kept
    said = capsys.readouterr()
    assert secret not in said.out + said.err
    [entry] = entries(site, "merchant_connected")
    assert secret not in str(entry.after)
    assert entry.actor.startswith("account ")
    assert SECRETS["client_id"] == site.houses[0].merchants.secrets_of(row(site))["client_id"]


def test_a_database_that_is_away_gives_no_secret_back(admin, site, monkeypatch):
    def away(*_asked):
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked"))

    monkeypatch.setattr(connecting, "connect", away)
    connect(admin, site)

    assert (admin.status, SECRETS["client_secret"] in admin.page) == (503, False)
    assert f'value="{site.coface["base_url"]}"' in admin.page
    assert re.search(r'name="secret\.client_secret" type="password"', admin.page)


def test_a_wrong_password_connects_nothing(admin, site, later):
    later(minutes=11)
    connect(admin, site, password="wrong")

    assert (admin.status, 'name="password"' in admin.page, row(site)) == (422, True, None)
    connect(admin, site, password="deux-clics")
    assert row(site).is_connected_here


def test_credentials_are_changed_and_what_is_left_empty_stays(admin, site):
    connect(admin, site)
    other = site.process()
    before = other.merchants.merchant("coface")
    address = "/admin/merchants/coface/credentials"
    admin.get(address)
    admin.post(address, base_url=site.coface["base_url"], **secret_fields({"client_id": "", "client_secret": "false"}))
    assert (admin.status, other.merchants.merchant("coface") is before) == (422, True)
    admin.post(address, base_url=site.coface["base_url"], **secret_fields({"client_id": "acme", "client_secret": ""}))

    assert "les nouveaux identifiants servent désormais partout" in admin.text
    assert other.merchants.merchant("coface") is not before
    assert other.merchants.merchant("coface").connector.check() == []
    [entry] = entries(site, "merchant_changed")
    assert "false" not in str(entry.after)


def test_a_kept_secret_never_goes_to_another_address(admin, site):
    connect(admin, site)
    address = "/admin/merchants/coface/credentials"
    heard = len(site.company.merchants.book.journal)
    admin.get(address)
    admin.post(
        address,
        base_url=site.company.merchants.url + "/netpme",
        **secret_fields({"client_id": "", "client_secret": ""}),
    )

    assert (admin.status, "saisissez à nouveau tous les identifiants" in admin.text) == (422, True)
    assert len(site.company.merchants.book.journal) == heard


@pytest.mark.parametrize(("key", "said"), [
    ("registre", "s’appelle déjà"), ("changes", "ne peut pas être le nom"), ("Coface", "ne peut pas être le nom"),
    ("../x", "ne peut pas être le nom"), ("a" * 60, "ne peut pas être le nom"),
])  # fmt: skip
def test_names_that_are_taken_or_none(admin, site, key, said):
    connect(admin, site, key=key)

    assert (admin.status, said in admin.text) == (422, True)
    assert re.search(r'name="key"[^>]*aria-invalid="true"', admin.page)
    assert "coface" not in site.houses[0].merchants.loaded


def test_a_name_stays_with_the_merchant_that_had_it(admin, site):
    connect(admin, site, key="credit")
    admin.post("/admin/merchants/credit", step="disconnect")
    site.remove("netpme")
    house = site.process()
    later = at(house, "benoit.besson")
    later.get("/admin/merchants/connect/netpme")
    typed = {"key": "credit", "base_url": f"{site.company.merchants.url}/netpme"} | secret_fields(
        {"token": "jeton-netpme"}
    )
    later.post("/admin/merchants/connect/netpme", **typed)

    assert (later.status, "dont les commandes sont conservées" in later.text) == (422, True)


def test_a_merchant_of_a_protocol_brings_its_manifest(admin, site):
    shop = AcpShop()
    shop.start()
    try:
        typed = {"key": "normes", "base_url": shop.url, "manifest": MANIFEST} | secret_fields({"api_key": API_KEY})
        admin.get("/admin/merchants/connect/acp")
        admin.post("/admin/merchants/connect/acp", **(typed | {"manifest": MANIFEST.replace("732829320", "732829321")}))
        assert (admin.status, "SIREN" in admin.text, "normes.example" in admin.text) == (422, True, True)
        admin.post("/admin/merchants/connect/acp", **(typed | {"manifest": ""}))
        assert (admin.status, "ne dit pas qui vend" in admin.text) == (422, True)
        admin.post("/admin/merchants/connect/acp", **typed)

        assert "listées : 5 ; retirées : 0 ; refusées : 2" in admin.text
        assert admin.page.count('<li class="dn">') == 2
        assert "Normes Démo SAS" in site.process().merchants.merchant("normes").manifest.merchant.name
        admin.get("/admin/merchants")
        assert "/admin/merchants/connect/acp" in admin.page
    finally:
        shop.stop()


def test_another_secret_key_makes_them_unreadable_until_they_are_typed_again(admin, site):
    connect(admin, site)
    (site.folder / "secret_key").write_text("another", encoding="ascii")
    house = site.process()
    later = at(house, "benoit.besson")
    later.get("/admin/merchants/coface")

    assert "ne se charge pas" in later.text
    assert "clé secrète du portail a changé" in later.text
    assert "registre" in house.merchants.loaded
    later.get("/admin/merchants/coface/credentials")
    later.post("/admin/merchants/coface/credentials", base_url=site.coface["base_url"], **secret_fields(SECRETS))
    assert "coface" in house.merchants.loaded


def test_those_of_portal_toml_are_not_changed_here(admin, site):
    assert "écrits dans portal.toml" in (admin.get("/admin/merchants/registre"), admin.text)[1]
    admin.get("/admin/merchants/registre/credentials")
    assert admin.status == 404
    admin.get("/admin/merchants/registre")
    admin.post("/admin/merchants/registre", step="disconnect")
    assert admin.status == 409
    assert "registre" in site.houses[0].merchants.loaded


def test_a_list_read_on_the_screen_is_held_against_what_was_agreed(admin, site):
    connect(admin, site)
    house = site.houses[0]
    with house.database.transaction() as session:
        agreement = session.get_one(MerchantAgreement, "coface")
        agreement.agreed = {**agreement.agreed, "hosts": ["elsewhere.example"]}
    admin.post("/admin/merchants/coface/read")

    assert "en attente de votre accord" in admin.text
    assert "en vente" not in admin.text
    assert "/admin/merchants/changes" in admin.page.split("<h1>")[1]
    admin.get("/admin/merchants")
    assert "en attente de votre accord" in admin.text
    assert len(admin.get("/admin/merchants/changes") and re.findall("elsewhere.example", admin.text)) == 1


def test_code_of_others_is_refused_in_words_that_say_what_to_do(admin, site, tmp_path, monkeypatch):
    install(tmp_path / "others", HOSTILE, "hostile", "acme_hostile", monkeypatch)
    admin.get("/admin/merchants")
    assert "du code qui n'est pas livré avec Guichet" in admin.text
    assert 'trust = "own_process"' in admin.text
    admin.post("/admin/merchants/connect/hostile", key="hostile", base_url="")

    assert (admin.status, 'trust = "own_process"' in admin.text) == (422, True)
    assert row(site, "hostile") is None
