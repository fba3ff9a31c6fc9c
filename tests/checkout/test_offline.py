"""While the operator is away: refused, or accepted up to a total and charged when it is back; never past it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.companies import COMPANIES
from portal.billing import disputes
from portal.billing.offline import outstanding
from portal.checkout.books import compare
from portal.checkout.disputes import settle
from portal.checkout.verification import verify
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
LIMIT = "10.00"
"""Room for two K-bis of 3,53 €."""


@pytest.fixture
def setting():
    return f'when_unreachable = "accept"\noffline_limit = "{LIMIT}"\n'


@pytest.fixture
def company(company, setting, monkeypatch):
    plain = company.configuration
    monkeypatch.setattr(
        company, "configuration", lambda port: plain(port).replace("[operator]\n", f"[operator]\n{setting}")
    )
    return company


def buy(visitor):
    return visitor.confirm(visitor.ask_price("registre-kbis", siren=SIREN))


def waiting(installation):
    with installation.database.reading() as session:
        found = outstanding(session)
    return found.count, found.cents


def payments(company):
    return sorted(line.state for line in company.operator.book.charges())


def test_it_is_delivered_at_once_and_charged_when_the_operator_is_back(buyer, company, installation, work, later):
    company.operator.fault = "down"
    buy(buyer)
    work()
    assert buyer.states() == ["delivered"]
    assert waiting(installation) == (1, 353)
    assert payments(company) == []
    assert verify(installation.database, installation.storage) == []

    company.operator.fault = None
    later(hours=1)
    work()

    assert payments(company) == ["succeeded"]
    assert waiting(installation) == (0, 0)
    assert verify(installation.database, installation.storage) == []
    assert compare(installation.means).differences == []


def test_ten_purchases_pass_no_limit_and_each_screen_says_the_truth(
    buyer, company, installation, work, later, admin_page
):
    company.operator.fault = "down"
    for _ in range(10):
        buy(buyer)
    assert sorted(buyer.states()) == ["delivered"] * 2 + ["failed"] * 8
    assert waiting(installation) == (2, 706)
    assert "2 achats attendent l'opérateur" in admin_page()
    assert "7,06" in admin_page()

    company.operator.fault = None
    later(hours=1)
    work()

    assert payments(company) == ["succeeded"] * 2
    assert "attendent l'opérateur" not in admin_page()
    assert compare(installation.means).differences == []


@pytest.fixture
def admin_page(app):
    someone = Visitor(app)
    someone.sign_in("benoit.besson")

    def page():
        someone.get("/admin/purchases")
        return someone.text

    return page


@pytest.mark.parametrize(
    "setting", ['when_unreachable = "refuse"\noffline_limit = "10.00"\n', 'when_unreachable = "accept"\n']
)
def test_where_nothing_may_wait_nothing_is_bought(buyer, company, installation, work):
    company.operator.fault = "down"
    for _ in range(10):
        buy(buyer)
    company.operator.fault = None
    work()

    assert buyer.states() == ["failed"] * 10
    assert payments(company) == []
    assert compare(installation.means).differences == []


def test_many_at_one_moment_do_not_pass_it(app, company, installation):
    company.operator.fault = "down"
    visitors = [Visitor(app) for _ in range(6)]
    for visitor in visitors:
        visitor.sign_in("chloe.lefevre")
    tokens = [visitor.ask_price("registre-kbis", siren=SIREN) for visitor in visitors]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda pair: pair[0].confirm(pair[1]), zip(visitors, tokens, strict=True)))

    assert waiting(installation) == (2, 706)
    assert sorted(visitors[0].states()) == ["delivered"] * 2 + ["failed"] * 4


def test_a_purchase_the_merchant_refuses_gives_its_part_back(buyer, company, installation, work, later):
    company.operator.fault = "down"
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.merchants.set_fault("registre", "down")
    buyer.confirm(token)
    assert waiting(installation) == (1, 353)
    company.operator.fault = None
    later(hours=1)
    work()

    assert buyer.states() == ["failed"]
    assert waiting(installation) == (0, 0)
    assert payments(company) == []
    assert verify(installation.database, installation.storage) == []


def test_what_the_operator_refuses_afterwards_is_a_dispute(buyer, company, installation, work, later):
    company.operator.fault = "down"
    buy(buyer)
    company.operator.fault = "deny"
    later(hours=1)
    work()

    with installation.database.reading() as session:
        assert outstanding(session).count == 1
        (charge,) = disputes.open_disputes(session)
        assert "write_off" in disputes.choices(session, charge)
    assert verify(installation.database, installation.storage) == []


def test_a_doubt_about_the_merchant_can_be_asked_again_while_the_charge_waits(
    buyer, company, installation, work, later
):
    company.operator.fault = "down"
    company.merchants.set_fault("registre", "garbage")
    number = buy(buyer)
    for _hour in range(3):
        later(hours=1)
        work()
    company.merchants.set_fault("registre", None)
    settle(installation.database, installation.operators, "account 5", number, "ask_again", "it is well again")
    work()
    assert buyer.states() == ["delivered"]
    company.operator.fault = None
    later(hours=1)
    work()

    assert payments(company) == ["succeeded"]
    assert compare(installation.means).differences == []
