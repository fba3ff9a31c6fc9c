"""What a careless publisher does between the two clicks: nothing is ever bought twice, and a doubt is never a no."""

from __future__ import annotations

import random
import threading
from dataclasses import replace

import pytest

from connectors.contract import AuthFailed, Done, NotDone, NotFound, Pending, Unavailable, Unknown
from tests.connectors.opds_world import carried_on, library, load, order, priced, seller

__all__ = ["library", "load", "seller"]
IMPATIENT = ('hosts = ["librairie.example"]', 'hosts = ["librairie.example"]\ntimeout = {read = 1, total = 2}')


@pytest.mark.parametrize("fault", ["error500_before", "cut_before"])
def test_lost_before_the_charge_it_is_looked_up_and_sent_again_under_its_reference(fault, library, seller):
    quote = priced(seller)
    library.break_(fault)
    assert isinstance(order(seller, quote), Unknown)
    assert library.book == []
    library.break_("")

    assert isinstance(carried_on(seller, quote), Done)

    assert len(library.book) == 1
    assert {headers["Client-Reference"] for headers in library.asked("/opds/buy")} == {"key-1"}


@pytest.mark.parametrize("fault", ["error500_after", "cut_after", "redirect", "empty"])
def test_lost_after_the_charge_it_is_found_at_the_bookshelf_and_not_sent_again(fault, library, seller):
    library.elsewhere = "http://127.0.0.1:9"
    quote = priced(seller)
    library.break_(fault)
    assert isinstance(order(seller, quote), Unknown)
    assert len(library.book) == 1

    done = carried_on(seller, quote)

    assert isinstance(done, Done)
    assert done.charged_cents == quote.gross_cents
    assert len(library.book) == 1
    assert len(library.asked("/opds/buy")) == 1


def test_sent_on_to_a_host_that_is_down_it_is_a_doubt_and_never_a_no(library, seller):
    quote = priced(seller)
    library.elsewhere = "http://127.0.0.1:9"
    seller.context.http.hosts.add("127.0.0.1:9")
    library.break_("redirect")
    assert isinstance(order(seller, quote), Unknown)
    assert len(library.book) == 1
    assert isinstance(carried_on(seller, quote), Done)


def test_sent_on_to_a_host_that_has_no_such_file_it_is_what_the_bookshelf_says(library, seller):
    other = type(library)()
    other.start()
    try:
        quote = priced(seller)
        library.elsewhere = f"{other.url}/nowhere"
        seller.context.http.hosts.add(other.url.partition("//")[2])
        library.break_("redirect")
        assert isinstance(order(seller, quote), Done)
        assert len(library.book) == 1
        [asked] = other.seen
        assert not {"Authorization", "Client-Reference", "Client-Order"} & asked[2].keys()
    finally:
        other.stop()


def test_a_publisher_that_hangs(library, load, seller):
    quote = priced(seller)
    library.break_("hang")
    hurried = load(IMPATIENT)
    assert isinstance(order(hurried, quote), Unknown)
    assert hurried.lookup_sent(quote, "key-1") == NotFound()
    assert isinstance(order(hurried, quote), Unknown)
    library.released.set()
    library.break_("")
    assert isinstance(carried_on(load(), quote), Done)
    assert len(library.book) == 1


def test_a_publisher_that_cannot_be_reached_has_done_nothing(library, seller):
    quote = priced(seller)
    library.server.stop()
    with pytest.raises(Unavailable):
        order(seller, quote)
    library.server.start()
    library.break_("busy")
    with pytest.raises(Unavailable):
        order(seller, quote)
    library.break_("down")
    with pytest.raises(Unavailable):
        order(seller, quote)
    assert library.book == []


@pytest.mark.parametrize(
    ("fault", "code"), [("gone", "gone"), ("payment", "payment_required"), ("dearer", "price_changed")]
)
def test_a_refusal_is_final_and_in_the_publishers_words(fault, code, library, seller):
    quote = priced(seller)
    library.break_(fault)
    outcome = order(seller, quote)
    assert isinstance(outcome, NotDone)
    assert outcome.code == code
    assert outcome.words["fr"].endswith(".")
    assert outcome.new_quote is None
    library.break_("")
    assert isinstance(order(seller, quote), NotDone), "never again under this reference"
    assert isinstance(order(seller, quote, "key-2"), Done)
    assert len(library.book) == 1


