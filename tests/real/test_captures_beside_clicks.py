"""Captures in groups and second clicks take the counters of ceilings in one order, so that neither waits for the other: PostgreSQL."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal import clock
from portal.database import Database
from portal.directory.answers import Group
from portal.rights import holds
from portal.rights.ceilings import Ceiling, Price, Terms, add_ceiling
from portal.rights.scopes import Scope
from tests.checkout.world import START, ZONE, furnish

SECONDS = 3
PRICE = Price(100, 120)


@pytest.fixture
def database(postgres):
    made = Database(postgres.url(postgres.furnished(furnish)))
    yield made
    made.close()


def test_neither_locks_the_other_out(database, monkeypatch):
    """A week that turned gives the older ceiling the younger counter."""
    at = [START]
    monkeypatch.setattr(clock, "now", lambda: at[0])
    with database.transaction() as session:
        session.get_one(Ceiling, 1).limit_cents = 10**8
        terms = Terms("shared", Scope("all"), "month", 10**8)
        add_ceiling(session, "test", Group("cn=buyers,dc=acme,dc=example"), terms)
    hold(database, "G-0")
    at[0] = START + timedelta(days=7)
    held, done, wrong = ["G-0"], [0, 0], list[Exception]()
    ends = time.monotonic() + SECONDS

    def click(name: int) -> None:
        number = 0
        while (time.monotonic() < ends or not number) and not wrong:
            number += 1
            try:
                hold(database, f"G-{name}-{number}")
            except Exception as error:
                wrong.append(error)
            held.append(f"G-{name}-{number}")
            done[0] += 1

    def capture() -> None:
        while (time.monotonic() < ends or not done[1]) and not wrong:
            some = [held.pop() for _ in range(min(20, len(held)))]
            try:
                with database.transaction() as session:
                    holds.capture_many(session, some)
            except Exception as error:
                wrong.append(error)
            done[1] += bool(some)

    threads = [threading.Thread(target=click, args=(name,)) for name in (1, 2)] + [threading.Thread(target=capture)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert min(done) > 0


def hold(database: Database, number: str) -> None:
    with database.transaction() as session:
        both = list(session.scalars(select(Ceiling).order_by(Ceiling.id)))
        holds.hold(session, both, 1, number, PRICE, ZONE)
