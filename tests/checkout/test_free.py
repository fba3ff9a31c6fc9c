"""What costs nothing is bought like anything else, and no operator ever hears of it."""

from __future__ import annotations

from sqlalchemy import select

from demo import people
from demo.companies import COMPANIES
from portal.billing.charges import Charge
from portal.checkout.books import compare
from portal.checkout.verification import verify
from portal.directory.answers import Group
from portal.outbox import Task
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.scopes import Scope

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


def test_two_clicks_deliver_and_charge_nobody(buyer, company, installation, work):
    token = buyer.ask_price("registre-situation", siren=SIREN)
    assert "Confirmer : gratuit" in buyer.text
    number = buyer.confirm(token)
    work()

    assert buyer.states() == ["delivered"]
    assert company.operator.book.charges() == []
    assert [order.gross_cents for order in company.merchants.book.orders()] == [0]
    with installation.database.reading() as session:
        assert session.scalars(select(Charge.state)).all() == ["free"]
        assert session.scalars(select(Task.kind).where(Task.done_at.is_(None))).all() == []
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []
    buyer.get(f"/purchases/{number}/receipt")
    assert "Personne : cela ne coûte rien" in buyer.text


def test_what_costs_nothing_is_not_called_buying(buyer):
    buyer.get("/")
    card = buyer.page.partition('id="offer-registre-situation"')[2].partition("</li>")[0]
    assert "Obtenir" in card
    assert "Acheter" not in card
    paid = buyer.page.partition('id="offer-registre-kbis"')[2].partition("</li>")[0]
    assert "Acheter" in paid


def test_an_operator_that_is_away_is_not_needed(buyer, company):
    company.operator.fault = "down"

    buyer.confirm(buyer.ask_price("registre-situation", siren=SIREN))

    assert buyer.states() == ["delivered"]


def test_a_ceiling_without_any_room_leaves_it_free(buyer, company, installation):
    with installation.database.transaction() as session:
        add_ceiling(session, "test", Group(people.GROUP_ACHATS), Terms("each", Scope("all"), "month", 0))

    buyer.confirm(buyer.ask_price("registre-situation", siren=SIREN))

    assert buyer.states() == ["delivered"]


def test_what_fails_leaves_nothing_to_cancel(buyer, company, installation, work):
    company.merchants.set_fault("registre", "down")
    token = buyer.ask_price("registre-situation", siren=SIREN)
    company.merchants.set_fault("registre", None)
    token = token or buyer.ask_price("registre-situation", siren=SIREN)
    company.merchants.set_fault("registre", "down")
    buyer.confirm(token)
    work()

    assert buyer.states() == ["failed"]
    assert verify(installation.database, installation.storage) == []
    assert company.operator.book.charges() == []


def test_a_lost_answer_is_looked_up_and_delivers_once(buyer, company, installation, work, later):
    company.merchants.fault_once("registre", "cut_reply")
    buyer.confirm(buyer.ask_price("registre-situation", siren=SIREN))
    later(minutes=1)
    work()

    assert buyer.states() == ["delivered"]
    assert len(company.merchants.book.orders()) == 1
    assert verify(installation.database, installation.storage) == []
