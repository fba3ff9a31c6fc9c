"""What has been agreed to, what is not as agreed any more, and an administrator's word on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from connectors.contract import Removed, State
from connectors.merchants.registry import LoadedMerchant
from portal.audit import AuditEntry
from portal.catalog import changes, consent, facets
from portal.catalog.browsing import Wish, shelf
from portal.catalog.lists import ON_HOLD, Lists
from portal.catalog.offers import OfferRow, find, on_sale
from portal.catalog.runs import RunRow
from portal.refusals import Refused
from portal.rights.decision import Employee
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests.catalog.shelves import EVERYBODY, Shop, manifest, merchants, offer, put_on_sale

OFFERS = [offer(f"o{number}") for number in range(4)]
OTHER_RATE = {"vat_rate_bp": 550, "vat_cents": 55, "gross_cents": 1055}
FREE = {"net_cents": 0, "vat_cents": 0, "gross_cents": 0}
TEN_TIMES = {"net_cents": 10_000, "vat_cents": 2_000, "gross_cents": 12_000}
DEARER = {"net_cents": 5_000, "vat_cents": 1_000, "gross_cents": 6_000}


def ids(database):
    with database.reading() as session:
        assert facets.on_sale(session, "m") == len(on_sale(session))
        return [row.offer for row in on_sale(session)]


def waiting(database):
    with database.reading() as session:
        found = changes.listing(session)
        assert changes.waiting(session) == len([each for each in found if not each.refused_by])
        return found


def agree(database, change, answer=changes.agree):
    with database.transaction() as session:
        answer(session, "account 1", change)


def sell(database, *offers):
    [done] = put_on_sale(database, m=list(offers))
    assert done.problem == ""
    return done


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (OTHER_RATE, {"vat_rate_bp": (2000, 550)}),
        ({"currency": "USD"}, {"currency": ("EUR", "USD")}),
        ({"delivery": "access"}, {"delivery": ("document", "access")}),
        (FREE, {"gross_cents": (1200, 0)}),
        (TEN_TIMES, {"gross_cents": (1200, 12_000)}),
        ({"category": "press"}, {"category": (OFFERS[0].category, "press")}),
        ({"packs": ("ten",)}, {"packs": ([], ["ten"])}),
    ],
)
def test_another_way_of_pricing_waits_and_the_other_offers_stay(change, told, database):
    sell(database, *OFFERS)
    done = sell(database, replace(OFFERS[0], **change), *OFFERS[1:])
    assert (done.listed, done.held, done.removed) == (4, 1, 0)
    assert ids(database) == ["o1", "o2", "o3"]
    [found] = waiting(database)
    assert (found.subject, found.offers, found.is_merchant) == ("m/o0", 1, False)
    assert {each.name: (each.before, each.after) for each in found.differences} == told
    agree(database, found.change)
    assert ids(database) == ["o0", "o1", "o2", "o3"]
    assert waiting(database) == []
    assert sell(database, replace(OFFERS[0], **change), *OFFERS[1:]).held == 0
    assert sell(database, *OFFERS).held == (change not in (TEN_TIMES,)), (
        "and back is a change again, but for a price that falls"
    )


def test_packs_in_another_order_are_the_same_packs(database):
    sell(database, replace(OFFERS[0], packs=("ten", "fifty")), *OFFERS[1:])
    assert sell(database, replace(OFFERS[0], packs=("fifty", "ten")), *OFFERS[1:]).held == 0
    assert waiting(database) == []


def test_another_amount_is_no_other_way_of_pricing(database):
    sell(database, *OFFERS)
    assert sell(database, replace(OFFERS[0], **DEARER), *OFFERS[1:]).held == 0
    assert len(ids(database)) == 4


def test_what_was_agreed_stays_known_however_long_it_waits(database):
    sell(database, *OFFERS)
    dearer = replace(OFFERS[0], **OTHER_RATE)
    for _time in range(3):
        assert sell(database, dearer, *OFFERS[1:]).held == 1
    assert len(waiting(database)) == 1
    assert sell(database, *OFFERS).held == 0
    assert waiting(database) == []
    assert len(ids(database)) == 4


def test_taking_an_offer_away_for_a_while_is_no_way_around(database):
    sell(database, *OFFERS)
    dearer = replace(OFFERS[0], **OTHER_RATE)
    sell(database, *OFFERS[1:])
    assert sell(database, dearer, *OFFERS[1:]).held == 1
    sell(database, *OFFERS[1:])
    assert waiting(database) == []
    assert sell(database, dearer, *OFFERS[1:]).held == 1
    assert ids(database) == ["o1", "o2", "o3"]


def test_an_offer_on_hold_that_a_delta_takes_away_waits_no_more(database):
    answers = {
        "": [*OFFERS, State("1", more=False)],
        "1": [replace(OFFERS[0], **OTHER_RATE), State("2", more=False)],
        "2": [Removed("o0"), State("3", more=False)],
    }
    shop = Shop(answers.get)
    for expected in (0, 1, 0):
        put_on_sale(database, m=shop)
        assert len(waiting(database)) == expected
    assert ids(database) == ["o1", "o2", "o3"]


def test_what_differs_in_the_same_way_is_answered_at_once(database):
    many = [offer(f"o{number}") for number in range(700)]
    sell(database, *many)
    sell(database, *(replace(each, **OTHER_RATE) for each in many[:600]), *many[600:])
    [found] = waiting(database)
    assert (found.offers, len(found.examples), found.subject) == (600, changes.EXAMPLES, "m")
    agree(database, found.change)
    assert len(ids(database)) == 700
    with database.reading() as session:
        [entry] = session.scalars(select(AuditEntry).where(AuditEntry.action == "change_agreed"))
    assert (entry.actor, entry.before, entry.after) == (
        "account 1", {"vat_rate_bp": 2000}, {"vat_rate_bp": 550, "offers": 600},
    )  # fmt: skip


def test_what_is_refused_stays_on_hold_and_waits_for_no_word(database):
    sell(database, *OFFERS)
    sell(database, replace(OFFERS[0], **OTHER_RATE), *OFFERS[1:])
    [found] = waiting(database)
    agree(database, found.change, changes.refuse)
    sell(database, replace(OFFERS[0], **OTHER_RATE), *OFFERS[1:])
    [refused] = waiting(database)
    assert (refused.change, refused.refused_by) == (found.change, "account 1")
    assert ids(database) == ["o1", "o2", "o3"]
    sell(database, replace(OFFERS[0], currency="USD"), *OFFERS[1:])
    [another] = waiting(database)
    assert another.refused_by == ""


def test_a_word_on_what_has_changed_again_is_refused(database):
    sell(database, *OFFERS)
    sell(database, replace(OFFERS[0], **OTHER_RATE), *OFFERS[1:])
    [found] = waiting(database)
    sell(database, replace(OFFERS[0], currency="USD"), *OFFERS[1:])
    with pytest.raises(Refused, match="change_gone"):
        agree(database, found.change)
    assert ids(database) == ["o1", "o2", "o3"]


def test_what_is_on_hold_is_found_by_its_address_and_by_no_search(database):
    with database.transaction() as session:
        add_rule(session, "test", EVERYBODY, Scope("all"), "buy", "allow")
    sell(database, offer("press", "Journal"), offer("other", "Revue"))
    sell(database, offer("press", "Journal", **{}), offer("other", "Revue"))
    held = replace(offer("press", "Journal"), currency="USD")
    sell(database, held, offer("other", "Revue"))
    with database.reading() as session:
        seen = shelf(session, Employee(1, frozenset({EVERYBODY.key})), Wish(text="journal"))
        assert (seen.cards, seen.found) == ([], 0)
        row = find(session, "m-press")
        assert row is not None
        assert consent.obstacle(session, row).code == "offer_on_hold"
    [found] = waiting(database)
    agree(database, found.change)
    with database.reading() as session:
        assert shelf(session, Employee(1, frozenset({EVERYBODY.key})), Wish(text="journal")).found == 1


# --- who sells


def shop(database, hosts=(), **seller):
    """What reads the list of one merchant who is as told."""
    made = merchants(m=OFFERS)
    made.loaded["m"] = LoadedMerchant(manifest(**seller), made.loaded["m"].connector, hosts)
    return made.loaded["m"], Lists(database, made, lambda _key: None)


def read(lists):
    return lists.now("m", lambda *_told: None)


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Autre"}, {"siren": "732829320"}, {"vat": "FR44732829320"}, {"country": "BE"},
        {"terms_url": "https://m.example/autres"}, {"hosts": ("api.autre.example",)},
    ],
)  # fmt: skip
def test_a_merchant_who_is_somebody_else_is_on_hold_with_all_he_sells(other, database, monkeypatch):
    monkeypatch.setattr(Lists, "_plan", lambda *_told: None)
    known = {"hosts": ("api.m.example",)}
    _merchant, lists = shop(database, **known)
    assert read(lists).problem == ""
    assert len(ids(database)) == 4
    somebody, after = shop(database, **known | other)
    asked = somebody.connector.asked
    assert read(after).problem == ON_HOLD
    assert asked == [], "whoever is somebody else is not even asked"
    assert ids(database) == []
    [found] = waiting(database)
    assert (found.is_merchant, found.offers, [each.name for each in found.differences]) == (True, 4, [*other])
    with database.reading() as session, pytest.raises(Refused, match="merchant_on_hold"):
        consent.require(session, somebody, find(session, "m-o0"))
    agree(database, found.change)
    assert len(ids(database)) == 4
    with database.reading() as session:
        consent.require(session, somebody, find(session, "m-o0"))
        assert session.get(RunRow, "m").next_at is not None, "the worker reads him at once"
    assert read(after).problem == ""


def test_who_is_himself_again_is_on_sale_again(database, monkeypatch):
    monkeypatch.setattr(Lists, "_plan", lambda *_told: None)
    read(shop(database)[1])
    other, lists = shop(database, name="Autre")
    read(lists)
    assert ids(database) == []
    same, lists = shop(database)
    assert not consent.notice(database, "m", same)
    assert len(ids(database)) == 4
    assert waiting(database) == []
    # A process that has already loaded another manifest knows by itself.
    with database.reading() as session, pytest.raises(Refused, match="merchant_on_hold"):
        consent.require(session, other, find(session, "m-o0"))


def test_an_offer_on_hold_stays_so_when_its_merchant_comes_back(database, monkeypatch):
    monkeypatch.setattr(Lists, "_plan", lambda *_told: None)
    read(shop(database)[1])
    sell(database, replace(OFFERS[0], **OTHER_RATE), *OFFERS[1:])
    _other, lists = shop(database, name="Autre")
    read(lists)
    merchant, of_offer = waiting(database)
    agree(database, of_offer.change)
    assert ids(database) == [], "its merchant is still on hold"
    agree(database, merchant.change)
    assert len(ids(database)) == 4


def test_whoever_reads_the_list_of_somebody_else_puts_nothing_on_sale(database, monkeypatch):
    monkeypatch.setattr(Lists, "_plan", lambda *_told: None)
    read(shop(database)[1])
    _other, lists = shop(database, name="Autre")
    read(lists)
    sell(database, *OFFERS, offer("new"))
    assert ids(database) == []
    [found] = waiting(database)
    assert found.offers == 5
    agree(database, found.change)
    assert len(ids(database)) == 5


def test_nothing_is_written_by_whoever_reads_a_merchant_as_he_was(database, monkeypatch):
    monkeypatch.setattr(Lists, "_plan", lambda *_told: None)
    read(shop(database)[1])
    other, _lists = shop(database, name="Autre")

    def listed(_state):
        yield OFFERS[0]
        consent.notice(database, "m", other)
        yield from OFFERS[1:]

    [done] = put_on_sale(database, m=Shop(listed))
    assert "another reading" in done.problem
    assert ids(database) == []


def test_ports_of_this_machine_are_nobodys(database):
    one, _lists = shop(database, hosts=("127.0.0.1:8001",))
    other, _lists = shop(database, hosts=("127.0.0.1:9001",))
    assert consent.identity(one) == consent.identity(other)
    assert consent.identity(shop(database, hosts=("m.example:8443",))[0])["hosts"] == ["m.example:8443"]


def test_what_was_on_sale_before_agreements_were_kept_is_agreed_as_it_is_listed_next(database):
    sell(database, *OFFERS)
    with database.transaction() as session:
        session.execute(update(OfferRow).values(run=0))
    others = [replace(each, **OTHER_RATE) for each in OFFERS]
    assert sell(database, *others).held == 0
    assert sell(database, *OFFERS).held == 4


def test_who_connects_a_merchant_anew_agrees_to_who_he_is(database, monkeypatch):
    monkeypatch.setattr(Lists, "_plan", lambda *_told: None)
    read(shop(database)[1])
    _other, lists = shop(database, name="Autre")
    read(lists)
    assert ids(database) == []
    with database.transaction() as session:
        consent.forget(session, "m")
    assert len(ids(database)) == 4
    assert read(lists).problem == ""
    assert waiting(database) == []


def test_rows_of_before_are_agreed_as_they_stand():
    assert consent.differences({"currency": "EUR", "pricing": None}, {"currency": "EUR", "pricing": "pack"}) == []
    assert [each.name for each in consent.differences({"currency": "EUR"}, {"currency": "USD", "units": 3})] == [
        "currency"
    ]


def test_one_row_of_each_offer(database):
    sell(database, *OFFERS)
    sell(database, *(replace(each, currency="USD") for each in OFFERS))
    with database.reading() as session:
        assert len(session.scalars(select(OfferRow)).all()) == 4
