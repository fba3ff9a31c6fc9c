"""While somebody is known to be away: quick and true answers, nobody else held up, and everything goes on afterwards."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from demo.companies import COMPANIES
from portal import breakers
from portal.billing import charges
from portal.checkout import purchase
from portal.checkout.books import compare
from portal.checkout.steps import Wait
from portal.checkout.verification import verify
from portal.outbox import Task, merchant_lane
from tests.checkout.world import World, made_database

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


def buy(visitor, slug="registre-kbis"):
    token = visitor.ask_price(slug, siren=SIREN)
    return visitor.confirm(token) if token else ""


def away(installation):
    with installation.database.reading() as session:
        return [found.lane for found in breakers.standing(session)]


@pytest.fixture
def heard(company):
    return lambda: len(company.operator.book.journal())


def test_a_purchase_is_refused_at_once_and_truly_while_the_operator_is_away(
    buyer, company, installation, heard, later, work
):
    company.operator.fault = "error500"
    for _ in range(breakers.THRESHOLD):
        buy(buyer)
    assert away(installation) == ["operator"]
    before = heard()

    buy(buyer)
    assert "L'opérateur de l'entreprise est injoignable" in buyer.text

    assert buyer.states()[0] == "failed"
    assert heard() == before
    with installation.database.reading() as session:
        newest = session.scalars(select(charges.Charge).order_by(charges.Charge.id.desc()).limit(1)).one()
    assert newest.state == "voided"
    company.operator.fault = None
    for _ in range(6):
        later(seconds=40)
        work()
    assert away(installation) == []
    buy(buyer)
    assert buyer.states()[0] == "delivered"
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


def test_a_price_is_refused_at_once_while_the_merchant_is_away_and_others_sell(buyer, company, installation):
    company.merchants.set_fault("registre", "down")
    for _ in range(breakers.THRESHOLD):
        assert buy(buyer) == ""
    lanes = away(installation)
    assert len(lanes) == 1
    assert lanes[0].startswith(merchant_lane(""))

    buyer.get("/offers/registre-kbis")
    buyer.post("/offers/registre-kbis/quote", ask="1", siren=SIREN)
    assert "ne répond pas" in buyer.text
    assert buy(buyer, "coface-rapport")


def test_a_backlog_is_drained_once_the_operator_is_back_whatever_its_back_off(
    buyer, company, installation, work, later
):
    for _ in range(breakers.THRESHOLD + 3):
        buy(buyer)
    company.operator.fault = "down"
    work()
    assert away(installation) == ["operator"]
    with installation.database.reading() as session:
        tried = session.scalars(select(Task.attempts).where(Task.kind == "capture")).all()
    assert sorted(tried) == [0] * 3 + [1] * breakers.THRESHOLD

    company.operator.fault = None
    later(seconds=10)
    work()
    later(seconds=10)
    work()

    assert {line.state for line in company.operator.book.charges()} == {"succeeded"}
    assert compare(installation.means).differences == []


def test_a_wish_of_no_time_at_all_makes_no_loop(tmp_path, monkeypatch):
    world = World(made_database(tmp_path / "template.db"), tmp_path)
    monkeypatch.setitem(purchase.STEPS, "accepted", lambda *_: Wait("busy", 0))
    world.confirm(world.ask_price(1, 300), 1)

    with world.database.reading() as session:
        (task,) = session.scalars(select(Task)).all()
    world.close()
    assert (task.due_at - world.at).total_seconds() > 0
