"""A connector that lists, quotes or completes anything at all breaks no page and no other merchant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

import pytest
from sqlalchemy import select

from connectors.contract import (
    Buyer,
    ContractBroken,
    Document,
    Done,
    Input,
    NotDone,
    Offer,
    Pending,
    Quote,
    QuoteLine,
    Removed,
    State,
    Suggestion,
    Unavailable,
    Unfit,
    Unknown,
)
from connectors.merchants.registry import LoadedMerchant
from portal.catalog import synchronisation
from portal.catalog.merchants import Merchants, asking, checked
from portal.catalog.offers import OfferRow, find, on_sale, slug_of
from portal.catalog.synchronisation import synchronise
from portal.catalog.words import fold
from portal.checkout.panel import Panel, price
from portal.checkout.quotes import check_quote
from portal.refusals import Reason
from portal.rights.decision import Decision
from tests.catalog.shelves import manifest

WORDS = {"fr": "Une offre", "en": "An offer"}
GOOD = Offer("o", WORDS, WORDS, "presse", 1000, 2000, 200, 1200, "EUR", "document")
SOON = datetime.now(UTC) + timedelta(minutes=10)
QUOTE = Quote("ref", 1000, 2000, 200, 1200, "EUR", SOON, (QuoteLine("One", 1000, 2000, 200),))


class Seller:
    """A connector whose every answer is decided by a test."""

    def __init__(self, **answers):
        self.answers = answers

    def __getattr__(self, name):
        answer = self.answers[name]

        def say(*_asked):
            if isinstance(answer, Exception):
                raise answer
            return answer

        return say


def merchants(**sellers):
    return Merchants({key: LoadedMerchant(manifest(), seller) for key, seller in sellers.items()})


def slugs(database):
    with database.reading() as session:
        return [row.slug for row in on_sale(session)]


@pytest.mark.parametrize("bad", [
    replace(GOOD, id=""), replace(GOOD, id="a/b"), replace(GOOD, id="../x"), replace(GOOD, id="x" * 200), replace(GOOD, id=None),
    replace(GOOD, title="text"), replace(GOOD, title={}), replace(GOOD, title={"en": "only"}), replace(GOOD, title={"fr": 3}),
    replace(GOOD, category="a category"), replace(GOOD, delivery="parcel"), replace(GOOD, net_cents="much"),
    replace(GOOD, net_cents=-1000, vat_cents=-200, gross_cents=-1200), replace(GOOD, gross_cents=1), replace(GOOD, vat_cents=10.5),
    replace(GOOD, inputs=(Input("n", "label"),)), replace(GOOD, inputs=({"name": "n"},)), None, {"id": "o"}, "offer", Offer,
    replace(GOOD, term="P1M"), replace(GOOD, pricing="duration", delivery="access"), replace(GOOD, pricing="rent"),
    replace(GOOD, pricing="subscription", term="for ever", delivery="access"), replace(GOOD, pricing="duration", term="P7D"),
    replace(GOOD, pricing="subscription", term="P99Y", delivery="access"),
    replace(GOOD, inputs=(Input("n", WORDS, pattern="((a+))+b"),)), replace(GOOD, inputs=(Input("n", WORDS, pattern="("),)),
    replace(GOOD, delivery="licence", units=-1), replace(GOOD, delivery="licence", units=2**40), replace(GOOD, units=10),
])  # fmt: skip
def test_an_offer_that_cannot_be_is_refused_alone(bad, database):
    other = replace(GOOD, id="fine")

    [done] = synchronise(database, merchants(m=Seller(list_offers=[bad, other])))

    assert (done.listed, len(done.refused), done.problem) == (1, 1, "")
    assert slugs(database) == ["m-fine"]


@pytest.mark.parametrize(
    "error", [KeyError("title"), RecursionError(), Unavailable("down"), ContractBroken("html"), TypeError()]
)
def test_a_catalogue_that_cannot_be_read_leaves_everything_as_it_was(error, database):
    synchronise(database, merchants(m=Seller(list_offers=[GOOD]), n=Seller(list_offers=[GOOD])))

    broken, fine = synchronise(database, merchants(m=Seller(list_offers=error), n=Seller(list_offers=[GOOD])))

    assert (bool(broken.problem), fine.problem) == (True, "")
    assert slugs(database) == ["m-o", "n-o"]


@pytest.mark.parametrize("again", [GOOD, replace(GOOD, gross_cents=1), Unfit("x", "why"), Removed("x"), State("c")])
def test_a_list_that_never_ends_ends_whatever_it_lists(again, database, monkeypatch):
    monkeypatch.setattr(synchronisation, "MOST_ITEMS", 2000)
    synchronise(database, merchants(m=Seller(list_offers=[GOOD])))

    # Ten times as long as is read: a reader that does not stop finds no fault with it.
    [done] = synchronise(database, merchants(m=Seller(list_offers=chain([GOOD], repeat(again, 20_000)))))

    assert "the list never ends" in done.problem
    assert slugs(database) == ["m-o"]


def test_an_offer_listed_twice_is_one_and_one_no_longer_listed_is_gone_until_it_is_back(database):
    def read(*offers):
        return synchronise(database, merchants(m=Seller(list_offers=list(offers))))[0]

    done = read(GOOD, replace(GOOD, net_cents=500, vat_cents=100, gross_cents=600), replace(GOOD, id="p"))
    assert (done.listed, done.refused) == (2, ("o: it is listed twice; the first stands",))
    with database.reading() as session:
        assert find(session, "m-o").gross_cents == 1200
    assert read(GOOD).removed == 1
    assert slugs(database) == ["m-o"]
    read(GOOD, replace(GOOD, id="p"))
    with database.reading() as session:
        assert len(session.scalars(select(OfferRow)).all()) == 2
    assert slugs(database) == ["m-o", "m-p"]


def test_no_two_offers_have_the_same_address(database):
    assert slug_of("a-b", "c") != slug_of("a", "b-c")
    synchronise(database, merchants(**{"a-b": Seller(list_offers=[replace(GOOD, id="c")]),
                                       "a": Seller(list_offers=[replace(GOOD, id="b-c")])}))  # fmt: skip

    assert len(set(slugs(database))) == 2


@pytest.mark.parametrize(("typed", "same"), [
    ("ÉCONOMIE", "economie"), ("cœur", "coeur"), ("Île-de-Ré", "ile de re"), ("l’État", "l'etat"), ("  a   b ", "a b"),
])  # fmt: skip
def test_search_compares_without_accents_and_case(typed, same):
    assert fold(typed) == same


@pytest.fixture
def panel(database):
    synchronise(database, merchants(m=Seller(list_offers=[replace(GOOD, inputs=(Input("q", WORDS, suggest=True),))])))
    with database.reading() as session:
        return Panel(find(session, "m-o"), Decision(True, Reason("allowed")), {"q": "something"})


def asked(panel, database, **answers):
    """The panel after the first click, for a merchant that answers this."""
    seller = Seller(**{"suggest": [], "quote": QUOTE, **answers})
    price(panel, database, merchants(m=seller), 1, Buyer("Acme"), asked=True)
    return panel


@pytest.fixture(autouse=True)
def _somebody(request):
    if "panel" not in request.fixturenames:
        return
    from portal import clock
    from portal.directory.accounts import Account

    with request.getfixturevalue("database").transaction() as session:
        session.add(Account(
            id=1, directory_id="1", dn="", login="l", name="", mail="", department="", cost_centre="", language="fr",
            groups=[], login_key="", manager="", groups_read_at=clock.now(), created_at=clock.now(),
        ))  # fmt: skip


def test_a_good_quote_is_a_price(panel, database):
    assert asked(panel, database).quote.gross_cents == 1200


def test_a_quote_of_nothing_is_free(panel, database):
    nothing = replace(QUOTE, net_cents=0, vat_cents=0, gross_cents=0, lines=())

    assert asked(panel, database, quote=nothing).quote.gross_cents == 0


@pytest.mark.parametrize("quote", [
    None, {}, "1200", replace(QUOTE, ref=""), replace(QUOTE, ref="x" * 300), replace(QUOTE, net_cents="1000"[:0] or "x"),
    replace(QUOTE, gross_cents=1201), replace(QUOTE, vat_cents=0, gross_cents=1000, lines=()), replace(QUOTE, currency="USD"),
    replace(QUOTE, expires_at="soon"),
    replace(QUOTE, expires_at=datetime(2030, 1, 1)), replace(QUOTE, lines=(QuoteLine("One", 999, 2000, 200),)),
    replace(QUOTE, lines="none"), replace(QUOTE, net_cents=-1000, vat_cents=-200, gross_cents=-1200), replace(QUOTE, subject=3),
    KeyError("price"), ZeroDivisionError(), ContractBroken("html"),
])  # fmt: skip
def test_a_quote_that_cannot_be_is_a_sentence_and_no_price(quote, panel, database):
    shown = asked(panel, database, quote=quote)

    assert shown.quote is None
    assert shown.refusal == Reason("merchant_broken", {"merchant": "Marchand"})


@pytest.mark.parametrize("units", [-1, 2**40])
def test_units_that_nobody_can_count_pay_nothing(units):
    with pytest.raises(ContractBroken, match="units"):
        check_quote(replace(QUOTE, net_cents=0, vat_cents=0, gross_cents=0, lines=(), units=units))


@pytest.mark.parametrize("found", [KeyError("x"), [None], ["text"], [Suggestion(1, [])], 7, Unavailable("down")])
def test_completions_that_cannot_be_are_none_and_the_price_comes_anyway(found, panel, database):
    shown = asked(panel, database, suggest=found)

    assert shown.found == {}
    assert shown.quote is not None


@pytest.mark.parametrize("answer", [
    Done(Document("application/pdf", "https://m.example/d", "d.pdf"), 1200, "r"), NotDone("price_changed", {}, QUOTE),
    Pending("r", 5, {"fr": "En cours"}, 40), Unknown("?"), QUOTE, GOOD,
])  # fmt: skip
def test_what_is_as_the_contract_says_stays_as_it_is(answer):
    assert checked(answer) == answer


def test_a_mistake_of_ours_around_a_connector_is_not_hidden():
    with pytest.raises(ContractBroken, match="KeyError"), asking("m"):
        raise KeyError("title")
    with pytest.raises(Unavailable), asking("m"):
        raise Unavailable("down")
    with pytest.raises(KeyboardInterrupt), asking("m"):
        raise KeyboardInterrupt
