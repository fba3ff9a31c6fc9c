"""Envelopes for electronic signatures, bought of a merchant described by its manifest alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from demo.company import start_company
from demo.signature import Signature
from portal import clock
from portal.checkout.books import compare
from portal.checkout.verification import verify


@pytest.fixture
def company(tmp_path):
    running = start_company(tmp_path, partners=[Signature])
    yield running
    running.stop()


@pytest.fixture
def shop(company):
    return company.partners[0]


def test_a_pack_of_envelopes_comes_with_its_key_and_its_end(buyer, shop, company, installation, work):
    number = buyer.confirm(buyer.ask_price("signature-pack10"))
    work()

    buyer.get(f"/purchases/{number}")
    [sold] = shop.purchases.values()
    assert sold.licence in buyer.text
    assert "10 crédits" in buyer.text
    # They are used up at the provider's, where nobody here counts them.
    assert "restants" not in buyer.text
    assert "paient d'eux-mêmes" not in buyer.text
    assert str((clock.now() + timedelta(days=365)).year) in buyer.text
    buyer.get("/purchases")
    assert "10 crédits" in buyer.text
    assert "restants" not in buyer.text
    assert [charge.amount_cents for charge in company.operator.book.charges()] == [2880]
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


def test_fewer_envelopes_than_were_sold_are_for_a_person(buyer, shop, company, work):
    token = buyer.ask_price("signature-pack10")
    shop.break_("fewer")
    buyer.confirm(token)
    work()

    assert buyer.states() == ["disputed"]
    assert [charge.state for charge in company.operator.book.charges()] == ["reserved"]


@pytest.mark.parametrize("fault", ["cut_after", "price_up"])
def test_a_lost_answer_or_another_price_is_one_purchase_at_most(fault, buyer, shop, installation, work, later):
    token = buyer.ask_price("signature-pack10")
    shop.break_(fault)
    buyer.confirm(token)
    later(minutes=1)
    work()

    assert buyer.states() == (["delivered"] if fault == "cut_after" else ["failed"])
    assert len(shop.purchases) == (1 if fault == "cut_after" else 0)
    assert verify(installation.database, installation.storage) == []
