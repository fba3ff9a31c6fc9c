"""The merchants' screens: how each stands, paused at once everywhere, and what stays when one is gone."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from demo.companies import COMPANIES
from portal.audit import AuditEntry
from portal.catalog.site import MerchantRow
from portal.catalog.synchronisation import synchronise
from portal.checkout.verification import verify
from tests.admin.sites import Site, at, finish, make_site, work_off

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def site(company, tmp_path, ready_database):
    made = make_site(company, tmp_path / "site", ready_database, "coface")
    yield made
    made.close()


@pytest.fixture
def house(site):
    return site.houses[0]


@pytest.fixture
def admin(house):
    return at(house, "benoit.besson")


@pytest.fixture
def buyer(house):
    return at(house, "chloe.lefevre")


def connect_coface(admin, site: Site) -> None:
    admin.get("/admin/merchants/connect/coface")
    admin.post("/admin/merchants/connect/coface", **site.coface)
    assert admin.status == 200


def decide(admin, key: str, step: str, **fields: str) -> str:
    admin.get(f"/admin/merchants/{key}")
    return admin.post(f"/admin/merchants/{key}", step=step, **fields)


def opens(buyer, number: str) -> dict[str, int]:
    """How a purchase, its receipt and its document answer."""
    found = {}
    for part in ("", "/receipt", "/document"):
        with buyer.client.get(f"/purchases/{number}{part}", buffered=True) as answer:
            found[part] = answer.status_code
    return found


def test_every_merchant_stands_in_the_list_with_what_matters(admin, buyer, house, company):
    company.operator.fault = None
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work_off(house)
    text = (admin.get("/admin/merchants"), admin.text)[1]

    row = re.search(r'<tr>\s*<td><a href="/admin/merchants/registre">.*?</tr>', admin.page, re.DOTALL)[0]
    for said in (
        "SIREN 732829320",
        "registre 1.0.0",
        "démonstration : il faut un contrat",
        "en vente",
        "aucune panne connue",
        "aucun litige",
    ):
        assert said in row, said
    assert len(re.findall(r"3,53\s€", row)) == 2
    assert 'href="/admin/merchants/connect/coface"' in admin.page
    assert 'href="/admin/merchants/connect/registre"' not in admin.page
    assert "Marchands</a>" in text


def test_others_do_not_find_it(buyer, house):
    finance = at(house, "francoise.dupre")
    for address in ("/admin/merchants", "/admin/merchants/registre", "/admin/merchants/connect/coface"):
        for visitor in (buyer, finance):
            visitor.get(address)
            assert visitor.status == 404, address
    for step in ("", "/test", "/read", "/credentials"):
        buyer.get("/")
        buyer.post(f"/admin/merchants/registre{step}", step="pause")
        assert buyer.status == 404, step
    admin = at(house, "benoit.besson")
    admin.get("/admin/merchants/nowhere")
    assert admin.status == 404


def test_one_that_is_away_is_said_with_since_when(admin, buyer, house, company):
    company.merchants.set_fault("registre", "down")
    for _ in range(6):
        buyer.ask_price("registre-kbis", siren=SIREN)
    text = (admin.get("/admin/merchants/registre"), admin.text)[1]

    assert "pas de réponse depuis le" in text
    assert "503" in text
    admin.get("/admin/merchants/registre")
    admin.post("/admin/merchants/registre/test")
    assert "Il ne répond pas (" in admin.text
    company.merchants.set_fault("registre", None)
    admin.post("/admin/merchants/registre/test")
    assert "Registre Démo SAS répond et accepte nos identifiants" in admin.text
    assert "pas de réponse depuis" not in (admin.get("/admin/merchants"), admin.text)[1]


def test_a_list_read_by_hand_says_what_came_of_it(admin, company):
    admin.get("/admin/merchants/registre")
    admin.post("/admin/merchants/registre/read")
    assert "Sa liste a été lue" in admin.text
    assert "listées : 6 ; retirées : 0 ; refusées : 0" in admin.text
    company.merchants.set_fault("registre", "down")
    admin.post("/admin/merchants/registre/read")
    assert "pas pu être lue jusqu’au bout" in admin.text
    company.merchants.set_fault("registre", None)


def test_paused_is_gone_in_every_process_at_once_and_what_is_open_is_finished(admin, buyer, site, house, company):
    other = site.process()
    there = at(other, "chloe.lefevre")
    token = there.ask_price("registre-kbis", siren=SIREN)
    company.merchants.fault_once("registre", "cut_reply")
    open_order = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    assert "registre" in there.get("/")
    decide(admin, "registre", "pause")

    assert "suspendu" in admin.text
    assert "registre-kbis" not in there.get("/")
    assert "registre" not in re.findall(r'<option value="([a-z]+)"', there.page)
    assert "registre-kbis" not in there.get("/?q=kbis")
    assert there.confirm(token) == ""
    assert (there.status, "un administrateur l’a suspendu" in there.text) == (409, True)
    ordered = len(company.merchants.book.orders())
    assert there.ask_price("registre-kbis", siren=SIREN) == ""
    assert "un administrateur l’a suspendu" in there.text
    assert company.merchants.book.orders()[ordered:] == []
    assert finish(other, open_order) == "delivered"
    assert opens(buyer, open_order) == {"": 200, "/receipt": 200, "/document": 200}
    decide(admin, "registre", "resume")
    assert "registre-kbis" in there.get("/")
    assert there.confirm(there.ask_price("registre-kbis", siren=SIREN))
    with house.database.reading() as session:
        told = session.scalars(select(AuditEntry).where(AuditEntry.subject == "registre")).all()
    assert [entry.action for entry in told] == ["terms_first_read", "merchant_paused", "merchant_resumed"]
    assert "Benoît Besson" in admin.get("/admin/merchants/registre")


def test_pausing_asks_no_password_and_all_else_does(admin, house, later):
    later(minutes=11)
    decide(admin, "registre", "pause")
    assert "Il ne vend plus rien" in admin.text
    decide(admin, "registre", "resume")
    assert (admin.status, 'name="password"' in admin.page) == (409, True)
    decide(admin, "registre", "resume", password="deux-clics")
    assert "Il vend de nouveau" in admin.text
    decide(admin, "registre", "resume")
    assert admin.status == 409


def test_disconnected_is_off_the_shelf_and_what_was_bought_still_opens(admin, buyer, site, house, company):
    connect_coface(admin, site)
    other = site.process()
    company.merchants.report_seconds = 0.1
    number = buyer.confirm(buyer.ask_price("coface-rapport", siren=SIREN))
    assert finish(house, number) == "delivered"
    token = buyer.ask_price("coface-avis", siren=SIREN)
    decide(admin, "coface", "disconnect")

    assert 'class="state state-failed">retiré<' in admin.page
    assert "coface" not in other.merchants.loaded
    there = at(other, "chloe.lefevre")
    assert "coface" not in there.get("/")
    assert buyer.confirm(token) == ""
    assert "n'est plus proposé" in buyer.text.replace("’", "'")
    assert opens(buyer, number) == {"": 200, "/receipt": 200, "/document": 200}
    assert "Coface" in buyer.get("/purchases")
    assert "SIREN 432663714" in (buyer.get(f"/purchases/{number}/receipt"), buyer.text)[1]
    assert verify(house.database, house.storage) == []
    with house.database.reading() as session:
        assert session.get(MerchantRow, "coface").sealed == ""


@pytest.mark.parametrize("how", ["disconnected", "struck out of portal.toml"])
def test_an_order_still_open_waits_is_said_to_the_admin_and_goes_on_when_it_is_back(
    how, admin, buyer, site, house, company
):
    company.merchants.report_seconds = 1.0
    if how == "disconnected":
        connect_coface(admin, site)
        key, slug = "coface", "coface-rapport"
    else:
        key, slug = "registre", "registre-kbis"
        company.merchants.fault_once("registre", "cut_reply")
    number = buyer.confirm(buyer.ask_price(slug, siren=SIREN))
    text = site.configuration.read_text(encoding="utf-8")
    if how == "disconnected":
        assert "encore en cours" in (admin.get("/admin/merchants/coface"), admin.text)[1]
        decide(admin, "coface", "disconnect")
        now = house
    else:
        site.remove("registre")
        now = site.process()
    assert finish(now, number) in {"fulfilling", "preparing"}

    later = at(now, "benoit.besson")
    assert f"Raccordez-le sous le même nom ({key})" in (later.get("/admin/merchants"), later.text)[1]
    assert number in later.get(f"/admin/purchases?merchant={key}")
    there = at(now, "chloe.lefevre")
    assert opens(there, number)[""] == 200
    assert there.states()[0] in {"fulfilling", "preparing"}
    assert slug not in there.get("/")
    assert verify(now.database, now.storage) == []
    orders = len(company.merchants.book.orders())
    if how == "disconnected":
        connect_coface(admin, site)
    else:
        site.configuration.write_text(text, encoding="utf-8")
        now = site.process()
    assert finish(now, number) == "delivered"
    assert len(company.merchants.book.orders()) == orders
    assert opens(there, number) == {"": 200, "/receipt": 200, "/document": 200}
    later = at(now, "benoit.besson")
    assert "Raccordez-le sous" not in (later.get("/admin/merchants"), later.text)[1]


def test_struck_out_of_portal_toml_old_orders_receipts_and_documents_still_open(buyer, site, house):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work_off(house)
    site.remove("registre")
    now = site.process()
    there = at(now, "chloe.lefevre")

    assert opens(there, number) == {"": 200, "/receipt": 200, "/document": 200}
    with there.client.get(f"/purchases/{number}/document", buffered=True) as answer:
        assert answer.data.startswith(b"%PDF")
    assert "registre-kbis" not in there.get("/")
    assert there.ask_price("registre-kbis", siren=SIREN) == ""
    assert "n'est plus proposé" in there.text.replace("’", "'")
    admin = at(now, "benoit.besson")
    assert 'class="state state-failed">retiré<' in admin.get("/admin/merchants/registre")
    synchronise(now.database, now.merchants)
    assert opens(there, number)["/document"] == 200
