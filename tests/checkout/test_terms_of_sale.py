"""The terms of sale that were shown with a price are those that its order keeps."""

from __future__ import annotations

import pytest

from demo.acp_goods import API_KEY, MANIFEST
from demo.acp_shop import AcpShop
from portal.checkout import orders
from tests.admin.sites import at, finish, make_site, secret_fields

TERMS = 'terms_url = "https://normes.example/conditions"\n'


def manifest(version: str) -> str:
    return MANIFEST.replace(TERMS, f'{TERMS}terms_version = "{version}"\n')


@pytest.fixture
def site(company, tmp_path, ready_database):
    made = make_site(company, tmp_path / "site", ready_database)
    yield made
    made.close()


@pytest.fixture
def shop():
    made = AcpShop()
    made.start()
    yield made
    made.stop()


def test_they_stand_with_the_price_and_on_the_receipt_as_they_were_shown(site, shop):
    house = site.houses[0]
    admin, buyer = at(house, "benoit.besson"), at(house, "chloe.lefevre")
    typed = {"key": "normes", "base_url": shop.url} | secret_fields({"api_key": API_KEY})
    admin.get("/admin/merchants/connect/acp")
    admin.post("/admin/merchants/connect/acp", manifest=manifest("2026-03"), **typed)
    token = buyer.ask_price("normes-iso-9001")
    assert "Conditions de vente (version 2026-03)" in buyer.text
    assert 'href="https://normes.example/conditions"' in buyer.page
    admin.get("/admin/merchants/normes/credentials")
    admin.post("/admin/merchants/normes/credentials", manifest=manifest("2026-04"), **typed)
    assert admin.status == 200
    number = buyer.confirm(token)
    assert finish(house, number) == "delivered"

    assert "Conditions de vente (version 2026-03)" in (buyer.get(f"/purchases/{number}/receipt"), buyer.text)[1]
    with house.database.reading() as session:
        seller = orders.by_number(session, number).seller
    assert (seller["terms_version"], seller["terms_url"]) == ("2026-03", "https://normes.example/conditions")
    buyer.ask_price("normes-iso-9001")
    assert "Conditions de vente (version 2026-04)" in buyer.text
    assert "2026-04" in admin.get("/admin/merchants/normes")
