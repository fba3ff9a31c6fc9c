"""Lists of any length: stored as they come, gone on with where they were interrupted, and only what has changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from connectors.contract import ContractBroken, Removed, State, Unavailable, Unfit
from portal.catalog import runs, synchronisation
from portal.catalog.offers import OfferRow, on_sale
from portal.catalog.synchronisation import BATCH, synchronise
from tests.catalog.shelves import Shop, merchants, offer, put_on_sale

OFFERS = [offer(f"o{number}") for number in range(5)]


def ids(database) -> list[str]:
    with database.reading() as session:
        return [row.offer for row in on_sale(session)]


def test_a_list_that_breaks_off_goes_on_at_its_checkpoint(database):
    def listed(state):
        if state:
            return iter([*OFFERS[3:]])
        return broken_off()

    def broken_off():
        yield from OFFERS[:3]
        yield State("after-3")
        yield OFFERS[3]
        raise Unavailable("down")

    shop = Shop(listed)
    put_on_sale(database, m=[offer("old")])
    [first] = synchronise(database, merchants(m=shop))
    assert (first.listed, bool(first.problem)) == (3, True)
    assert set(ids(database)) == {"old", "o0", "o1", "o2"}
    [second] = synchronise(database, merchants(m=shop))
    assert (second.listed, second.problem, second.removed) == (5, "", 1)
    assert ids(database) == ["o0", "o1", "o2", "o3", "o4"]
    assert shop.asked == ["", "after-3"]


def test_what_is_listed_later_is_only_what_has_changed(database):
    answers = {
        "": [*OFFERS, State("1", more=False)],
        "1": [Removed("o1"), replace(OFFERS[0], delay={"fr": "le jour même"}), offer("new"), State("2", more=False)],
        "2": [State("2", more=False)],
    }
    shop = Shop(answers.get)
    for expected in ((5, 0), (2, 1), (0, 0)):
        [done] = synchronise(database, merchants(m=shop))
        assert ((done.listed, done.removed), done.problem) == (expected, "")
    assert shop.asked == ["", "1", "2"]
    assert ids(database) == ["o0", "o2", "o3", "o4", "new"]
    with database.reading() as session:
        assert session.scalars(select(OfferRow.delay).where(OfferRow.offer == "o0")).one() == {"fr": "le jour même"}


def test_a_cursor_that_is_no_longer_understood_is_given_up(database):
    def listed(state):
        if state:
            raise ContractBroken("what cursor?")
        return [*OFFERS, State("1", more=False)]

    shop = Shop(listed)
    assert [synchronise(database, merchants(m=shop))[0].problem for _time in range(3)] == ["", "what cursor?", ""]
    assert shop.asked == ["", "1", ""]
    assert len(ids(database)) == 5


def test_what_cannot_be_sold_here_is_reported_in_the_connectors_words(database):
    [done] = put_on_sale(database, m=[OFFERS[0], Unfit("mug", "a thing that is shipped")])
    assert (done.listed, done.refused) == (1, ("mug: a thing that is shipped",))


def test_the_last_word_about_an_offer_counts(database):
    answers = {
        "": [*OFFERS[:2], State("1", more=False)],
        "1": [Removed("o0"), OFFERS[0], OFFERS[2], Removed("o2"), State("2", more=False)],
    }
    shop = Shop(answers.get)
    for _time in range(2):
        synchronise(database, merchants(m=shop))
    assert set(ids(database)) == {"o0", "o1"}


@pytest.mark.parametrize(
    "bad",
    [
        replace(OFFERS[0], title={"fr": "\ud800"}), replace(OFFERS[0], delay={"fr": "\ud800"}),
        replace(OFFERS[0], keywords="\ud800"), replace(OFFERS[0], summary={"fr": "mot " * 1000}),
    ],
)  # fmt: skip
def test_what_nobody_can_keep_is_refused_alone(bad, database):
    first, second = put_on_sale(database, m=[bad, OFFERS[1]], n=[OFFERS[2]])
    assert (first.listed, len(first.refused), first.problem) == (1, 1, "")
    assert (second.listed, second.problem) == (1, "")


@pytest.mark.parametrize("bad", [Removed("\ud800"), State("\ud800"), Unfit("\ud800", "why")])
def test_a_list_that_breaks_the_contract_stops_no_other(bad, database):
    first, second = put_on_sale(database, m=[OFFERS[0], bad], n=[OFFERS[2]])
    assert first.problem or first.refused
    assert (second.listed, second.problem) == (1, "")


def test_an_empty_list_withdraws_nothing(database):
    put_on_sale(database, m=OFFERS)
    [done] = put_on_sale(database, m=[])
    assert "what was on sale stays" in done.problem
    assert len(ids(database)) == 5
    [none] = put_on_sale(database, n=[])
    assert none.problem == ""


def test_a_long_list_is_stored_as_it_comes_and_in_its_order(database):
    count = 2 * BATCH + 7
    told = []
    synchronise(
        database, merchants(m=(offer(f"o{number:05}") for number in range(count))),
        progress=lambda merchant, read: told.append((merchant, read)),
    )  # fmt: skip
    assert ids(database) == [f"o{number:05}" for number in range(count)]
    assert told == [("m", BATCH), ("m", 2 * BATCH), ("m", count)]


def test_two_readings_of_one_list_the_later_one_counts(database):
    inner = []

    def listed(_state):
        yield from OFFERS[:2]
        if not inner:
            inner.append("begun")
            inner.append(put_on_sale(database, m=OFFERS)[0])
        yield from OFFERS[2:4]

    [outer] = synchronise(database, merchants(m=Shop(listed)))
    assert "another reading" in outer.problem
    assert (inner[1].listed, inner[1].problem) == (5, "")
    assert len(ids(database)) == 5


def test_a_list_without_end_ends(database, monkeypatch):
    monkeypatch.setattr(synchronisation, "MOST_OFFERS", 20)

    def endless(_state):
        number = 0
        while True:
            yield offer(f"o{number}")
            number += 1

    [done] = synchronise(database, merchants(m=Shop(endless)))
    assert "longer than" in done.problem


def test_nothing_is_written_under_a_reading_that_was_overtaken(database):
    with database.transaction() as session:
        first = runs.begin(session, "m")
    with database.transaction() as session:
        runs.begin(session, "m")
    with pytest.raises(runs.Superseded), database.transaction() as session:
        runs.end(session, first, "")
