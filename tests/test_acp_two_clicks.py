"""A merchant that speaks ACP, bought from in two clicks: whole pages, real sockets, the books at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from demo.acp_goods import GOODS, MANIFEST, configuration
from demo.acp_shop import AcpShop, finish
from demo.companies import COMPANIES
from portal.checkout import orders
from portal.checkout.books import compare
from portal.checkout.orders import OrderEvent
from portal.checkout.verification import verify
from tests.connectors.acp_definition import check

SIREN = next(iter(COMPANIES))


@pytest.fixture
def shop() -> Iterator[AcpShop]:
    """The merchant; nothing is said on either side that the published definition does not know."""
    made = AcpShop(check=check)
    made.start()
    yield made
    made.stop()
    assert made.breaches == []


@pytest.fixture
def company(company, shop, tmp_path):
    """The demonstration company, whose portal buys at that merchant too."""
    (tmp_path / "normes.toml").write_text(MANIFEST, encoding="utf-8")
    plain = company.configuration
    company.configuration = lambda *args, **more: plain(*args, **more) + configuration(shop.url)
    return company


def books_agree(installation, company, shop: AcpShop) -> None:
    """Ours, the operator's, and the merchant's own, which the protocol gives nobody to read."""
    assert compare(installation.means).differences == []
    charged = {
        charge.reference: charge.amount_cents
        for charge in company.operator.book.charges()
        if charge.state == "succeeded"
    }
    assert charged == {sold.po_number: sold.gross_cents for sold in shop.book}
    assert list(verify(installation.database, installation.storage)) == []


def test_every_kind_of_thing_in_two_clicks(buyer, company, installation, shop, work):
    for ident, good in GOODS.items():
        inputs = {"siren": SIREN} if ident == "conformite" else {}

        number = buyer.confirm(buyer.ask_price(f"normes-{ident}", **inputs))
        work()

        assert buyer.states()[0] == "delivered"
        assert (shop.book[-1].po_number, shop.book[-1].offer, shop.book[-1].inputs) == (number, ident, inputs)
        page = buyer.get(f"/purchases/{number}")
        shown = {"document": f"{ident}.pdf", "licence": "NORM-", "access": "/lire/", "link": "/livres/"}
        assert shown[good.brings] in page
    assert len(shop.book) == len(GOODS)
    books_agree(installation, company, shop)


def test_the_panel_shows_who_sells_and_the_price_with_vat(buyer, shop):
    buyer.get("/offers/normes-livre")
    assert "Normes Démo SAS" in buyer.text
    buyer.ask_price("normes-livre")
    assert "21,10" in buyer.text
    assert shop.book == []


def test_a_lost_answer_buys_once(buyer, company, installation, shop, settle):
    for bought, fault in enumerate(("error500_before", "error500_after", "cut_before", "cut_after"), start=1):
        token = buyer.ask_price("normes-antivirus")
        shop.break_(fault)
        buyer.confirm(token)
        shop.break_("")
        settle(15)

        assert buyer.states()[0] == "delivered", fault
        assert len(shop.book) == bought, fault
    books_agree(installation, company, shop)


def test_an_approval_and_a_delivery_that_take_their_time(buyer, company, installation, shop, settle):
    token = buyer.ask_price("normes-iso-9001")
    shop.break_("pending_approval")
    buyer.confirm(token)
    assert buyer.states() == ["preparing"]
    shop.break_("")
    [checkout] = shop.checkouts.values()
    checkout.fault = "making"
    finish(shop, checkout, checkout.paying)
    settle(150)
    assert buyer.states() == ["preparing"]
    checkout.fault = ""
    settle(150)
    assert buyer.states() == ["delivered"]
    books_agree(installation, company, shop)


def test_a_price_that_changed_is_shown_and_bought_at_the_next_click(buyer, company, installation, shop, work):
    token = buyer.ask_price("normes-iso-9001")
    shop.percent = next(iter(shop.checkouts.values())).percent = 120
    number = buyer.confirm(token)
    work()
    assert buyer.states() == ["failed"]
    assert shop.book == []
    assert [checkout.status for checkout in shop.checkouts.values()] == ["canceled", "ready_for_payment"]
    with installation.database.reading() as session:
        next_token = orders.by_number(session, number).next_token
    buyer.confirm(next_token)
    work()
    assert buyer.states() == ["delivered", "failed"]
    assert [sold.gross_cents for sold in shop.book] == [14112]
    books_agree(installation, company, shop)


def test_what_the_merchant_will_not_do_costs_nothing(buyer, company, installation, shop, work):
    for fault in ("requires_escalation", "authentication_required", "declined", "requires_3ds"):
        token = buyer.ask_price("normes-iso-9001")
        shop.break_(fault)
        buyer.confirm(token)
        shop.break_("")
        work()
        assert buyer.states()[0] == "failed", fault
    assert shop.book == []
    books_agree(installation, company, shop)


@pytest.mark.parametrize(("fault", "code", "why"), [
    ("conflict", "merchant_unclear", "another body"), ("shipped", "merchant_ships", "shipping"),
])  # fmt: skip
def test_what_nobody_can_decide_is_an_admins_at_once(fault, code, why, buyer, company, installation, shop, work):
    token = buyer.ask_price("normes-iso-9001")
    shop.break_(fault)
    number = buyer.confirm(token)
    work()
    assert buyer.states() == ["disputed"]
    with installation.database.reading() as session:
        order = orders.by_number(session, number)
        assert order.reason["code"] == code
        evidence = select(OrderEvent.evidence).where(OrderEvent.order_id == order.id)
        assert why in str(session.scalars(evidence).all())
    assert all(charge.state != "succeeded" for charge in company.operator.book.charges())
    assert shop.steps().count("complete") == 1


def test_a_merchant_that_is_down_sells_nothing_and_stays_on_sale(buyer, shop):
    shop.break_("down")
    assert buyer.ask_price("normes-iso-9001") == ""
    shop.break_("")
    assert buyer.ask_price("normes-iso-9001")
