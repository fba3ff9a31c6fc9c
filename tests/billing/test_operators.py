"""The operator in force, and the rule that a charge ends where it was reserved, whoever chooses what meanwhile."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from connectors.operators.profiles import load_profile
from portal.billing import charges, operator_choice, refunds
from portal.billing.charges import Billable, Charge
from portal.billing.operators import EarlierOperator, Operators
from portal.database import Database
from portal.refusals import Refused
from tests.billing.test_ledger import charge_that, move

BUYERS, EACH = 3, 12


@pytest.fixture
def database(tmp_path, ready_database) -> Iterator[Database]:
    made = Database(f"sqlite:///{shutil.copy(ready_database, tmp_path)}")
    yield made
    made.close()


def process(database: Database, configured: str = "orange", **how: bool) -> Operators:
    """What one process has of it; its operators answer nothing."""
    return Operators(
        database, configured,
        lambda name: SimpleNamespace(
            identity=f"{load_profile(name).key}/camara", files=None, check=lambda: [], close=lambda: None
        ), **how,
    )  # fmt: skip


def stamp(database: Database, identity: str, number: str = "G-1") -> None:
    with database.transaction() as session:
        session.execute(update(Charge).where(Charge.order_number == number).values(operator=identity, operator_ref="x"))


def refused(choose: Callable[[], object]) -> str:
    try:
        choose()
    except Refused as why:
        return why.reason.code
    return ""


def test_the_choice_wins_over_the_file_until_it_is_taken_back_and_the_environment_over_all(database):
    one, other, pinned = process(database), process(database, "sfr"), process(database, "free", pinned=True)
    said = [(each.current().adapter.identity, each.current().source) for each in (one, other, pinned)]
    assert said == [("orange/camara", "file"), ("sfr/camara", "file"), ("free/camara", "environment")]
    one.choose("account 1", "alice")
    said = [(each.current().profile, each.current().source) for each in (one, other, pinned)]
    assert said == [("alice", "screen"), ("alice", "screen"), ("free", "environment")]
    other.choose("account 1", "")

    assert [each.current().profile for each in (one, other, pinned)] == ["orange", "sfr", "free"]
    assert refused(lambda: pinned.choose("account 1", "orange")) == "operator_pinned"
    assert refused(lambda: one.choose("account 1", "minitel")) == "operator_unknown"


@pytest.mark.parametrize(("events", "stays"), [
    ("", True), ("reserved", True), ("reserved doubted", True), ("reserved captured doubted", True),
    ("reserved captured refund_asked", True), ("reserved captured", False), ("voided", False),
    ("reserved doubted written_off", False),
])  # fmt: skip
def test_what_is_open_keeps_its_operator(events, stays, database):
    charge_that(database, *events.split())
    operators = process(database)

    assert refused(lambda: operators.choose("account 1", "free")) == ("operator_busy" if stays else "")
    assert operators.current().profile == ("orange" if stays else "free")


def test_another_name_of_the_same_operator_can_be_chosen_at_any_time(database):
    operators = process(database, "sfr")
    charge_that(database, "reserved")
    stamp(database, "sfr/camara")

    operators.choose("account 1", "aol")
    assert operators.current().profile == "aol"


def test_the_way_back_to_the_operator_of_what_is_open_is_free(database):
    charge_that(database, "reserved")
    stamp(database, "orange/camara")
    changed = process(database, "free")
    with pytest.raises(EarlierOperator):
        changed.of_order("G-1")
    with database.reading() as session:
        [left] = operator_choice.elsewhere(session, "free/camara")
    assert (left.operator, left.count, left.cents) == ("orange/camara", 1, 1200)

    assert refused(lambda: changed.choose("account 1", "sfr")) == "operator_busy"
    changed.choose("account 1", "orange")
    assert changed.of_order("G-1").identity == "orange/camara"


def test_charges_of_before_are_noted_for_the_operator_that_is_left(database):
    charge_that(database, "reserved", "captured")
    charge_that(database, "voided", number="G-2")
    stamp(database, "")
    operators = process(database)
    operators.choose("account 1", "free")

    with database.reading() as session:
        assert dict(session.execute(select(Charge.order_number, Charge.operator)).all()) == {
            "G-1": "orange/camara", "G-2": "",
        }  # fmt: skip
    with database.transaction() as session, pytest.raises(Refused, match="operator_earlier"):
        operators.require(session, charges.of_order(session, "G-1"))


def test_a_profile_that_has_gone_is_named_and_another_can_be_chosen(database):
    with database.transaction() as session:
        operator_choice.write(session, "minitel", "account 1")
    operators = process(database)
    with pytest.raises(Exception, match="minitel"):
        operators.current()
    operators.choose("account 1", "free")

    assert operators.current().profile == "free"


# --- Races: also on PostgreSQL, in tests/real/test_operator_choice.py ---------------------------------


@contextmanager
def a_charge_opening(database: Database) -> Iterator[None]:
    """A purchase is being accepted, and not committed yet."""
    with database.transaction() as session:
        charges.open_charge(session, Billable("G-1", 1200, 200, "EUR", "d", "M", "m", "legal", "o", "4711"))
        session.flush()
        yield


@contextmanager
def a_refund_opening(database: Database) -> Iterator[None]:
    """A refund of a charge that was captured is being asked for, and not committed yet."""
    charge_that(database, "reserved", "captured")
    stamp(database, "orange/camara")
    with database.transaction() as session:
        charge = charges.of_order(session, "G-1")
        process(database).require(session, charge)
        refunds.ask(session, "account 1", charge, None, "broken")
        session.flush()
        yield


def choosing_meanwhile(
    database: Database,
    opening: Callable[[Database], contextmanager],
    waits: Callable[[], None],
) -> str:
    """Choose another operator while something is opening; why it was refused."""
    with ThreadPoolExecutor(1) as pool:
        with opening(database):
            choice = pool.submit(lambda: refused(lambda: process(database).choose("account 1", "free")))
            waits()
        return choice.result()


def hammer(database: Database) -> tuple[list[str], int]:
    """Buyers open and end charges while an administrator changes his mind; what was astray, and how often he did.

    Now and then all buyers rest until he has chosen once more, so that he does whatever the machine is busy with.
    """
    astray: list[str] = []
    done, chosen, resting = threading.Event(), [0], threading.Barrier(BUYERS)

    def rest() -> None:
        resting.wait()
        before = chosen[0]
        resting.wait()
        while chosen[0] == before and not done.is_set():
            time.sleep(0.005)

    def buy(buyer: int) -> None:
        operators = process(database)
        for each in range(EACH):
            number = f"G-{buyer}-{each}"
            charge_that(database, number=number)
            at = operators.of_order(number).identity
            stamp(database, at, number)
            for event in ("reserved", "voided"):
                try:
                    operators.of_order(number)
                except EarlierOperator as error:
                    astray.append(f"{number} {event}: {error}")
                move(database, event, number)
            if each % 5 == 0:
                rest()

    with ThreadPoolExecutor(BUYERS + 1) as pool:
        admin = process(database)

        def change() -> None:
            while not done.is_set():
                chosen[0] += not refused(partial(admin.choose, "account 1", "free" if chosen[0] % 2 else "sfr"))

        changing = pool.submit(change)
        buyers = [pool.submit(buy, number) for number in range(BUYERS)]
        try:
            for each in buyers:
                each.result()
        finally:
            done.set()
        changing.result()
    return astray, chosen[0]


@pytest.mark.parametrize("opening", [a_charge_opening, a_refund_opening])
def test_what_opens_at_the_moment_of_choosing_is_seen(opening, database):
    assert choosing_meanwhile(database, opening, lambda: None) == "operator_busy"


def test_no_charge_changes_its_operator_whatever_is_chosen_meanwhile(database):
    astray, chosen = hammer(database)

    assert astray == []
    assert chosen
