"""What the second click costs our own server, beside one durable commit of the same database.

usage: python -m benchmarks.click_two   (from the root of a checkout; put TMPDIR on the disk to be measured)

Operator and merchant answer at once, within our process: their time is none. The directory is the demonstration's, in
a process of its own; its answers are timed and told apart. The click is the whole request: session, groups asked again,
the five steps, and the redirection. By turns with it, the driver alone commits one row to the same file, as durably.
"""

from __future__ import annotations

import logging
import multiprocessing
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from sqlalchemy import event
from sqlalchemy.orm import Session

from connectors.contract import OperatorAdapter
from demo import people
from demo.company import start_company
from portal import create_app, logs, settings
from portal.billing.operators import Operators
from portal.billing.worker import work_once
from portal.catalog.merchants import Merchants
from portal.catalog.synchronisation import synchronise
from portal.checkout.quotes import keep_quote
from portal.checkout.verification import verify
from portal.directory.accounts import find
from portal.directory.answers import Group
from portal.installation import Installation, open_installation
from portal.migrations import schema
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests.checkout.other_sides import Merchant, Operator, quoted

BUYER = "chloe.lefevre"
TURNS, TIMES, WARM = 12, 10, 20


def company(ours: Connection) -> None:
    """The demonstration's process: gives its configuration, and ends when told."""
    with tempfile.TemporaryDirectory(prefix="guichet-company-") as folder:
        running = start_company(Path(folder))
        ours.send(running.configuration(8000))
        ours.recv()
        running.stop()


@contextmanager
def configured(folder: Path) -> Iterator[Installation]:
    """An installation over the company, its catalogue read; nobody's ceilings."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=company, args=(theirs,))
    process.start()
    try:
        (folder / "portal.toml").write_text(ours.recv(), encoding="utf-8")
        house = open_installation(settings.load(folder / "portal.toml", {}))
        schema.upgrade(house.database)
        synchronise(house.database, house.merchants)
        with house.database.transaction() as session:
            add_rule(session, "benchmark", Group(people.GROUP_ACHATS), Scope("all"), "buy", "allow")
        with closing(house):
            yield house
    finally:
        ours.send("end")
        process.join()


class Timed:
    """How long calls of some methods took, in seconds, since it was last asked."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, owner: Any, name: str) -> None:
        """Time a method from now on."""
        method: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return method(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - begun

        object.__setattr__(owner, name, timed)

    def spent(self) -> float:
        """What has come together."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


class Click:
    """One employee who confirms one price after another."""

    def __init__(self, house: Installation, *, document: bool) -> None:
        merchant = house.merchants.merchant("registre")
        instant = replace(merchant, connector=cast(Any, Merchant(idempotent=True, document=document)))
        operators = Operators(house.database, "generic", lambda _name: cast(OperatorAdapter, Operator()))
        self.house = replace(house, merchants=Merchants({"registre": instant}), operators=operators)
        app = create_app(installation=self.house)
        app.config["WTF_CSRF_ENABLED"] = False
        self.client, self.commits, self.directory = app.test_client(), 0, Timed()
        self.client.post("/sign-in", data={"login": BUYER, "password": people.PASSWORD})
        with house.database.reading() as session:
            account = find(session, BUYER)
            assert account
            self.account = account.id
        self.directory.around(self.house.directory, "read")

    def tokens(self, count: int) -> list[str]:
        """Prices that wait for their confirmation."""
        with self.house.database.transaction() as session:
            return [keep_quote(session, self.account, 1, {}, quoted(100)).token for _ in range(count)]

    def confirm(self, token: str) -> tuple[float, float]:
        """One second click; milliseconds of ours, and of the directory."""
        self.directory.spent()
        begun = time.perf_counter()
        answer = self.client.post("/confirm", data={"token": token})
        spent = time.perf_counter() - begun
        assert answer.status_code == 303, answer.get_data(as_text=True)
        theirs = self.directory.spent()
        return (spent - theirs) * 1000, theirs * 1000

    def finish(self) -> None:
        """Capture what was bought, out of the measure; then everything must be as it should."""
        while work_once(self.house.database, "benchmark", self.house.handlers):
            pass


@contextmanager
def commit(path: Path) -> Iterator[Callable[[], float]]:
    """Milliseconds of one durable commit of one row to the same file by the driver alone."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as plain:
        plain.execute("PRAGMA synchronous = FULL")
        plain.execute("CREATE TABLE IF NOT EXISTS benchmark (n INTEGER)")
        plain.execute("INSERT INTO benchmark VALUES (0)")

        def once() -> float:
            begun = time.perf_counter()
            plain.execute("BEGIN IMMEDIATE")
            plain.execute("UPDATE benchmark SET n = n + 1")
            plain.execute("COMMIT")
            return (time.perf_counter() - begun) * 1000

        yield once


def measure(click: Click, database: Path) -> tuple[float, float, float, float]:
    """Medians: ours and the directory's milliseconds, one commit's, and how often a click commits."""
    for token in click.tokens(WARM):
        click.confirm(token)
    counted = 0

    def count(_session: Session) -> None:
        nonlocal counted
        counted += 1

    ours, directory, commits = [], [], []
    event.listen(Session, "after_commit", count)
    with commit(database) as once:
        for _ in range(TURNS):
            commits += [once() for _ in range(TIMES)]
            tokens = click.tokens(TIMES)
            before = counted
            for token in tokens:
                mine, theirs = click.confirm(token)
                ours.append(mine)
                directory.append(theirs)
        per_click = (counted - before) / TIMES
    event.remove(Session, "after_commit", count)
    click.finish()
    return statistics.median(ours), statistics.median(directory), statistics.median(commits), per_click


def main() -> None:
    """One line for each kind of delivery."""
    logs.configure(level=logging.ERROR)
    table = Table("delivery", "click ms", "directory ms", "one commit ms", "click ÷ commit", "transactions a click")
    with tempfile.TemporaryDirectory(prefix="guichet-benchmark-") as name, configured(Path(name)) as house:
        for kind in ("data", "document"):
            click = Click(house, document=kind == "document")
            mine, theirs, one, count = measure(click, Path(name) / "portal.db")
            table.add_row(kind, f"{mine:.1f}", f"{theirs:.1f}", f"{one:.2f}", f"{mine / one:.0f}", f"{count:.0f}")
        assert verify(house.database, house.storage) == []
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
