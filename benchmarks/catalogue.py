"""A long catalogue: how fast a list of 50,000 is read, and whether its length is felt by who browses and searches.

usage: python -m benchmarks.catalogue   (from the root of a checkout; a minute or two)
"""

from __future__ import annotations

import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from connectors.contract import Offer
from portal.catalog import search
from portal.catalog.browsing import Wish, shelf
from portal.database import Database
from portal.migrations import schema
from portal.rights.decision import Employee
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests.catalog.shelves import EVERYBODY, offer, put_on_sale

LONG, SHORT = 100_000, 200
SYNCHRONISED = 50_000
TURNS = 200
SYLLABLES = ("ba", "con", "dis", "for", "gra", "lec", "mi", "nor", "par", "que", "ra", "son", "tel", "ver", "zo")
KEYS = frozenset({EVERYBODY.key})


def vocabulary(seed: int = 1) -> list[str]:
    """Five thousand words that look like words."""
    chance = random.Random(seed)
    return sorted({"".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(6_000)})[:5_000]


def catalogue(count: int) -> Iterator[Offer]:
    """Offers whose words are as unevenly spread as those of any language."""
    chance, words = random.Random(2), vocabulary()
    weights = [1 / (rank + 3) for rank in range(len(words))]
    for number in range(count):
        told = chance.choices(words, weights, k=14)
        title, summary = " ".join(told[:4]).capitalize(), " ".join(told[4:]).capitalize()
        category = ("presse", "entreprises", "modeles", "annuaire")[number % 4]
        yield offer(f"o{number:06}", title, title, summary, category=category)


def synchronise(folder: Path, count: int) -> None:
    """In a process of its own: read so many offers for the first time; prints seconds and the greatest memory in MB."""
    with closing(Database(f"sqlite:///{folder / 'portal.db'}")) as database:
        begun = time.perf_counter()
        [done] = put_on_sale(database, m=catalogue(count))
        assert (done.listed, done.problem) == (count, "")
        print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def made(folder: Path, count: int) -> tuple[Database, float, float]:
    """A database with so many offers; the seconds and the megabytes it took."""
    folder.mkdir()
    database = Database(f"sqlite:///{folder / 'portal.db'}")
    schema.upgrade(database)
    with database.transaction() as session:
        add_rule(session, "benchmark", EVERYBODY, Scope("all"), "buy", "allow")
    command = [sys.executable, "-m", "benchmarks.catalogue", "--synchronise", str(folder), str(count)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    seconds, megabytes = map(float, told.split())
    return database, seconds, megabytes


def milliseconds(work: Callable[[], object]) -> list[float]:
    """Each of many turns, after a few that do not count."""
    spent = []
    for turn in range(TURNS + 10):
        begun = time.perf_counter()
        work()
        if turn >= 10:
            spent.append((time.perf_counter() - begun) * 1000)
    return sorted(spent)


def page(database: Database, wishes: Iterator[Wish]) -> None:
    """One page as a visitor gets it, but for the drawing."""
    with database.reading() as session:
        shown = shelf(session, Employee(1, KEYS), next(wishes))
        assert shown.is_open


def searches() -> Iterator[Wish]:
    """Two words at a time, of every rank."""
    chance, words = random.Random(3), vocabulary()
    while True:
        yield Wish(text=" ".join(chance.choices(words[:400], k=2)))


def browsing() -> Iterator[Wish]:
    """The first pages, all and by category."""
    while True:
        for category in ("", "presse", "entreprises"):
            yield Wish(category=category, page=1)


def main() -> None:
    """Two catalogues, and what their length costs."""
    table = Table(
        "offers", "first reading s", "MB", "page median ms", "search median ms", "search p95 ms", "bare SQL p95 ms"
    )
    with tempfile.TemporaryDirectory(prefix="guichet-benchmark-") as name:
        for count in (SHORT, SYNCHRONISED, LONG):
            database, seconds, megabytes = made(Path(name) / str(count), count)
            with closing(database):
                shown, wished = browsing(), searches()
                pages = milliseconds(lambda: page(database, shown))  # noqa: B023 - used within the turn
                found = milliseconds(lambda: page(database, wished))  # noqa: B023
                table.add_row(
                    f"{count:,}", f"{seconds:.1f}", f"{megabytes:.0f}", f"{statistics.median(pages):.2f}",
                    f"{statistics.median(found):.2f}", f"{found[int(TURNS * 0.95)]:.2f}", f"{bare_p95(database):.2f}",
                )  # fmt: skip
    Console(width=120).print(table)


def bare_p95(database: Database) -> float:
    """The same searches as one compiled statement each, on the driver's own connection."""
    wished = searches()
    statements = []
    with database.reading() as session:
        for _turn in range(TURNS):
            matched = search.matching(session, next(wished).text)
            assert matched is not None
            written = matched.order_by(text("weight")).limit(60)
            statements.append(str(written.compile(session.get_bind(), compile_kwargs={"literal_binds": True})))
        connection = session.connection().connection.driver_connection
        assert connection is not None
        spent = []
        for statement in statements:
            begun = time.perf_counter()
            connection.execute(statement).fetchall()
            spent.append((time.perf_counter() - begun) * 1000)
    return sorted(spent)[int(TURNS * 0.95)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--synchronise"]:
        synchronise(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
