"""Many processes at one moment on one ceiling: exactly what fits is bought, on either database."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.billing.charges import Charge
from portal.checkout.confirmation import accept
from portal.checkout.orders import Order
from portal.checkout.quotes import find_quote, keep_quote
from portal.checkout.storage import Storage
from portal.checkout.verification import verify
from portal.database import Database
from portal.directory.accounts import Account
from portal.outbox import Task
from portal.refusals import Refused
from tests.checkout.other_sides import Merchant, loaded, quoted
from tests.checkout.world import LIMIT_CENTS, ZONE, furnish

PROCESSES, CLICKS_EACH, ROOM = 16, 4, 10
NET_CENTS, GROSS_CENTS = 250, LIMIT_CENTS // ROOM


@dataclass(frozen=True)
class Click:
    """What one confirmation answered: the order number, or the reason and its facts; or what went wrong."""

    token: str
    number: str = ""
    refusal: str = ""
    facts: tuple[tuple[str, Any], ...] = ()
    failure: str = ""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with one offer, two employees and the ceiling they share."""
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path}/portal.db"
    else:
        server = request.getfixturevalue("postgres")
        made = server.url(server.make())
    database = Database(made)
    furnish(database)
    database.close()
    return made


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """The same for the test itself."""
    opened = Database(url)
    yield opened
    opened.close()


def ask_prices(database: Database, count: int) -> list[tuple[str, int]]:
    """As many first clicks, by the two employees in turn."""
    with database.transaction() as session:
        return [
            (keep_quote(session, account, 1, {}, quoted(NET_CENTS)).token, account)
            for account in (1 + number % 2 for number in range(count))
        ]


def click_all(url: str, clicks: list[tuple[str, int]], start: Barrier) -> list[Click]:
    """One web process: its quotes are read, its connection open, and at the signal it confirms them one by one."""
    database, merchant = Database(url), loaded(Merchant(idempotent=True, document=False))
    with database.reading() as session:
        asked = [(find_quote(session, token, account), session.get_one(Account, account)) for token, account in clicks]
        assert all(quote and quote.offer for quote, _person in asked)
    start.wait(300)
    given = []
    for quote, person in asked:
        assert quote
        try:
            given.append(Click(quote.token, accept(database, quote, person, merchant, ZONE, "web").number))
        except Refused as refused:
            given.append(Click(quote.token, refusal=refused.reason.code, facts=tuple(refused.reason.facts.items())))
        except Exception as error:
            given.append(Click(quote.token, failure=repr(error)))
    database.close()
    return given


def serve(jobs: Any, start: Barrier, answers: Any) -> None:
    """A process that lives for several tests, since it takes longer to start than to click."""
    while job := jobs.get():
        answers.put(click_all(*job, start))


@pytest.fixture(scope="module")
def at_one_moment() -> Iterator[Callable[[str, list[list[tuple[str, int]]]], list[Click]]]:
    """Each share of clicks in a process of its own, let go together."""
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(PROCESSES), context.Queue()
    jobs = [context.Queue() for _ in range(PROCESSES)]
    processes = [context.Process(target=serve, args=(job, start, answers)) for job in jobs]
    for process in processes:
        process.start()

    def run(url: str, shares: list[list[tuple[str, int]]]) -> list[Click]:
        for job, share in zip(jobs, shares, strict=True):
            job.put((url, share))
        given = [click for _ in shares for click in answers.get(timeout=600)]
        assert [click.failure for click in given if click.failure] == []
        return given

    yield run
    for job in jobs:
        job.put(None)
    for process in processes:
        process.join(60)
        process.kill()


def test_sixty_four_confirmations_by_sixteen_processes_where_ten_fit(url, database, at_one_moment, tmp_path):
    prices = ask_prices(database, PROCESSES * CLICKS_EACH)

    given = at_one_moment(url, [prices[number::PROCESSES] for number in range(PROCESSES)])

    orders = [click for click in given if click.number]
    refused = [click for click in given if click.refusal]
    assert (len(orders), len({click.number for click in orders}), len(refused)) == (ROOM, ROOM, 54)
    assert Counter(click.refusal for click in refused) == {"over_ceiling": 54}
    for click in refused:
        facts = dict(click.facts)
        assert (facts["amount_cents"], facts["limit_cents"], facts["period"]) == (GROSS_CENTS, LIMIT_CENTS, "week")
        assert facts["left_cents"] < GROSS_CENTS
        assert facts["renews_at"]
    assert_books(database, {click.number for click in orders})
    assert verify(database, Storage(tmp_path)) == []


def test_sixteen_processes_with_one_token_get_one_order(url, database, at_one_moment, tmp_path):
    [(token, account)] = ask_prices(database, 1)

    given = at_one_moment(url, [[(token, account)] * 2] * PROCESSES)

    assert len({click.number for click in given}) == 1
    assert len(given) == 2 * PROCESSES
    assert_books(database, {given[0].number})
    assert verify(database, Storage(tmp_path)) == []


def test_a_token_whose_order_took_the_last_room_answers_with_it_and_not_with_a_refusal(url, database, at_one_moment):
    prices = ask_prices(database, ROOM)

    # Each process confirms all of them: whoever comes second to a token finds the ceiling fuller by its own order.
    turns = [number % ROOM for number in range(PROCESSES)]
    given = at_one_moment(url, [prices[turn:] + prices[:turn] for turn in turns])

    assert Counter(click.refusal for click in given) == {"": PROCESSES * ROOM}
    assert len({(click.token, click.number) for click in given}) == ROOM


def assert_books(database: Database, numbers: set[str]) -> None:
    """Orders, charges, tasks and holds are those of these orders and of nothing refused; the sum is theirs."""
    kept = GROSS_CENTS * len(numbers)
    with database.reading() as session:
        assert set(session.scalars(select(Order.number))) == numbers
        assert set(session.scalars(select(Charge.order_number))) == numbers
        assert set(session.scalars(select(Task.subject))) == numbers
        assert session.scalar(select(func.sum(Order.gross_cents))) == kept
        tables = Order.metadata.tables
        holds, uses = tables["holds"], tables["ceiling_uses"]
        held = session.execute(select(holds.c.order_number, holds.c.amount_cents, holds.c.state)).all()
        assert {tuple(row) for row in held} == {(number, GROSS_CENTS, "held") for number in numbers}
        assert len(held) == len(numbers)
        assert session.execute(select(uses.c.held_cents, uses.c.captured_cents)).all() == [(kept, 0)]
