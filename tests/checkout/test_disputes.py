"""An order nobody can decide automatically: asked of the merchant again, or given up; never both, never twice."""

from __future__ import annotations

import pytest

from demo.companies import COMPANIES
from portal.checkout import disputes, orders
from portal.checkout.books import compare
from portal.checkout.verification import verify
from portal.refusals import Refused
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.holds import CeilingUse
from portal.rights.scopes import Scope

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def disputed(buyer, company, installation, work, later):
    """The number of an order whose merchant has answered with rubbish for hours."""
    with installation.database.transaction() as session:
        add_ceiling(session, "t", None, Terms("everyone", Scope("all"), "year", 10_000))
    company.merchants.set_fault("registre", "garbage")
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    for _hour in range(3):
        later(hours=1)
        work()
    assert order_of(installation, number).state == "disputed"
    return number


def order_of(installation, number):
    with installation.database.reading() as session:
        order = orders.by_number(session, number)
        assert order.charge is not None
        return order


def decide(installation, number, choice, reason="looked into"):
    """Why not, or ""."""
    try:
        with installation.database.transaction() as session:
            disputes.decide(session, "account 5", disputes.locked(session, number), choice, reason)
    except Refused as refused:
        return refused.reason.code
    return ""


def used(installation):
    with installation.database.reading() as session:
        return [(use.held_cents, use.captured_cents) for use in session.query(CeilingUse)]


def test_it_is_listed_with_what_is_safe_and_keeps_its_hold(disputed, installation):
    with installation.database.reading() as session:
        (case,) = disputes.open_cases(session)
        assert (case.number, disputes.choices(case)) == (disputed, ["ask_again", "give_up"])
    assert used(installation) == [(353, 0)]


def test_asked_again_of_a_merchant_that_is_well_it_is_delivered_and_charged_once(disputed, company, installation, work):
    company.merchants.set_fault("registre", None)
    assert decide(installation, disputed, "ask_again") == ""
    work()

    assert order_of(installation, disputed).state == "delivered"
    assert [line.state for line in company.operator.book.charges()] == ["succeeded"]
    assert used(installation) == [(0, 353)]
    assert verify(installation.database, installation.storage) == []
    assert compare(installation.means).differences == []


def test_asked_again_of_a_merchant_still_silent_it_comes_back_as_a_dispute(disputed, installation, work):
    assert decide(installation, disputed, "ask_again") == ""
    work()

    assert order_of(installation, disputed).state == "disputed"
    assert verify(installation.database, installation.storage) == []


def test_given_up_nothing_is_charged_and_the_ceiling_is_free_again(disputed, company, installation, work, buyer):
    assert decide(installation, disputed, "give_up", "the merchant is gone") == ""
    work()

    assert order_of(installation, disputed).state == "failed"
    assert order_of(installation, disputed).charge.state == "voided"
    assert [line.state for line in company.operator.book.charges()] == ["cancelled"]
    assert used(installation) == [(0, 0)]
    assert "abandonné cet achat" in (buyer.get(f"/purchases/{disputed}"), buyer.text)[1]
    assert verify(installation.database, installation.storage) == []


@pytest.mark.parametrize("choice", ["ask_again", "give_up", "other"])
def test_what_is_decided_cannot_be_decided_again(disputed, installation, choice):
    assert decide(installation, disputed, "give_up") == ""

    assert decide(installation, disputed, choice) == "choice_gone"


def test_a_reason_is_needed(disputed, installation):
    assert decide(installation, disputed, "give_up", " \n") == "reason_missing"
    assert order_of(installation, disputed).state == "disputed"


def test_what_was_delivered_is_not_given_up(buyer, installation):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))

    assert decide(installation, number, "give_up") == "choice_gone"


def test_what_a_merchant_says_of_a_purchase_given_up_is_explained_and_no_difference(disputed, company, installation):
    company.merchants.set_fault("registre", None)
    order = order_of(installation, disputed)
    merchant = installation.merchants.merchant("registre").connector
    with installation.database.reading() as session:
        quote = orders.by_number(session, disputed).quote.as_contract()
    merchant.fulfil(quote, order.key, order.number, order.gross_cents)
    assert [breach.because for breach in compare(installation.means).differences] == ["order_disputed"]

    assert decide(installation, disputed, "give_up", "it came too late") == ""

    compared = compare(installation.means)
    assert compared.differences == []
    assert [(line.kind, line.order, line.amount_cents, line.by, line.reason) for line in compared.explained] == [
        ("given_up", disputed, 353, "account 5", "it came too late")
    ]
