"""How fast room is taken under one hot ceiling, beside the database's own rate for the same conditional update.

usage: python -m benchmarks.hot_ceiling   (from the root of a checkout; PostgreSQL's programs must be installed)
"""

from __future__ import annotations

import logging
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.orm import Session

from portal import logs
from portal.catalog.offers import OfferRow
from portal.checkout.confirmation import accept
from portal.checkout.quotes import find_quote, keep_quote
from portal.database import BUSY_TIMEOUT_MS, Database
from portal.directory.accounts import Account
from portal.money import MOST_CENTS
from portal.rights import ceilings, holds
from portal.rights.ceilings import Price
from tests.checkout.other_sides import Merchant, loaded, quoted
from tests.checkout.world import ZONE, furnish
from tests.real.postgres import private_postgresql

TURN_S, ROUNDS = 0.5, 5
PROCESSES = (1, 4)
MOST_ORDERS = 600
UPDATE = """
UPDATE ceiling_uses SET held_cents = held_cents + 1
WHERE id = 1 AND held_cents + captured_cents + 1 <= (SELECT limit_cents FROM ceilings WHERE id = 1) RETURNING id
"""
Step = Callable[[], object]


# --- What one process repeats ------------------------------------------------------------------------


@contextmanager
def driver(url: str) -> Iterator[Step]:
    """The bare driver: one conditional update, one commit."""
    if url.startswith("sqlite"):
        file = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)) as plain:
            plain.execute("PRAGMA synchronous = FULL")

            def once() -> None:
                plain.execute("BEGIN IMMEDIATE")
                taken = plain.execute(UPDATE).fetchall()
                plain.execute("COMMIT")
                assert taken

            yield once
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:

            def once_there() -> None:
                taken = connection.execute(UPDATE).fetchall()
                connection.commit()
                assert taken

            yield once_there


@contextmanager
def update(url: str) -> Iterator[Step]:
    """The database's own rate as the portal reaches it: the same update alone in one of our writing transactions."""
    with closing(Database(url)) as database:
        statement = text(UPDATE)

        def once() -> None:
            with database.transaction() as session:
                taken = session.connection().execute(statement).all()
            assert taken

        yield once


@contextmanager
def hold(url: str) -> Iterator[Step]:
    """Ours: a writing transaction that takes room for an order under every ceiling that applies."""
    with closing(Database(url)) as database:
        with database.reading() as session:
            account, wanted = session.get_one(Account, 1), session.get_one(OfferRow, 1).wanted
            applying = ceilings.applying(session, account.group_keys, wanted)
        orders = (f"{multiprocessing.current_process().name}-{number}" for number in count())

        def take() -> None:
            with database.transaction() as session:
                holds.hold(session, applying, account.id, next(orders), Price(1, 1), ZONE)

        yield take


@contextmanager
def confirm(url: str) -> Iterator[Step]:
    """For comparison, the whole second click: rights, order, holds, charge, journal and task in one transaction."""
    with closing(Database(url)) as database:
        merchant = loaded(Merchant(idempotent=True, document=False))
        with database.transaction() as session:
            tokens = [keep_quote(session, 1, 1, {}, quoted(100)).token for _ in range(MOST_ORDERS)]
        with database.reading() as session:
            quotes = [found for token in tokens if (found := _quote(session, token))]
            account = session.get_one(Account, 1)
        asked = iter(quotes)
        yield lambda: accept(database, next(asked), account, merchant, ZONE, "web")


def _quote(session: Session, token: str) -> Any:
    found = find_quote(session, token, 1)
    assert found
    assert found.offer
    return found


# --- Measuring ---------------------------------------------------------------------------------------

STEPS = (driver, update, hold, confirm)


def repeat(url: str, together: Barrier, counts: Any) -> None:
    """One process: each step for a while, in turn and over again; tells how often each was done."""
    logs.configure(level=logging.WARNING)
    done = [0] * len(STEPS)
    with ExitStack() as opened:
        steps = [opened.enter_context(make(url)) for make in STEPS]
        for step in steps:
            for _ in range(10):
                step()
        # Turns are short, since on a shared machine the speed of a minute ago says nothing.
        for _ in range(ROUNDS):
            for index, step in enumerate(steps):
                together.wait(120)
                begun = time.perf_counter()
                while time.perf_counter() - begun < TURN_S:
                    step()
                    done[index] += 1
    counts.put(done)


def rates(url: str, processes: int) -> list[float]:
    """How often a second so many processes together do each of `STEPS`."""
    context = multiprocessing.get_context("spawn")
    together, counts = context.Barrier(processes), context.Queue()
    started = [context.Process(target=repeat, args=(url, together, counts)) for _ in range(processes)]
    for process in started:
        process.start()
    done = [counts.get(timeout=300) for _ in started]
    for process in started:
        process.join()
    return [sum(times) / (ROUNDS * TURN_S) for times in zip(*done, strict=True)]


def furnished(url: str) -> str:
    """A database with one ceiling that nothing fills, and its counter."""
    with closing(Database(url)) as database:
        furnish(database)
        with database.transaction() as session:
            session.execute(text("UPDATE ceilings SET limit_cents = :most"), {"most": MOST_CENTS})
            account = session.get_one(Account, 1)
            wanted = session.get_one(OfferRow, 1).wanted
            holds.hold(session, ceilings.applying(session, account.group_keys, wanted), 1, "G-0", Price(1, 1), ZONE)
    return url


def compare(table: Table, name: str, url: str) -> None:
    """One line for each number of processes."""
    for processes in PROCESSES:
        bare, own, ours, whole = rates(url, processes)
        ratios = f"{ours / own:.2f}", f"{ours / bare:.2f}"
        table.add_row(name, str(processes), f"{bare:,.0f}", f"{own:,.0f}", f"{ours:,.0f}", *ratios, f"{whole:,.0f}")


def main() -> None:
    """Both databases, on the file system of the temporary folder, as durable as the portal runs them."""
    table = Table("database", "processes", "driver/s", "update/s", "hold/s", "÷ update", "÷ driver", "confirm/s")
    with tempfile.TemporaryDirectory(prefix="guichet-benchmark-") as folder:
        compare(table, "SQLite", furnished(f"sqlite:///{Path(folder) / 'portal.db'}"))
    with private_postgresql() as server:
        compare(table, "PostgreSQL", furnished(server.url(server.make())))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
