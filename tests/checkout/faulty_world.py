"""A company whose every step can be broken, and an installation that keeps buying in it, for a whole module of tests."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from sqlalchemy import select

from demo import people
from demo.company import Company, start_company
from portal import clock, create_app, settings
from portal.admin.purchase_sheet import Case, case_of, waiting
from portal.billing.worker import work_once
from portal.catalog.synchronisation import synchronise
from portal.checkout import orders
from portal.checkout.books import Period, compare
from portal.checkout.disputes import settle
from portal.checkout.verification import Breach, verify
from portal.directory.answers import Group
from portal.installation import Installation, open_installation
from portal.migrations import schema
from portal.outbox import Task
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests.conftest import Visitor

HANG_S, PATIENCE_S = 0.4, 0.2
"""How long a hang lasts, and how long our clients wait: in earnest it is 15 s."""
LAG_S = 0.4
FINAL = ("write_off", "consider_captured", "consider_voided", "consider_refunded", "consider_not_refunded", "give_up")


@dataclass
class FaultyWorld:
    """The company, the installation, and Chloé who buys."""

    company: Company
    house: Installation
    buyer: Visitor

    def begin(self) -> None:
        """Nothing is broken, and everybody needs a new token."""
        for server in (self.company.operator, self.company.merchants):
            server.faults.calm()
            server.faults.befallen.clear()
            server.tokens.clear()
        self._wait(PATIENCE_S)

    def mend(self) -> None:
        """Nothing is broken any more, and what was held back has arrived."""
        befallen = self.company.operator.faults.befallen + self.company.merchants.faults.befallen
        self.company.operator.faults.calm()
        self.company.merchants.faults.calm()
        # On a busy machine a good answer may take its time.
        self._wait(5)
        if any(name == "hang" for _step, name in befallen):
            time.sleep(HANG_S)

    def _wait(self, seconds: float) -> None:
        """How long our clients wait for an answer from now on."""
        camara = getattr(self.house.operator, "_operator", self.house.operator)
        merchants = [merchant.connector.context.http for merchant in self.house.merchants.loaded.values()]
        for client in (camara._http, *merchants):
            client._client.timeout = httpx2.Timeout(seconds)

    def work(self) -> None:
        """Whatever is due."""
        while work_once(self.house.database, "worker", self.house.handlers):
            pass

    def finish(self, later: Callable[..., None]) -> None:
        """Work, and let time pass, until nothing waits."""
        for _turn in range(40):
            self.work()
            with self.house.database.reading() as session:
                if not session.scalars(select(Task.id).where(Task.done_at.is_(None))).all():
                    return
            later(minutes=16)
            time.sleep(0.02)
        raise AssertionError("the outbox does not run empty")

    def disputes(self) -> list[Case]:
        """What an administrator is shown."""
        with self.house.database.reading() as session:
            cases = [case_of(session, order.number) for order, _account in waiting(session)]
        return [case for case in cases if case]

    def differences(self, since: Period) -> list[Breach]:
        """What `portal verify --books` finds of the purchases of a period."""
        return verify(self.house.database, self.house.storage) + compare(self.house.means, since).differences

    def state(self, number: str) -> str:
        """Where an order stands."""
        with self.house.database.reading() as session:
            return orders.by_number(session, number).state

    def decide_all(self, later: Callable[..., None], chance: random.Random) -> None:
        """Each dispute by one of its safe choices; one that comes back by one that ends it."""
        for turn in range(4):
            for case in self.disputes():
                settle(self.house.database, self.house.operators, "test", case.order.number, "look", "")
            for case in self.disputes():
                safe = [choice for choice in case.choices if choice != "look"]
                assert safe, f"{case.order.number}: nothing can be decided"
                final = [choice for choice in safe if choice in FINAL]
                choice = chance.choice(final if turn and final else safe)
                settle(self.house.database, self.house.operators, "test", case.order.number, choice, "mended")
            self.finish(later)
            if not self.disputes():
                return
        raise AssertionError(f"disputes that no decision ends: {[case.order.number for case in self.disputes()]}")


@contextmanager
def faulty_world(folder: Path, operator: str = "") -> Iterator[FaultyWorld]:
    """Everything running; `operator` is more of the `[operator]` section."""
    company = start_company(folder)
    company.merchants.report_seconds = 0.1
    for server in (company.operator, company.merchants):
        server.faults.hang_s, server.faults.lag_s, server.faults.expires_s = (HANG_S,), LAG_S, 0.0
    configuration = company.configuration(8000).replace("[operator]\n", f"[operator]\n{operator}")
    (folder / "portal.toml").write_text(configuration, encoding="utf-8")
    house = open_installation(settings.load(folder / "portal.toml", {}))
    schema.upgrade(house.database)
    synchronise(house.database, house.merchants)
    with house.database.transaction() as session:
        add_rule(session, "test", Group(people.GROUP_ACHATS), Scope("all"), "buy", "allow")
        add_ceiling(session, "test", None, Terms("everyone", Scope("all"), "year", 10_000_000))
    app = create_app(installation=house)
    app.config["TESTING"] = True
    buyer = Visitor(app)
    buyer.sign_in("chloe.lefevre")
    try:
        yield FaultyWorld(company, house, buyer)
    finally:
        house.close()
        company.stop()


def now() -> Period:
    """Everything that is bought from this moment on."""
    return Period(clock.now())