@pytest.mark.parametrize("percent", [50, 120])
def test_another_price_is_a_new_quote_before_anything_is_sent(percent, library, seller):
    quote = priced(seller)
    library.percent = percent
    outcome = order(seller, quote)
    assert isinstance(outcome, NotDone)
    assert (outcome.code, outcome.new_quote.gross_cents) == ("price_changed", 1240 * percent // 100)
    assert library.asked("/opds/buy") == []
    again = replace(outcome.new_quote, offer_id=quote.offer_id)
    assert isinstance(order(seller, again, "key-2"), Done)


def test_a_price_that_rises_while_it_is_bought_is_refused_by_the_maximum(library, seller, monkeypatch):
    quote = priced(seller)
    plain = seller.wire.get

    def slower(url, headers):
        if "/buy/" in url:
            library.percent = 150
        return plain(url, headers)

    monkeypatch.setattr(seller.wire, "get", slower)
    outcome = order(seller, quote)
    assert isinstance(outcome, NotDone)
    assert (outcome.code, outcome.new_quote.gross_cents) == ("price_changed", 1860)
    assert library.book == []


def test_after_a_doubt_a_changed_price_decides_nothing(library, seller):
    """The first request may still be under way: only the publisher knows what became of its reference."""
    quote = priced(seller)
    library.break_("cut_after")
    order(seller, quote)
    library.break_("slow_shelf")
    library.percent = 150
    assert seller.lookup_sent(quote, "key-1") == NotFound()
    assert isinstance(order(seller, quote), Unknown)
    library.break_("")
    assert isinstance(carried_on(seller, quote), Done)
    assert [sold.gross_cents for sold in library.book] == [1240]


def test_after_a_doubt_a_title_that_is_gone_decides_nothing(library, seller):
    quote = priced(seller)
    library.break_("cut_after")
    order(seller, quote)
    library.break_("slow_shelf")
    kept = library.books.pop("livre-102")
    assert seller.lookup_sent(quote, "key-1") == NotFound()
    found = order(seller, quote)
    assert isinstance(found, Unknown)
    library.books["livre-102"] = kept
    library.break_("")
    assert isinstance(carried_on(seller, quote), Done)
    assert len(library.book) == 1


def test_a_title_that_is_gone_before_anything_was_sent_is_not_done(library, seller):
    quote = priced(seller)
    library.books.pop("livre-102")
    assert order(seller, quote).code == "gone"
    assert library.asked("/opds/buy") == []


def test_never_more_than_the_most_that_was_confirmed(library, seller):
    quote = priced(seller)
    outcome = seller.fulfil(quote, "key-1", "G-1", quote.gross_cents - 1)
    assert isinstance(outcome, NotDone)
    assert library.asked("/opds/buy") == []


def test_a_page_instead_of_the_file_is_a_doubt(library, seller):
    quote = priced(seller)
    library.break_("page")
    found = order(seller, quote)
    assert isinstance(found, Unknown)
    assert "text/html" in found.detail
    library.break_("")
    assert isinstance(carried_on(seller, quote), Done)


def test_sold_and_not_yet_at_the_bookshelf_is_asked_again_and_sold_once(library, seller):
    quote = priced(seller)
    library.break_("slow_shelf")
    assert order(seller, quote) == Unknown("sold, and not at the bookshelf yet", 5)
    assert isinstance(carried_on(seller, quote), Unknown)
    library.break_("")
    assert isinstance(carried_on(seller, quote), Done)
    assert len(library.book) == 1


def test_a_bookshelf_that_is_down_is_a_doubt(library, seller):
    quote = priced(seller)
    seller.wire.sign_in()
    library.break_("shelf_down")
    assert isinstance(order(seller, quote), Unknown)
    assert isinstance(seller.lookup_sent(quote, "key-1"), Unknown)
    assert isinstance(seller.status("key-1.epub"), Unknown)
    assert len(library.book) == 1


@pytest.mark.parametrize(
    ("fault", "why"), [("twice", "one reference"), ("other_book", "another publication"), ("paper_shelf", "physical")]
)
def test_a_broken_promise_is_for_an_admin_at_once(fault, why, library, seller):
    quote = priced(seller)
    library.break_(fault)
    outcome = order(seller, quote)
    assert isinstance(outcome, Unknown)
    assert outcome.needs_admin
    assert why in outcome.detail


def test_what_the_bookshelf_says_was_charged_is_what_is_told(library, seller):
    quote = priced(seller)
    library.break_("other_price")
    assert order(seller, quote).charged_cents == quote.gross_cents + 100


def test_refused_credentials_are_told_and_nothing_is_bought(library, load, seller):
    quote = priced(seller)
    with pytest.raises(AuthFailed):
        order(load(secret="wrong"), quote)
    assert library.book == []


def test_eight_at_once_make_one_order(library, seller):
    quote, outcomes = priced(seller), []
    threads = [threading.Thread(target=lambda: outcomes.append(order(seller, quote))) for _each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(library.book) == 1
    assert all(isinstance(outcome, Done) for outcome in outcomes)


def test_whatever_happens_in_whatever_order_one_purchase_at_most(library, seller):
    seed = random.randrange(10**6)
    print("seed", seed)
    dice = random.Random(seed)
    faults = ["", "error500_before", "error500_after", "cut_before", "cut_after", "busy", "down", "page", "slow_shelf", "expire", "shelf_down", "redirect"]  # fmt: skip
    library.elsewhere = "http://127.0.0.1:9"
    for number in range(15):
        library.break_("")
        library.percent = 100
        quote, key = priced(seller), f"key-{number}"
        ended: object = None
        for turn in range(4):
            library.break_(dice.choice(faults))
            library.percent = dice.choice([100, 100, 150])
            try:
                found = seller.lookup_sent(quote, key) if turn else NotFound()
                ended = order(seller, quote, key) if isinstance(found, NotFound) else found
            except Unavailable:
                if not turn:
                    ended = NotDone("merchant_unavailable")
            if isinstance(ended, Done | NotDone | Pending):
                break
        sold = [each for each in library.book if each.reference == key]
        assert len(sold) <= 1
        if isinstance(ended, Done):
            assert [each.gross_cents for each in sold] == [ended.charged_cents]
        if isinstance(ended, NotDone):
            assert sold == []
