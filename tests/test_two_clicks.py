"""The main job, by whole pages, over the real protocols: browse, two clicks, a document, a charge."""

from __future__ import annotations

import pytest

from demo.companies import COMPANIES
from portal.checkout.books import compare
from portal.checkout.verification import verify

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
SERVICES = {
    "registre-kbis": {"siren": SIREN},
    "lesechos-article": {"article": "LE-2026-101"},
    "quidonc-inverse": {"phone": "01 42 68 53 00"},
    "coface-avis": {"siren": SIREN},
    "netpme-modele": {"template": "nda", "party": "Dupont SA", "city": "Nîmes", "format": "pdf"},
}


@pytest.mark.parametrize(("slug", "inputs"), SERVICES.items())
def test_two_clicks_deliver_and_charge_once(slug, inputs, buyer, company, installation, work):
    token = buyer.ask_price(slug, **inputs)
    buyer.confirm(token)
    work()

    assert buyer.states() == ["delivered"]
    assert [charge.state for charge in company.operator.book.charges()] == ["succeeded"]
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


def test_a_delivered_pdf_can_be_opened(buyer):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))

    with buyer.client.get(f"/purchases/{number}/document") as response:
        assert response.mimetype == "application/pdf"
        assert response.data.startswith(b"%PDF-")


def test_an_asynchronous_report_appears_by_itself(buyer, company, work, installation):
    company.merchants.report_seconds = 0.0
    buyer.confirm(buyer.ask_price("coface-rapport", siren=SIREN))
    work()

    assert buyer.states() == ["delivered"]
    assert compare(installation.means).differences == []


def test_the_same_confirmation_makes_one_order(buyer, company, work):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    first, second = buyer.confirm(token), buyer.confirm(token)
    work()

    assert first == second
    assert len(company.merchants.book.orders()) == 1
    assert len(company.operator.book.charges()) == 1


def test_without_a_rule_the_card_says_why(app, visitor):
    visitor.sign_in("hugo.garcon")

    page = visitor.get("/?q=kbis")

    assert "registre-kbis" in page
    assert 'id="buy-registre-kbis"' not in page


def test_leaving_the_group_stops_the_very_next_confirmation(buyer, company):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.directory.tree.remove_member("achats", "chloe.lefevre")

    number = buyer.confirm(token)

    assert number == ""
    assert company.operator.book.charges() == []
