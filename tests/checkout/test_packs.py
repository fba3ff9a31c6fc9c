"""Packs: units bought in advance pay one by one, never twice, never more than there are."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from connectors.contract import AuthFailed, ContractBroken, NotDone, Rejected
from connectors.waiting import Full
from demo import shops
from portal import clock
from portal.billing import charges, refunding, refunds
from portal.billing.charges import Charge
from portal.catalog.offers import OfferRow
from portal.checkout import packs
from portal.checkout.books import compare
from portal.checkout.orders import Order
from portal.checkout.packs import Pack, PackUse
from portal.checkout.verification import verify
from tests.checkout.other_sides import Crash

PHONE = "01 42 68 53 00"
NOBODY = "01 42 68 53 99"


@pytest.fixture
def pack(buyer, work, installation):
    """The number of an order that has brought a pack of ten."""
    number = buyer.confirm(buyer.ask_price("quidonc-pack10"))
    work()
    return number


def counters(installation):
    with installation.database.reading() as session:
        return session.execute(select(Pack.units, Pack.held_units, Pack.used_units)).one()


def assert_books_agree(installation):
    assert verify(installation.database, installation.storage) == []
    assert compare(installation.means).differences == []


def test_a_pack_is_bought_in_two_clicks_and_shown_with_its_key(pack, buyer, company, installation):
    buyer.get(f"/purchases/{pack}")

    assert "QD-" in buyer.text
    assert "10 crédits restants" in buyer.text
    assert [charge.amount_cents for charge in company.operator.book.charges()] == [720]
    assert_books_agree(installation)


def test_a_list_that_changes_between_the_clicks_changes_no_pack(buyer, installation, work):
    token = buyer.ask_price("quidonc-pack10")
    with installation.database.transaction() as session:
        session.execute(update(OfferRow).where(OfferRow.slug == "quidonc-pack10").values(units=0))
    buyer.confirm(token)
    work()

    assert counters(installation) == (10, 0, 0)
    assert_books_agree(installation)


def test_ten_uses_pay_nothing_and_the_eleventh_is_paid(pack, buyer, company, installation, work):
    for left in range(9, -1, -1):
        token = buyer.ask_price("quidonc-inverse", phone=PHONE)
        assert f"il en restera {left}" in buyer.text
        assert "Confirmer : 1 crédit" in buyer.text
        buyer.confirm(token)
    work()
    assert counters(installation) == (10, 0, 10)
    assert len(company.operator.book.charges()) == 1

    token = buyer.ask_price("quidonc-inverse", phone=PHONE)
    assert "0,90" in buyer.text
    buyer.confirm(token)
    work()

    assert len(company.operator.book.charges()) == 2
    assert buyer.states() == ["delivered"] * 12
    assert_books_agree(installation)


def test_the_receipt_and_the_pack_say_what_paid(pack, buyer):
    number = buyer.confirm(buyer.ask_price("quidonc-inverse", phone=PHONE))

    buyer.get(f"/purchases/{number}/receipt")
    assert "Personne : payé avec 1 crédit du pack" in buyer.text
    assert pack in buyer.text
    buyer.get(f"/purchases/{pack}")
    assert "9 crédits restants" in buyer.text
    assert number in buyer.text
    buyer.get("/purchases")
    assert "Mes packs" in buyer.text


def test_somebody_who_would_rather_pay_does(pack, buyer, installation, company, work):
    buyer.ask_price("quidonc-inverse", phone=PHONE)
    assert "Garder le crédit et payer cet achat" in buyer.text
    buyer.post("/offers/quidonc-inverse/quote", each="1", phone=PHONE)
    assert "Confirmer : 0,90" in buyer.text.replace("\xa0", " ")
    token = buyer.page.split('name="token" value="')[1].split('"')[0]
    buyer.confirm(token)
    work()

    assert counters(installation) == (10, 0, 0)
    assert len(company.operator.book.charges()) == 2


def test_the_same_confirmation_takes_one_unit(pack, buyer, installation):
    token = buyer.ask_price("quidonc-inverse", phone=PHONE)

    assert buyer.confirm(token) == buyer.confirm(token)

    assert counters(installation) == (10, 0, 1)


def test_what_brings_nothing_gives_the_unit_back(pack, buyer, installation, work):
    buyer.confirm(buyer.ask_price("quidonc-inverse", phone=NOBODY))
    work()

    assert buyer.states() == ["failed", "delivered"]
    assert counters(installation) == (10, 0, 0)
    assert_books_agree(installation)


def test_a_lost_answer_uses_one_unit(pack, buyer, company, installation, work, later):
    company.merchants.fault_once("quidonc", "cut_reply")
    buyer.confirm(buyer.ask_price("quidonc-inverse", phone=PHONE))
    later(minutes=1)
    work()

    assert buyer.states() == ["delivered", "delivered"]
    assert counters(installation) == (10, 0, 1)
    assert_books_agree(installation)


def test_a_unit_in_doubt_is_held(pack, buyer, company, installation):
    token = buyer.ask_price("quidonc-inverse", phone=PHONE)
    company.merchants.set_fault("quidonc", "error500")
    buyer.confirm(token)

    assert counters(installation) == (10, 1, 0)


def test_units_that_others_took_between_the_clicks_are_a_sentence_and_a_price(pack, buyer, installation):
    token = buyer.ask_price("quidonc-inverse", phone=PHONE)
    with installation.database.transaction() as session:
        session.execute(update(Pack).values(units=0))

    assert buyer.confirm(token) == ""

    assert "Votre pack n'a plus de crédit pour cela" in buyer.text
    assert "Confirmer : 0,90" in buyer.text.replace("\xa0", " ")


def test_twenty_clicks_at_once_use_no_more_than_there_are(pack, buyer, installation):
    with installation.database.transaction() as session:
        session.execute(update(Pack).values(units=3))
        (row,) = session.scalars(select(Pack))
    numbers = [f"G-{index:05d}-RACED" for index in range(20)]
    with installation.database.transaction() as session:
        first = session.scalars(select(Order)).first()
        for number in numbers:
            copied = {
                column.key: getattr(first, column.key) for column in Order.__table__.columns if column.key != "id"
            }
            quote = first.quote
            copy = type(quote)(**{
                column.key: getattr(quote, column.key) for column in quote.__table__.columns if column.key not in {"id", "token"}
            }, token=number)  # fmt: skip
            session.add(copy)
            session.flush()
            session.add(Order(**{**copied, "number": number, "token": number, "key": number, "state": "accepted"}))
    taken: list[str] = []

    def take(number: str) -> None:
        try:
            with installation.database.transaction() as session:
                packs.hold(session, row.id, number, 1)
            taken.append(number)
        except packs.Refused:
            pass

    threads = [threading.Thread(target=take, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 3
    assert counters(installation) == (3, 3, 0)


def test_a_pack_that_has_ended_pays_nothing(pack, buyer, installation):
    with installation.database.transaction() as session:
        session.execute(update(Pack).values(until=clock.now() - timedelta(seconds=1)))

    buyer.ask_price("quidonc-inverse", phone=PHONE)

    assert "Confirmer : 0,90" in buyer.text.replace("\xa0", " ")


def test_a_pack_that_pays_nothing_any_more_is_not_said_to_pay(pack, buyer, installation):
    buyer.get(f"/purchases/{pack}")
    assert "10 crédits restants" in buyer.text
    with installation.database.transaction() as session:
        session.execute(update(Pack).values(until=clock.now() - timedelta(seconds=1)))

    buyer.get(f"/purchases/{pack}")

    assert "10 crédits" in buyer.text
    assert "restants" not in buyer.text


def test_a_pack_that_the_merchant_does_not_know_is_said_and_the_price_stands(pack, buyer, installation):
    with installation.database.transaction() as session:
        session.execute(update(Pack).values(key="QD-NOT-THEIRS"))

    buyer.ask_price("quidonc-inverse", phone=PHONE)

    assert "Le marchand n'a pas accepté votre pack." in buyer.text
    assert "Confirmer : 0,90" in buyer.text.replace("\xa0", " ")


@pytest.mark.parametrize(
    "refusal", [Rejected("403"), Rejected("403", field="phone"), ContractBroken("404"), AuthFailed("401")]
)
def test_a_pack_that_is_refused_without_a_word_leaves_the_price(refusal, pack, buyer, installation, monkeypatch):
    connector = installation.merchants.loaded["quidonc"].connector
    quote = connector.quote

    def wordless(offer_id, inputs, buyer):
        if buyer.licence:
            raise refusal
        return quote(offer_id, inputs, buyer)

    monkeypatch.setattr(connector, "quote", wordless)
    assert buyer.ask_price("quidonc-inverse", phone=PHONE)

    assert "Le marchand n'a pas accepté votre pack." in buyer.text
    assert "Confirmer : 0,90" in buyer.text.replace("\xa0", " ")


def test_a_merchant_that_is_busy_has_not_refused_the_pack(pack, buyer, installation, monkeypatch):
    connector = installation.merchants.loaded["quidonc"].connector
    quote = connector.quote

    def busy_once(offer_id, inputs, buyer):
        if buyer.licence:
            raise Full("it keeps others waiting at this moment")
        return quote(offer_id, inputs, buyer)

    monkeypatch.setattr(connector, "quote", busy_once)
    buyer.post("/offers/quidonc-inverse/quote", phone=PHONE, ask="1")

    assert "pas accepté votre pack" not in buyer.text
    assert 'name="token"' not in buyer.page


def test_another_price_in_credits_is_said_in_credits(pack, buyer, installation, work, monkeypatch):
    connector = installation.merchants.loaded["quidonc"].connector
    fulfil = connector.fulfil

    def dearer(quote, *asked):
        if quote.units == 1:
            return NotDone("price_changed", new_quote=replace(quote, ref=f"{quote.ref}-2", units=2))
        return fulfil(replace(quote, ref=quote.ref.removesuffix("-2"), units=1), *asked)

    monkeypatch.setattr(connector, "fulfil", dearer)
    number = buyer.confirm(buyer.ask_price("quidonc-inverse", phone=PHONE))
    buyer.get(f"/purchases/{number}")

    assert "Nouveau prix : 2 crédits" in re.sub(r"<[^>]+>|\s+", " ", buyer.text).replace("  ", " ")
    assert "Confirmer : 2 crédits" in buyer.text
    assert "0,00" not in buyer.text
    buyer.confirm(re.search(r'name="token" value="([^"]+)"', buyer.page)[1])
    work()
    assert counters(installation) == (10, 0, 2)
    assert_books_agree(installation)


def test_a_pack_whose_units_are_not_counted_does_not_pay(pack, buyer, installation, monkeypatch):
    connector = installation.merchants.loaded["quidonc"].connector
    quote = connector.quote
    monkeypatch.setattr(connector, "quote", lambda *asked: replace(quote(*asked), units=0))

    assert buyer.ask_price("quidonc-inverse", phone=PHONE)

    assert "Confirmer : 0,90" in buyer.text.replace("\xa0", " ")


def test_what_was_mistyped_is_no_refusal_of_the_pack(pack, buyer):
    assert buyer.ask_price("quidonc-inverse", phone="01 42") == ""

    assert "Le marchand n'a pas accepté votre pack." not in buyer.text


def test_a_pack_with_too_few_units_leaves_the_price(pack, buyer, installation, monkeypatch):
    connector = installation.merchants.loaded["quidonc"].connector
    quote = connector.quote
    monkeypatch.setattr(connector, "quote", lambda *asked: replace(quote(*asked), units=11 if asked[2].licence else 0))

    token = buyer.ask_price("quidonc-inverse", phone=PHONE)
    assert "Votre pack n'a plus de crédit pour cela" in buyer.text
    assert "Confirmer : 0,90" in buyer.text.replace("\xa0", " ")

    buyer.confirm(token)
    assert buyer.states() == ["delivered", "delivered"]
    assert counters(installation) == (10, 0, 0)


def test_a_pack_whose_price_was_given_back_is_closed(pack, buyer, installation, work):
    token = buyer.ask_price("quidonc-inverse", phone=PHONE)
    with installation.database.transaction() as session:
        charge = session.scalars(select(Charge).where(Charge.order_number == pack).with_for_update()).one()
        refunds.ask(session, "test", charge, None, "a mistake", refunds.new_key())
    work()

    assert buyer.confirm(token) == ""
    buyer.ask_price("quidonc-inverse", phone=PHONE)
    assert "Confirmer : 0,90" in buyer.text.replace("\xa0", " ")


@pytest.mark.parametrize("state", ["disputed", "voided", "written_off"])
def test_a_pack_that_may_never_be_paid_for_pays_nothing(state, pack, buyer, installation, work):
    token = buyer.ask_price("quidonc-inverse", phone=PHONE)
    with installation.database.transaction() as session:
        session.execute(update(Charge).where(Charge.order_number == pack).values(state=state))

    assert buyer.confirm(token) == ""
    assert "Confirmer : 0,90" in buyer.text.replace("\xa0", " ")
    assert counters(installation) == (10, 0, 0)


def test_a_pack_goes_on_once_the_refund_of_its_price_was_denied(pack, buyer, installation):
    token = buyer.ask_price("quidonc-inverse", phone=PHONE)
    with installation.database.transaction() as session:
        charge = session.scalars(select(Charge).where(Charge.order_number == pack)).one()
        refunds.ask(session, "test", charge, None, "a mistake")
        charges.move(session, charge, "doubted", {})
    assert buyer.confirm(token) == ""
    with installation.database.transaction() as session:
        charge = session.scalars(select(Charge).where(Charge.order_number == pack)).one()
        wanted = refunds.running(session, charge)
        charges.move(session, charge, "refund_again", {})
        refunding.deny(session, charge, wanted, {}, "test")

    assert buyer.confirm(token)
    assert counters(installation) == (10, 0, 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("commits", range(6))
def test_a_process_that_dies_at_any_commit_uses_one_unit_or_none(
    commits, after, pack, buyer, installation, work, later, monkeypatch
):
    token = buyer.ask_price("quidonc-inverse", phone=PHONE)
    counted, transaction, ours = iter(range(100)), installation.database.transaction, threading.Lock()

    @contextmanager
    def mortal():
        with ours:
            mine = next(counted)
        with transaction() as session:
            yield session
            if mine >= commits and not (after and mine == commits):
                raise Crash
        if mine == commits:
            raise Crash

    installation.database.transaction = mortal
    with suppress(Crash):
        buyer.confirm(token)
    installation.database.transaction = transaction
    later(minutes=10)
    while work():
        later(minutes=10)

    made = len(buyer.states()) - 1
    assert buyer.states()[:made] == ["delivered"] * made
    assert counters(installation) == (10, 0, made)
    assert_books_agree(installation)


def test_a_key_that_was_delivered_before_is_for_a_person_and_shown_to_nobody_else(
    pack, visitor, company, installation, work, monkeypatch
):
    with installation.database.reading() as session:
        key = session.scalars(select(Pack.key)).one()
    monkeypatch.setattr(shops, "secrets", SimpleNamespace(token_hex=lambda _size: key.removeprefix("QD-")))
    visitor.sign_in("agnes.oeuvrard")
    number = visitor.confirm(visitor.ask_price("quidonc-pack10"))
    work()

    assert visitor.states() == ["disputed"]
    visitor.get(f"/purchases/{number}")
    assert key not in visitor.text
    assert counters(installation) == (10, 0, 0)
    assert sorted(charge.state for charge in company.operator.book.charges()) == ["reserved", "succeeded"]


def test_somebody_elses_pack_does_not_pay(pack, app, visitor, buyer):
    visitor.sign_in("agnes.oeuvrard")

    visitor.ask_price("quidonc-inverse", phone=PHONE)

    assert "crédit" not in visitor.text
    assert "Confirmer : 0,90" in visitor.text.replace("\xa0", " ")


def test_verify_finds_a_counter_that_was_tampered_with(pack, buyer, installation):
    buyer.confirm(buyer.ask_price("quidonc-inverse", phone=PHONE))
    with installation.database.transaction() as session:
        session.execute(update(PackUse).values(state="held"))

    found = [breach for breach in verify(installation.database, installation.storage) if breach.invariant == 2]

    assert len(found) == 2
