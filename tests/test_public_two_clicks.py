"""Public interfaces bought from in two clicks: whole pages, real sockets, the books at the end."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest
from sqlalchemy import select

from connectors.contract import ContractBroken, Quote
from demo.companies import COMPANIES
from demo.company import start_company
from demo.entreprises import Entreprises
from demo.laws import FICTION, LAWS
from demo.legifrance import Legifrance
from demo.pappers import Pappers
from portal.checkout import orders
from portal.checkout.books import compare
from portal.checkout.orders import OrderEvent
from portal.checkout.quotes import QuoteRow, check_quote
from portal.checkout.verification import verify
from tests.conftest import Visitor

PUBLIC = ("pappers", "entreprises", "legifrance")
KNOWN = next(siren for siren, company in COMPANIES.items() if company.form == "SAS" and siren[-1] not in "13")


def _free_is_sold() -> bool:
    """Whether the portal takes a price of zero."""
    nothing = Quote("free", 0, 0, 0, 0, "EUR", datetime.now(UTC) + timedelta(minutes=5))
    try:
        check_quote(nothing)
    except ContractBroken:
        return False
    return True


free = pytest.mark.skipif(not _free_is_sold(), reason="the portal does not take a price of zero yet")


@pytest.fixture
def company(tmp_path):
    """The demonstration company with the three public interfaces."""
    running = start_company(tmp_path, partners=[Pappers, Entreprises, Legifrance])
    yield running
    running.stop()


@pytest.fixture
def pappers(company) -> Pappers:
    return company.partners[0]


@pytest.fixture
def directory(company) -> Entreprises:
    return company.partners[1]


@pytest.fixture
def library(company) -> Legifrance:
    return company.partners[2]


def charged(company) -> dict[str, int]:
    """What the operator has put on the invoice, in cents by our order numbers."""
    found = company.operator.book.charges()
    return {charge.reference: charge.amount_cents for charge in found if charge.state == "succeeded"}


def books_agree(installation, company, expected: dict[str, int]) -> None:
    """Ours and the operator's; none of these merchants keeps a book of orders, and none is invented for it."""
    assert charged(company) == expected
    assert compare(installation.means).differences == []
    assert list(verify(installation.database, installation.storage)) == []


def test_documents_at_the_contracts_price(buyer, company, installation, pappers, work):
    buyer.get("/offers/pappers-comptes")
    assert "démonstration" in buyer.text
    token = buyer.ask_price("pappers-statuts", siren=KNOWN)
    assert "0,60" in buyer.text
    assert COMPANIES[KNOWN].name.upper() in buyer.text
    assert pappers.used == 0
    first = buyer.confirm(token)
    work()
    second = buyer.confirm(buyer.ask_price("pappers-comptes", siren=KNOWN, annee="2024"))
    work()

    assert buyer.states() == ["delivered", "delivered"]
    assert f"COMPTES-{KNOWN}-2024.pdf" in buyer.get(f"/purchases/{second}")
    with installation.database.reading() as session:
        lines = orders.by_number(session, second).quote.lines
    assert [(line["net_cents"], line["vat_cents"]) for line in lines] == [(10, 2), (90, 18)]
    with buyer.client.get(f"/purchases/{second}/document") as document:
        assert document.data.startswith(b"%PDF-")
    assert (pappers.used, pappers.downloads()) == (4, 2)
    books_agree(installation, company, {first: 60, second: 120})


@pytest.mark.parametrize(("fault", "words"), [("partial", "incomplète"), ("no_document", "n’a pas les statuts")])
def test_what_cannot_be_delivered_whole_costs_nothing(fault, words, buyer, company, installation, pappers, work):
    token = buyer.ask_price("pappers-statuts", siren=KNOWN)
    pappers.break_(fault)
    number = buyer.confirm(token)
    work()
    assert buyer.states() == ["failed"]
    assert words in buyer.get(f"/purchases/{number}") or words in buyer.text
    assert pappers.downloads() == 0
    books_agree(installation, company, {})


@pytest.mark.parametrize("fault", ["cut", "cut_before", "error500"])
def test_a_lost_answer_is_never_asked_for_twice(fault, buyer, company, installation, pappers, settle):
    token = buyer.ask_price("pappers-statuts", siren=KNOWN)
    pappers.break_(fault)
    number = buyer.confirm(token)
    pappers.break_("")
    settle(60)
    assert buyer.states() == ["disputed"]
    with installation.database.reading() as session:
        order = orders.by_number(session, number)
        evidence = str(session.scalars(select(OrderEvent.evidence).where(OrderEvent.order_id == order.id)).all())
    assert order.reason["code"] == "merchant_unclear"
    assert f"0/0, now: {pappers.used}/0" in evidence
    assert sum(path.startswith("/v2/entreprise") for path in pappers.seen) == 1
    assert charged(company) == {}


