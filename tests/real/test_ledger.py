"""Refunds, write-offs and the ledger where writers go on together: PostgreSQL, and many processes at one moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from alembic import command
from sqlalchemy import text

from portal.billing import charges, ledger, proofs, refunds, write_offs
from portal.billing.charges import Billable
from portal.daily import log_newest_hash, once_a_day
from portal.database import Database
from portal.migrations import schema
from portal.refusals import Refused
from tests.billing import test_ledger
from tests.checkout.test_state_machines import DONE, REFUNDED, assert_rest
from tests.checkout.world import ZONE, PostgresTemplate, World, furnish

EACH, PROCESSES = 10, 8


@pytest.fixture
def database(postgres, migrated) -> Iterator[Database]:
    """Tables with nothing in them."""
    made = Database(postgres.url(postgres.make(migrated)))
    yield made
    made.close()


@pytest.fixture(scope="module")
def template(postgres) -> PostgresTemplate:
    return PostgresTemplate(postgres, postgres.furnished(furnish))


def captured(database: Database, count: int) -> list[str]:
    """Charges of 12,00 € on the invoice."""
    numbers = [f"G-{number}" for number in range(count)]
    for number in numbers:
        test_ledger.charge_that(database, "reserved", "captured", number=number)
    return numbers


def ask_all(url: str, numbers: list[str], start, answers) -> None:
    """One process of finance: it asks for a refund of most of each charge, one after the other."""
    database = Database(url)
    start.wait(300)
    said = []
    for number in numbers:
        try:
            with database.transaction() as session:
                refunds.ask(session, "account 1", charges.of_order(session, number), 700, "broken")
            said.append("")
        except Refused as refused:
            said.append(refused.reason.code)
        except Exception as error:
            said.append(repr(error))
    database.close()
    answers.put(said)


def test_eight_processes_asking_for_the_same_refunds_get_each_once(database):
    numbers = captured(database, EACH)
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(PROCESSES), context.Queue()
    url = database.url.render_as_string(hide_password=False)
    asking = [context.Process(target=ask_all, args=(url, numbers, start, answers)) for _ in range(PROCESSES)]
    for process in asking:
        process.start()
    said = [answers.get(timeout=600) for _ in asking]
    for process in asking:
        process.join(60)

    assert [sorted(each).count("") for each in zip(*said, strict=True)] == [1] * EACH
    assert {answer for each in said for answer in each} == {"", "refund_running"}
    with database.reading() as session:
        assert {number: len(made) for number, made in refunds.of_orders(session).items()} == dict.fromkeys(numbers, 1)


def test_of_eight_who_write_off_at_one_moment_one_does(database):
    test_ledger.charge_that(database, "reserved")
    with database.transaction() as session:
        charge = charges.of_order(session, "G-1")
        charges.note(session, charge, "capture_wanted", {})
        charges.move(session, charge, "doubted", {"outcome": "NotFound"})
    start = Barrier(8)

    def decide(_number: int) -> str:
        start.wait()
        try:
            with database.transaction() as session:
                found = charges.locked(session, "G-1")
                assert found
                write_offs.write_off(session, "account 1", found, "gone")
        except Refused as refused:
            return refused.reason.code
        return ""

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(decide, range(8))) == ["", *["write_off_impossible"] * 7]
    with database.reading() as session:
        assert [*proofs.ledger_agrees(session), *proofs.history_of_charges(session)] == []


def test_eight_workers_mark_a_day_once(database):
    done: list[int] = []
    start = Barrier(8)

    def look(number: int) -> None:
        start.wait()
        once_a_day(database, ZONE, "audit head", lambda _session: done.append(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(8)))
    assert len(done) == 1
    once_a_day(database, ZONE, "another thing", log_newest_hash)


def test_two_openings_of_one_charge_collide(database):
    with database.transaction() as session:
        charges.open_charge(session, Billable("G-1", 1200, 200, "EUR", "d", "M", "m", "legal", "o"))
    with database.reading() as session:
        assert ledger.balances(session) == {"committed": 1200, "held": -1200}


def test_the_migration_books_what_is_there(postgres):
    made = Database(postgres.url(postgres.make()))
    config = schema.configuration()
    with made.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        connection.commit()
    with made.engine.begin() as connection:
        for number, events in enumerate(("opened sending reserved captured", "opened doubted", "opened"), 1):
            test_ledger.keep_as_of_old(connection, number, f"G-{number}", events.split())
        connection.execute(text("SELECT setval('charges_id_seq', 10)"))

    schema.upgrade(made)

    with made.reading() as session:
        assert [*proofs.ledger_agrees(session), *proofs.history_of_charges(session)] == []
        assert ledger.balances(session)["operator_payable"] == -1200
    made.close()


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("commits", range(7))
def test_a_death_at_any_commit_of_a_refund_gives_back_once(commits, after, template, tmp_path: Path):
    world = World(template, tmp_path)
    number = world.confirm(world.ask_price(1, 1_000), 1)
    world.work()
    world.database.commits_left, world.database.after = commits, after
    world.ask_refund(number, 500)
    for _ in range(3):
        world.work()
        world.pass_time(1_000)
    world.database.commits_left = None
    if number in world.ends() and world.ends()[number] == DONE and not world.operator.refunds:
        world.ask_refund(number, 500)

    assert_rest(world)
    assert world.ends()[number] in {DONE, REFUNDED}
    assert [made.amount_cents for made in world.operator.refunds.values()] == [500]
    world.close()
