"""What one decision costs with 200 rules and 50 ceilings, in processor time of the portal's process.

usage: python -m benchmarks.decision   (from the root of a checkout; PostgreSQL's programs must be installed)
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import closing
from itertools import cycle, islice, product
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

from portal.catalog.offers import OfferRow
from portal.database import Database
from portal.directory.answers import Group
from portal.rights.ceilings import Price, Terms, add_ceiling
from portal.rights.decision import Decision, Employee, explain
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope, Wanted
from tests.checkout.world import BUYERS, ZONE, furnish
from tests.real.postgres import NOT_DURABLE, private_postgresql

RULES, CEILINGS = 200, 50
TURNS, TIMES = 15, 20
SCOPES = (
    Scope("all"), Scope("category", "legal"), Scope("merchant", "m"), Scope("offer", "m/o"),
    *(Scope("merchant", f"other-{number}") for number in range(6)),
)  # fmt: skip


def group(number: int) -> Group:
    """One of twenty groups."""
    return Group(f"cn=group{number},dc=acme,dc=example", f"id-{number}", f"group{number}")


def furnish_rights(session: Session) -> None:
    """Rules and ceilings over twenty groups, four in ten of them about the offer that is wanted."""
    for number, scope in islice(product(range(RULES), SCOPES), RULES - 1):
        add_rule(session, "benchmark", group(number), scope, "buy", "allow")
    periods = cycle(("day", "week", "month", "year", "purchase"))
    for number, period in zip(range(CEILINGS - 1), periods, strict=False):
        scope = SCOPES[number % len(SCOPES)]
        add_ceiling(session, "benchmark", group(number % 20), Terms("each", scope, period, 100_000))


def decide(database: Database, employee: Employee, wanted: Wanted) -> Decision:
    """One decision as a page asks for it that has its offer at hand, in a reading transaction of its own."""
    with database.reading() as session:
        return explain(session, employee, wanted, ZONE, Price(800, 1_000))


def milliseconds(database: Database, employee: Employee, wanted: Wanted) -> list[float]:
    """Processor time of one decision, by turns."""
    for _ in range(TIMES):
        assert decide(database, employee, wanted).allowed
    spent = []
    for _ in range(TURNS):
        begun = time.process_time()
        for _ in range(TIMES):
            decide(database, employee, wanted)
        spent.append((time.process_time() - begun) / TIMES * 1000)
    return spent


def compare(table: Table, name: str, url: str) -> None:
    """Two lines: somebody in two of the groups, and somebody in all of them."""
    with closing(Database(url)) as database:
        furnish(database)
        with database.transaction() as session:
            furnish_rights(session)
            wanted = session.get_one(OfferRow, 1).wanted
        for many in (2, 20):
            employee = Employee(1, BUYERS.keys.union(*(group(number).keys for number in range(many))))
            spent, found = milliseconds(database, employee, wanted), decide(database, employee, wanted)
            table.add_row(
                name, str(many), f"{len(found.rules)} and {len(found.rooms)}",
                f"{statistics.median(spent):.2f}", f"{min(spent):.2f}",
            )  # fmt: skip


def main() -> None:
    """Both databases; on PostgreSQL the server's own time is not counted."""
    table = Table("database", "groups", "rules and ceilings that decide", "median ms", "best ms")
    with tempfile.TemporaryDirectory(prefix="guichet-benchmark-") as folder:
        compare(table, "SQLite", f"sqlite:///{Path(folder) / 'portal.db'}")
    with private_postgresql(*NOT_DURABLE) as server:
        compare(table, "PostgreSQL", server.url(server.make()))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
