"""What a careless ACP merchant does between the two clicks: nothing is ever bought twice, and a doubt is never a no."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.acp import sessions
from connectors.contract import AuthFailed, Done, NotDone, NotFound, Quote, Unavailable, Unknown
from demo.acp_shop import AcpShop
from tests.connectors.acp_world import load, order, priced, seller, shop

__all__ = ["load", "seller", "shop"]


IMPATIENT = 'hosts = ["normes.example"]\ntimeout = {read = 1, total = 2}'


def carried_on(seller, quote: Quote, key: str = "key-1", most: int = 6):
    """What the core does with a doubt: look up, and send again only what is not found."""
    for _round in range(most):
        found = seller.lookup_sent(quote, key)
        if isinstance(found, NotFound):
            found = order(seller, quote, key)
        if not isinstance(found, Unknown):
            return found
        time.sleep(min(found.retry_after_s or 0, 1))
    return found


@pytest.mark.parametrize("fault", ["error500_before", "cut_before"])
def test_lost_before_the_charge_it_is_read_and_then_sent_again_as_it_was(fault, shop: AcpShop, seller):
    quote = priced(seller)
    shop.break_(fault)
    assert isinstance(order(seller, quote), Unknown)
    assert shop.book == []
    shop.break_("")

    assert isinstance(carried_on(seller, quote), Done)

    assert len(shop.book) == 1
    first, second = [(h["Idempotency-Key"], body) for _m, path, h, body in shop.seen if path.endswith("/complete")]
    assert first == second
    assert shop.steps() == ["create", "read", "complete", "read", "read", "complete"]


@pytest.mark.parametrize("fault", ["error500_after", "cut_after"])
def test_lost_after_the_charge_it_is_read_and_not_sent_again(fault, shop, seller):
    quote = priced(seller)
    shop.break_(fault)
    assert isinstance(order(seller, quote), Unknown)
    assert len(shop.book) == 1

    done = carried_on(seller, quote)

    assert isinstance(done, Done)
    assert done.charged_cents == quote.gross_cents
    assert len(shop.book) == 1
    assert shop.steps().count("complete") == 1


def test_a_merchant_that_hangs_is_read_and_a_request_in_flight_waited_for(shop, load, seller):
    quote, seller = priced(seller), load(('hosts = ["normes.example"]', IMPATIENT))
    shop.break_("hang")
    first = order(seller, quote)
    assert isinstance(first, Unknown)

    second = order(seller, quote)

    assert second == Unknown(second.detail, 1)
    assert "409" in second.detail
    shop.released.set()
    assert isinstance(carried_on(load(), quote), Done)
    assert len(shop.book) == 1


def test_another_body_under_our_key_is_for_an_admin_at_once(shop, seller):
    quote = priced(seller)
    shop.break_("making")
    order(seller, quote)
    shop.checkouts[quote.ref].status = "ready_for_payment"
    answer = order(seller, quote, po="G-OTHER-00001")
    assert isinstance(answer, Unknown)
    assert answer.needs_admin
    assert len(shop.book) == 1


def test_after_a_day_a_key_is_looked_up_and_never_sent_again(shop, seller):
    quote = priced(seller)
    shop.break_("error500_before")
    order(seller, quote)
    shop.break_("")
    shop.forget_keys()
    yesterday = replace(quote, expires_at=datetime.now(UTC) - timedelta(hours=23, seconds=1))

    found = seller.lookup_sent(yesterday, "key-1")

    assert isinstance(found, Unknown)
    assert found.needs_admin
    assert shop.steps().count("complete") == 1
    assert shop.book == []
    an_hour_before = replace(quote, expires_at=datetime.now(UTC) - timedelta(hours=22))
    assert isinstance(seller.lookup_sent(an_hour_before, "key-1"), NotFound)


def test_after_a_day_a_session_that_was_completed_is_still_found(shop, seller):
    quote = priced(seller)
    shop.break_("cut_after")
    order(seller, quote)
    shop.break_("")
    shop.forget_keys()
    yesterday = replace(quote, expires_at=datetime.now(UTC) - timedelta(hours=30))
    assert isinstance(seller.lookup_sent(yesterday, "key-1"), Done)
    assert len(shop.book) == 1


def test_a_price_that_rose_is_asked_for_again_and_the_old_session_closed(shop, seller):
    quote = priced(seller)
    shop.checkouts[quote.ref].percent = 120

    outcome = order(seller, quote)

    assert isinstance(outcome, NotDone)
    assert outcome.code == "price_changed"
    assert outcome.new_quote.ref != quote.ref
    assert shop.checkouts[quote.ref].status == "canceled"
    assert shop.book == []
    assert shop.steps() == ["create", "read", "cancel", "create"]
    again = replace(outcome.new_quote, offer_id=quote.offer_id)
    assert isinstance(order(seller, again, "key-2"), Done)


def test_a_price_that_rises_while_it_is_completed_buys_nothing(shop, seller):
    quote = priced(seller)
    shop.break_("price_up")
    outcome = order(seller, quote)
    assert isinstance(outcome, NotDone)
    assert outcome.new_quote.gross_cents == quote.gross_cents
    assert shop.checkouts[quote.ref].status == "canceled"
    assert shop.book == []


def test_a_price_that_fell_is_asked_for_again_too(shop, seller):
    quote = priced(seller)
    shop.checkouts[quote.ref].percent = 50
    outcome = order(seller, quote)
    assert isinstance(outcome, NotDone)
    assert outcome.code == "price_changed"
    assert shop.book == []


def test_never_more_than_the_most_that_was_confirmed(shop, seller):
    quote = priced(seller)
    outcome = seller.fulfil(quote, "key-1", "G-1", quote.gross_cents - 1)
    assert isinstance(outcome, NotDone)
    assert "complete" not in shop.steps()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("requires_escalation", "requires_escalation"), ("authentication_required", "authentication_required"),
        ("declined", "ready_for_payment"), ("requires_3ds", "requires_3ds"),
    ],
)  # fmt: skip
def test_what_needs_a_person_or_a_card_is_closed_and_not_done(fault, code, shop, seller):
    quote = priced(seller)
    shop.break_(fault)
    outcome = order(seller, quote)
    assert isinstance(outcome, NotDone)
    assert outcome.code == code
    assert outcome.words["fr"]
    assert shop.checkouts[quote.ref].status == "canceled"
    assert seller.lookup_sent(quote, "key-1").code == "canceled"
    assert shop.book == []


@pytest.mark.parametrize("fault", ["requires_escalation", "declined"])
def test_what_cannot_be_closed_stays_a_doubt(fault, shop, seller):
    quote = priced(seller)
    shop.break_(fault)
    shop.checkouts[quote.ref].stays_open = True
    outcome = order(seller, quote)
    assert isinstance(outcome, Unknown)
    assert "should be closed" in outcome.detail


def test_a_session_closed_by_a_purchase_meanwhile_is_that_purchase(shop, seller):
    quote = priced(seller)
    order(seller, quote)
    found = seller._give_up(quote, "key-1", "physical", {})
    assert isinstance(found, Done)


def test_while_it_is_being_completed_it_is_asked_again(shop, seller):
    quote = priced(seller)
    shop.break_("complete_in_progress")
    assert order(seller, quote) == Unknown("the merchant says complete_in_progress", 5)
    shop.break_("")
    shop.checkouts[quote.ref].status = "ready_for_payment"
    shop.forget_keys()
    assert isinstance(carried_on(seller, quote), Done)
    assert len(shop.book) == 1


@pytest.mark.parametrize("status", ["expired", "canceled"])
def test_a_session_that_is_over_is_not_done(status, shop, seller):
    quote = priced(seller)
    shop.checkouts[quote.ref].status = status
    assert order(seller, quote).code == status
    assert seller.lookup_sent(quote, "key-1").code == status
    assert "complete" not in shop.steps()


def test_a_session_that_is_gone_is_a_doubt_once_it_was_sent(shop, seller):
    quote = priced(seller)
    shop.break_("gone")
    assert isinstance(seller.lookup_sent(quote, "key-1"), Unknown)
    assert isinstance(seller.status(quote.ref), Unknown)
    with pytest.raises(Unavailable):
        order(seller, quote)
    assert "complete" not in shop.steps()


def test_a_word_of_a_later_version_is_a_doubt(shop, seller, monkeypatch):
    quote = priced(seller)
    monkeypatch.setattr(sessions, "STANDINGS", {})
    assert order(seller, quote) == Unknown("the merchant says 'ready_for_payment'")
    assert "complete" not in shop.steps()


@pytest.mark.parametrize("fault", ["shipped", "lost"])
def test_what_is_shipped_or_lost_after_all_is_for_an_admin_who_sees_why(fault, shop, seller):
    quote = priced(seller)
    shop.break_(fault)
    outcome = order(seller, quote)
    assert isinstance(outcome, Unknown)
    assert outcome.needs_admin
    assert ("shipping" if fault == "shipped" else "failed") in outcome.detail
    assert len(shop.book) == 1


def test_an_order_the_merchant_cancelled_is_not_done(shop, seller):
    quote = priced(seller)
    shop.break_("refunded")
    outcome = order(seller, quote)
    assert isinstance(outcome, NotDone)
    assert outcome.code == "canceled"


@pytest.mark.parametrize("fault", ["ships", "heavy"])
def test_what_turns_physical_after_the_quote_is_closed(fault, shop, seller):
    quote = priced(seller)
    shop.checkouts[quote.ref].fault = fault
    outcome = order(seller, quote)
    assert isinstance(outcome, NotDone)
    assert outcome.code == "physical"
    assert shop.checkouts[quote.ref].status == "canceled"
    assert "complete" not in shop.steps()


def test_a_merchant_that_asks_to_wait_has_done_nothing(shop, seller):
    quote = priced(seller)
    shop.break_("busy")
    with pytest.raises(Unavailable):
        order(seller, quote)
    shop.break_("")
    assert isinstance(carried_on(seller, quote), Done)


def test_refused_credentials_and_an_unreadable_answer(shop, load, seller):
    quote = priced(seller)
    with pytest.raises(AuthFailed):
        order(load(api_key="wrong"), quote)
    shop.break_("garbage")
    with pytest.raises(Unavailable):
        order(seller, quote)
    assert shop.book == []


def test_a_quote_for_something_else_is_never_completed(shop, seller):
    quote = replace(priced(seller, "livre"), offer_id="iso-9001")
    assert isinstance(order(seller, quote), Unknown)
    assert "complete" not in shop.steps()


def test_eight_at_once_make_one_order(shop, seller):
    quote, outcomes = priced(seller), []
    threads = [threading.Thread(target=lambda: outcomes.append(order(seller, quote))) for _each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shop.book) == 1
    assert any(isinstance(outcome, Done) for outcome in outcomes)
    assert all(isinstance(outcome, Done | Unknown) for outcome in outcomes)


def test_whatever_happens_in_whatever_order_one_purchase_at_most(shop, seller):
    seed = random.randrange(10**6)
    print("seed", seed)
    dice = random.Random(seed)
    faults = [
        "",
        "error500_before",
        "error500_after",
        "cut_before",
        "cut_after",
        "busy",
        "down",
        "complete_in_progress",
    ]
    for number in range(12):
        shop.break_("")
        quote, key, sold = priced(seller), f"key-{number}", len(shop.book)
        for _try in range(4):
            shop.break_(dice.choice(faults))
            try:
                found = seller.lookup_sent(quote, key)
                if isinstance(found, NotFound):
                    order(seller, quote, key)
            except Unavailable:
                continue
        shop.break_("")
        checkout = shop.checkouts[quote.ref]
        if checkout.status == "complete_in_progress":
            checkout.status = "ready_for_payment"
            shop.forget_keys()
        assert isinstance(carried_on(seller, quote, key), Done)
        assert len(shop.book) == sold + 1


@pytest.mark.parametrize("status", ["expired", "canceled"])
def test_a_session_that_is_closed_and_holds_an_order_is_for_a_person(status):
    """It says that nothing was bought, and what was: whoever took it for a no would deliver what nobody pays."""
    assert sessions.Session("s", status, {"order": {"id": "o-1"}}).standing == "strange"
    assert sessions.Session("s", status, {"order": None}).standing == "closed"