def test_a_download_that_is_late_is_waited_for_at_the_same_price(buyer, company, installation, pappers, settle):
    token = buyer.ask_price("pappers-statuts", siren=KNOWN)
    pappers.break_("slow_document")
    number = buyer.confirm(token)
    assert buyer.states() == ["fulfilling"]
    assert charged(company) == {}
    pappers.break_("")
    settle(60)
    assert buyer.states() == ["delivered"]
    books_agree(installation, company, {number: 60})


def test_without_credits_or_without_the_company_there_is_no_second_click(buyer, pappers):
    assert buyer.ask_price("pappers-statuts", siren="732829320") == ""
    assert "Pappers ne connaît pas cette entreprise" in buyer.text
    pappers.break_("exhausted")
    assert buyer.ask_price("pappers-statuts", siren=KNOWN) == ""
    assert "épuisés" in buyer.text


def test_free_offers_are_in_the_catalogue_as_demonstrations(buyer):
    for slug, title in (
        ("entreprises-fiche", "Fiche d’identité d’une entreprise"),
        ("legifrance-texte", "Texte de loi (Légifrance)"),
    ):
        buyer.get(f"/offers/{slug}")
        assert title in buyer.text
        assert "démonstration" in buyer.text


@free
def test_a_card_and_an_article_for_nothing(buyer, company, installation, library, work):
    card = buyer.confirm(buyer.ask_price("entreprises-fiche", siren=KNOWN))
    work()
    article = buyer.confirm(buyer.ask_price("legifrance-texte", reference="article L1221-1 du code du travail"))
    work()

    assert buyer.states() == ["delivered", "delivered"]
    buyer.get(f"/purchases/{card}")
    assert COMPANIES[KNOWN].name.upper() in buyer.text
    assert "Société par actions simplifiée (SAS)" in buyer.text
    buyer.get(f"/purchases/{article}")
    assert "Les parties choisissent la forme" in buyer.text
    page = f"{library.server.url}/codes/article_lc/{LAWS[0].id}"
    assert f'href="{page}"' in buyer.text
    with urlopen(page) as answer:  # noqa: S310 - our own server
        read = answer.read().decode()
    assert "Les parties choisissent la forme" in read
    assert FICTION in read
    assert sum(charged(company).values()) == 0
    assert compare(installation.means).differences == []
    assert list(verify(installation.database, installation.storage)) == []


@free
def test_what_is_free_is_read_again_when_its_answer_is_lost(buyer, company, directory, settle):
    token = buyer.ask_price("entreprises-fiche", siren=KNOWN)
    directory.break_("cut")
    buyer.confirm(token)
    directory.break_("")
    settle(60)
    assert buyer.states() == ["delivered"]
    assert sum(charged(company).values()) == 0


@free
def test_a_reference_of_two_codes_is_chosen_and_one_of_none_is_asked_again(buyer):
    assert buyer.ask_price("legifrance-texte", reference="L123-4") == ""
    assert all(f"Article L123-4 du Code {code} (démonstration)" in buyer.text for code in ("civil", "de commerce"))
    assert buyer.ask_price("legifrance-texte", reference="Article L123-4 du Code de commerce (démonstration)")
    assert buyer.ask_price("legifrance-texte", reference="L9999-9 code civil") == ""
    assert "Légifrance ne trouve aucun article" in buyer.text
    assert 'value="L9999-9 code civil"' in buyer.text


def test_only_what_is_free_is_read_twice(installation):
    """A manifest that says "read" of what it charges for is not believed."""
    from portal.checkout import fulfilment

    merchant = installation.merchants.merchant("entreprises")
    assert merchant.manifest.capabilities.idempotent == "read"
    order = orders.Order(gross_cents=0, quote=QuoteRow(units=0))
    assert fulfilment._is_harmless(merchant, order)
    order.quote.units = 1
    assert not fulfilment._is_harmless(merchant, order)
    order.quote.units, order.gross_cents = 0, 1
    assert not fulfilment._is_harmless(merchant, order)
    keyed = merchant.manifest.model_copy(
        update={"capabilities": merchant.manifest.capabilities.model_copy(update={"idempotent": "key"})}
    )
    assert fulfilment._is_harmless(replace(merchant, manifest=keyed), order)
    assert not fulfilment._is_harmless(installation.merchants.merchant("pappers"), order)


def test_an_administrator_is_not_told_that_what_is_open_needs_a_contract(app):
    admin = Visitor(app)
    admin.sign_in("benoit.besson")
    admin.get("/admin/merchants")
    rows = {name: re.search(rf'/admin/merchants/{name}">.*?</tr>', admin.page, re.DOTALL)[0] for name in PUBLIC}

    assert ["simulé ici" in rows[name] for name in PUBLIC] == [False, True, True]
    assert ["il faut un contrat" in rows[name] for name in PUBLIC] == [True, False, False]
    admin.get("/admin/merchants/legifrance")
    assert "un simulateur sur cette machine répond à la place de la véritable interface" in admin.text
