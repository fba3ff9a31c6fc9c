"""Lists that a worker reads by itself: when, whose turn it is, and that nobody who hangs delays another."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from connectors.contract import State, Unavailable
from portal import clock
from portal.billing import turns
from portal.billing.rounds import Round, start_rounds
from portal.catalog import lists
from portal.catalog.lists import Lists
from portal.catalog.offers import on_sale
from portal.catalog.runs import RunRow
from portal.catalog.synchronisation import BATCH, Synchronised
from tests.catalog.shelves import Shop, merchants, offer

HOUR = timedelta(hours=1)


@pytest.fixture
def reading(database):
    """Makes what reads lists; whatever still reads at the end is stopped."""
    made = []

    def make(every=HOUR, **shops):
        made.append(Lists(database, merchants(**shops), lambda _key: every))
        return made[-1]

    yield make
    for each in made:
        each.end()


def until(condition, seconds=60.0):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def read_by(each):
    """One look, and everything it began is over."""
    each.look()
    for thread in list(each._readings.values()):
        thread.join(60)
        assert not thread.is_alive()


def run_of(database, key="m"):
    with database.reading() as session:
        return session.get(RunRow, key)


def count(database):
    with database.reading() as session:
        return len(on_sale(session))


def test_a_first_look_reads_everything_and_the_next_nothing(database, reading):
    shops = {"m": Shop([offer("a")]), "n": Shop([offer("b")])}
    each = reading(**shops)
    read_by(each)
    read_by(each)
    assert count(database) == 2
    assert [shop.asked for shop in shops.values()] == [[""], [""]]


def test_each_list_is_read_again_after_its_interval_and_not_all_at_one_moment(database, reading):
    shops = {f"m{number}": Shop([offer("a")]) for number in range(12)}
    each = reading(**shops)
    with time_machine.travel(clock.now(), tick=False) as now:
        begun = clock.now()
        read_by(each)
        with database.reading() as session:
            waits = [(at - begun) / HOUR for at in session.scalars(select(RunRow.next_at))]
        assert all(1 - lists.SPREAD <= wait <= 1 + lists.SPREAD for wait in waits)
        assert len(set(waits)) == 12
        now.shift(HOUR * (1 - lists.SPREAD) - timedelta(seconds=1))
        read_by(each)
        assert {len(shop.asked) for shop in shops.values()} == {1}
        now.shift(HOUR * 2 * lists.SPREAD + timedelta(seconds=2))
        read_by(each)
        assert {len(shop.asked) for shop in shops.values()} == {2}


def test_a_merchant_that_is_down_keeps_its_offers_and_is_asked_ever_later(database, reading):
    def down(state):
        raise Unavailable("no answer")

    shop = Shop([offer("a")])
    each = reading(m=shop)
    with time_machine.travel(clock.now(), tick=False) as now:
        read_by(each)
        good = run_of(database).good_at
        shop.listed = down
        waits = []
        for _time in range(8):
            now.move_to(run_of(database).next_at or clock.now() + 2 * HOUR)
            read_by(each)
            waits.append((run_of(database).next_at - clock.now()) / lists.FIRST_WAIT)
        assert count(database) == 1
        row = run_of(database)
        assert (row.failures, row.problem, row.good_at) == (8, "no answer", good)
        for wait, expected in zip(waits, [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
            assert 1 - lists.SPREAD <= wait / expected <= 1 + lists.SPREAD
        shop.listed = [offer("a"), offer("b")]
        now.move_to(row.next_at)
        read_by(each)
        assert count(database) == 2
        assert (run_of(database).failures, run_of(database).problem) == (0, "")


def test_one_that_hangs_delays_no_other(database, reading):
    let_go = threading.Event()

    def hangs(_state):
        yield offer("first")
        let_go.wait(120)

    each = reading(a=Shop(hangs), **{f"m{number}": [offer("x")] for number in range(14)})
    each.look()
    until(lambda: count(database) == 14)
    each.look()  # nor is it begun a second time
    until(lambda: [thread.name for thread in each._readings.values() if thread.is_alive()] == ["list a"])
    let_go.set()
    until(lambda: count(database) == 15)


def test_one_process_at_a_time(database, reading):
    begun, let_go = threading.Event(), threading.Event()
    at_once, most = [0], [0]

    def listed(_state):
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        begun.set()
        let_go.wait(120)
        yield offer("a")
        at_once[0] -= 1

    shop = Shop(listed)
    one, other = reading(m=shop), reading(m=shop)
    one.look()
    assert begun.wait(60)
    read_by(other)
    assert [each.is_read_now for each in one.standing()] == [True]
    let_go.set()
    until(lambda: count(database) == 1)
    until(lambda: not one.standing()[0].is_read_now)
    read_by(other)
    assert (shop.asked, most) == ([""], [1])


def test_what_a_killed_worker_was_at_is_taken_up_after_its_lease(database, reading):
    assert turns.take(database, "list m", "a worker that was killed")
    each = reading(m=[offer("a")])
    read_by(each)
    assert count(database) == 0
    with time_machine.travel(clock.now() + timedelta(seconds=turns.LEASE_S + 1)):
        read_by(each)
    assert count(database) == 1


def test_a_person_waits_for_the_worker_and_then_reads_anew(database, reading, monkeypatch):
    monkeypatch.setattr(lists, "ASK_S", 0.01)
    begun, let_go, waited = threading.Event(), threading.Event(), threading.Event()

    def listed(_state):
        begun.set()
        let_go.wait(120)
        yield offer("a")

    shop = Shop(listed)
    worker, person = reading(m=shop), reading(m=shop)
    worker.look()
    assert begun.wait(60)
    found = []
    asking = threading.Thread(target=lambda: found.append(person.now("m", lambda *_told: None, waited.set)))
    asking.start()
    assert waited.wait(60)
    assert not found
    let_go.set()
    asking.join(60)
    assert found == [Synchronised("m", listed=1)]
    assert shop.asked == ["", ""]


def test_a_person_is_told_that_a_worker_takes_too_long(database, reading, monkeypatch):
    monkeypatch.setattr(lists, "WAIT_S", 0.0)
    turns.take(database, "list m", "a worker")
    assert reading(m=[offer("a")]).now("m", lambda *_told: None).problem == lists.BUSY


def test_a_worker_that_is_to_end_stops_at_the_next_offer_and_goes_on_later(database, reading):
    passed, end = threading.Event(), threading.Event()

    def listed(state):
        first = int(state or 0)
        for number in range(first, 3 * BATCH):
            if number == BATCH + 5:
                passed.set()
                end.wait(120)
            yield offer(f"o{number:05}")
            if number == BATCH - 1:
                yield State(str(BATCH))

    shop = Shop(listed)
    each, stop = reading(m=shop), threading.Event()
    threads = start_rounds([Round("lists", 0.01, each.look, each.end)], stop)
    assert passed.wait(60)
    stop.set()
    until(each._stop.is_set)
    end.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert count(database) == BATCH
    assert run_of(database).failures == 0
    assert not each.standing()[0].is_read_now
    read_by(reading(m=shop))
    assert shop.asked == ["", str(BATCH)]
    assert count(database) == 3 * BATCH


def test_a_worker_does_not_wait_for_one_that_hangs(database, reading, monkeypatch):
    monkeypatch.setattr(lists, "GRACE_S", 0.2)
    begun, let_go = threading.Event(), threading.Event()

    def hangs(_state):
        begun.set()
        let_go.wait(120)
        yield offer("late")

    each = reading(m=Shop(hangs))
    each.look()
    assert begun.wait(60)
    each.end()
    assert [thread.is_alive() for thread in each._readings.values()] == [True]
    assert not each.standing()[0].is_read_now
    let_go.set()
    for thread in each._readings.values():
        thread.join(60)
    assert count(database) == 0


def test_a_clock_that_was_set_back_makes_no_list_wait(database, reading):
    shop = Shop([offer("a")])
    with time_machine.travel(clock.now() + timedelta(days=30)):
        read_by(reading(m=shop))
    read_by(reading(m=shop))
    assert len(shop.asked) == 2


def test_what_was_refused_is_kept_for_whoever_looks_later(database, reading):
    each = reading(m=[offer("a"), offer("a"), offer("bad id")])
    read_by(each)
    [standing] = each.standing()
    assert (standing.offers, standing.refused, standing.problem) == (1, 2, "")
    assert standing.refusals[0] == "a: it is listed twice; the first stands"
    assert standing.read_at <= clock.now() < standing.next_at
