"""The fifteen services of the original offer, each bought in two clicks; the three books agree, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import select

from demo.companies import COMPANIES
from demo.company import Company, start_company
from demo.deepl import DeepL
from demo.partners import PARTNERS, entries
from demo.recommande import Recommande
from portal.checkout.books import compare
from portal.checkout.orders import Order
from portal.checkout.verification import verify
from tests.checkout.files import CONTRACT, PDF, given

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
EMAIL = "destinataire@exemple.fr"
SERVICES = (
    ("registre-kbis", {"siren": SIREN}),
    ("pappers-statuts", {"siren": SIREN}),
    ("pappers-comptes", {"siren": SIREN}),
    ("entreprises-fiche", {"siren": SIREN}),
    ("lesechos-article", {"article": "LE-2026-101"}),
    ("lesechos-pass-24h", {}),
    ("lesechos-pass-7j", {}),
    ("quidonc-inverse", {"phone": "01 42 68 53 00"}),
    ("quidonc-pack10", {}),
    ("quidonc-inverse", {"phone": "01 42 68 53 01"}),
    ("coface-rapport", {"siren": SIREN}),
    ("coface-avis", {"siren": SIREN}),
    ("coface-veille-30j", {"siren": SIREN}),
    ("netpme-modele", {"template": "nda", "party": "Dupont SA", "city": "Nîmes", "format": "pdf"}),
    ("netpme-juriste", {}),
    ("legifrance-texte", {"reference": "article L1221-1 du code du travail"}),
    ("normes-iso-9001", {}),
    ("librairie-livre-108", {}),
    ("deepl-document", {"language": "EN-GB"}),
    ("signature-pack10", {}),
    ("recommande-lre", {"email": EMAIL, "name": "Jean Petit", "subject": "Mise en demeure"}),
)
FILES = {"deepl-document": ("document", CONTRACT, "contrat.docx"), "recommande-lre": ("letter", PDF, "lettre.pdf")}
NUMBERLESS = {"pappers", "entreprises", "legifrance"}
"""Interfaces that take no order number: what they count, they count by request."""


@pytest.fixture
def company(tmp_path) -> Iterator[Company]:
    """The demonstration's company with every merchant it has."""
    at_once = {DeepL: partial(DeepL, seconds=0), Recommande: partial(Recommande, seconds=0)}
    running = start_company(tmp_path, partners=[at_once.get(made, made) for made in PARTNERS])
    running.merchants.report_seconds = 0.3
    running.configure(tmp_path, 8000)
    yield running
    running.stop()


def test_all_fifteen_are_bought_in_two_clicks_and_the_three_books_agree(buyer, company, installation, work, later):
    for slug, inputs in SERVICES:
        if slug in FILES:
            name, body, filename = FILES[slug]
            inputs = {**inputs, name: given(body, filename)}
        token = buyer.ask_price(slug, **inputs)
        assert token, f"{slug}: {buyer.text}"
        assert buyer.confirm(token), slug
    for _round in range(8):
        later(seconds=20)
        work()

    assert buyer.states() == ["delivered"] * len(SERVICES)
    with installation.database.reading() as session:
        orders = {order.number: order for order in session.scalars(select(Order))}
    ours = {number: order.gross_cents for number, order in orders.items()}
    charged = {
        charge.reference: charge.amount_cents
        for charge in company.operator.book.charges()
        if charge.state == "succeeded"
    }
    theirs = [*company.merchants.book.orders(), *entries(company.partners)]
    sold = {line.po_number: line.gross_cents for line in theirs if line.merchant not in NUMBERLESS}
    assert charged == {number: cents for number, cents in ours.items() if cents}
    assert sold == {number: cents for number, cents in ours.items() if orders[number].merchant not in NUMBERLESS}
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []
