"""Choosing an operator at the moment of a purchase or a refund, where writers go on together: PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from portal.billing import charges
from portal.billing.charges import Billable
from portal.database import Database, one_at_a_time
from tests.billing.test_operators import a_charge_opening, a_refund_opening, choosing_meanwhile, hammer, process

WAITING = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
               "(SELECT oid FROM pg_database WHERE datname = current_database())")  # fmt: skip


@pytest.fixture
def database(postgres, migrated) -> Iterator[Database]:
    """Tables with nothing in them."""
    made = Database(postgres.url(postgres.make(migrated)))
    yield made
    made.close()


def until_somebody_waits(database: Database) -> None:
    """Until another transaction stands before a lock."""
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        with database.engine.connect() as connection:
            if connection.execute(WAITING).scalar_one():
                return
        time.sleep(0.01)
    raise AssertionError("nobody waited")


@pytest.mark.parametrize("opening", [a_charge_opening, a_refund_opening])
def test_whoever_chooses_waits_for_what_is_opening_and_is_then_refused(opening, database):
    assert choosing_meanwhile(database, opening, lambda: until_somebody_waits(database)) == "operator_busy"


def test_a_purchase_waits_for_whoever_is_choosing_and_goes_to_the_new_operator(database):
    operators = process(database)

    def buy() -> str:
        with database.transaction() as session:
            charges.open_charge(session, Billable("G-1", 1200, 200, "EUR", "d", "M", "m", "legal", "o", "4711"))
            return operators.in_force(session).adapter.identity

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            one_at_a_time(session.connection(), "operator")
            bought = pool.submit(buy)
            until_somebody_waits(database)
            operators._replace(session, "account 1", "free", "free/camara")
        assert bought.result() == "free/camara"


def test_purchases_open_beside_each_other(database):
    with a_charge_opening(database), database.transaction() as session:
        charges.open_charge(session, Billable("G-2", 1200, 200, "EUR", "d", "M", "m", "legal", "o", "4711"))


def test_no_charge_changes_its_operator_whatever_is_chosen_meanwhile(database):
    astray, chosen = hammer(database)

    assert astray == []
    assert chosen
