"""A clock that was two days ahead and is set right: what it wrote holds up nothing, and hides nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from connectors.contract import NotFound, OperatorCharge, Unavailable, Unknown
from portal import breakers, clock
from portal.audit import AuditEntry
from portal.billing import turns
from portal.breakers import THRESHOLD, Breakers
from tests.checkout.world import START, World, made_database

AHEAD = timedelta(days=2)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return made_database(tmp_path_factory.mktemp("template") / "portal.db")


@pytest.fixture
def world(template, tmp_path):
    made = World(template, tmp_path)
    yield made
    made.close()


def test_a_breaker_does_not_stay_open(world):
    world.at = START + AHEAD
    ahead = Breakers(world.database).of("operator")
    for _time in range(THRESHOLD):
        ahead.failed("down")
    with pytest.raises(Unavailable):
        Breakers(world.database).of("operator").before()

    world.at = START
    Breakers(world.database).of("operator").before()
    world.pass_time(breakers.PROBE_S + 1)
    with world.database.reading() as session:
        seen = breakers.look(session)
    assert (seen.away, seen.trying) == (frozenset(), frozenset({"operator"}))


def test_a_turn_is_taken_again(world):
    world.at = START + AHEAD
    turn = turns.take(world.database, "recovery", "one")
    turn.reach(clock.now())
    turn.end(done=True)
    world.at = START + timedelta(minutes=20)
    assert turns.take(world.database, "recovery", "two", done_before=clock.now() - timedelta(minutes=5))


def test_a_turn_of_somebody_who_died_ahead_is_free(world):
    world.at = START + AHEAD
    assert turns.take(world.database, "recovery", "one")
    world.at = START + timedelta(minutes=20)
    assert turns.take(world.database, "recovery", "two")


def test_a_payment_that_came_meanwhile_is_seen(world):
    world.recover()
    world.at = START + AHEAD + timedelta(minutes=6)
    world.recover()
    world.operator.book["x"] = OperatorCharge(
        "op-x", "x", "G-XXXXX", "captured", 1200, "EUR", START + timedelta(minutes=20)
    )  # fmt: skip
    world.at = START + timedelta(minutes=60)
    world.recover()
    with world.database.reading() as session:
        assert session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "payment_unknown")).all() == [
            "G-XXXXX"
        ]


def test_a_reservation_made_before_it_was_sent_is_found_and_given_back(world):
    """By our clock it was sent an hour after the operator made it; the round must not believe it absent."""
    world.at = START + timedelta(hours=1)
    world.operator.faults.coming.append("lost_after")
    world.confirm(world.ask_price(1, 1000), 1)
    ((key, paid),) = world.operator.book.items()
    world.operator.book[key] = replace(paid, created_at=START)
    world.at = START + timedelta(minutes=1)
    world.operator.find = lambda _key, _since: Unknown("no answer")
    while world.at < START + timedelta(minutes=85):
        while world.work():
            pass
        world.pass_time(120)

    world.operator.find = lambda asked, _since: world.operator.book.get(asked, NotFound())
    world.recover()
    world.settle()
    assert world.operator.book[key].state == "voided"
