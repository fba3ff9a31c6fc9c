"""One company for all hostile tests: its portal buys from a merchant that does what a test says, and a canary listens."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx2
import pytest
from flask import Flask, request
from sqlalchemy import select, update

from connectors.http import GuardedClient, Timeouts
from demo import people
from demo.company import Company, start_company
from demo.sockets import LoopbackServer
from portal import breakers, create_app, settings
from portal.admin.purchase_sheet import case_of
from portal.billing.worker import work_once
from portal.catalog.synchronisation import Synchronised, synchronise
from portal.checkout import orders
from portal.checkout.books import Period, compare
from portal.checkout.orders import Order
from portal.checkout.verification import Breach, verify
from portal.directory.answers import Group
from portal.installation import Installation, open_installation
from portal.migrations import schema
from portal.outbox import Task
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests.conftest import Visitor
from tests.hostile.villain import KEY, SIREN, Villain

CONFIGURATION = '\n[merchants.louche]\nconnector = "registre"\nbase_url = "{url}"\nsecrets = {{api_key = "{key}"}}\n'
PATIENT, HURRIED = Timeouts(20, 30, 60), Timeouts(20, 1.0, 2.0)
"""For who answers, however slow this machine is; for who does not."""


class Canary:
    """A host nobody may contact: it remembers whoever does, and with which credentials."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, str]]] = []
        app = Flask("canary")

        @app.before_request
        def listen() -> str:
            self.heard.append((request.url, dict(request.headers)))
            return "%PDF-1.7\n%%EOF\n"

        self.server = LoopbackServer(app)


@dataclass
class World:
    """The company, its portal, who buys and who administers; `since` is when the present test began."""

    company: Company
    house: Installation
    villain: Villain
    canary: Canary
    buyer: Visitor
    admin: Visitor
    since: datetime

    def begin(self) -> None:
        """Everything is as on the first day, except what was written down."""
        self.villain.reset()
        self.canary.heard.clear()
        self.since = datetime.now(UTC)
        with self.house.database.transaction() as session:
            breakers.forget(session, "merchant:louche")
            # What a test has left undone is not the next one's.
            session.execute(update(Task).where(Task.done_at.is_(None)).values(done_at=self.since))
        self.patience(PATIENT)
        self.list_again()

    @property
    def http(self) -> GuardedClient:
        """The product's own client before the merchant."""
        return self.house.merchants.loaded["louche"].connector.context.http

    def patience(self, limits: Timeouts) -> None:
        """How long answers are waited for."""
        self.http.timeouts = limits
        self.http._client.timeout = httpx2.Timeout(limits.read, connect=limits.connect)

    def list_again(self, merchant: str = "louche") -> Synchronised:
        """Read a catalogue."""
        return synchronise(self.house.database, self.house.merchants, merchant)[0]

    def ask_price(self, slug: str = "louche-kbis", **inputs: str) -> str:
        """The first click."""
        return self.buyer.ask_price(slug, **(inputs or {"siren": SIREN}))

    def buy(self, slug: str = "louche-kbis", **inputs: str) -> str:
        """Both clicks; the order's number."""
        token = self.ask_price(slug, **inputs)
        assert token, self.buyer.text
        number = self.buyer.confirm(token)
        assert number, self.buyer.text
        return number

    def work(self) -> None:
        """Whatever is due."""
        while work_once(self.house.database, "worker", self.house.handlers):
            pass

    def settle(self, later: Callable[..., None], *spans: dict[str, float]) -> None:
        """Work, and let time pass."""
        for span in ({}, *(spans or ({"minutes": 1}, {"minutes": 5}, {"minutes": 15}))):
            if span:
                later(**span)
            self.work()

    def order(self, number: str) -> Order:
        """An order as it stands."""
        with self.house.database.reading() as session:
            return orders.by_number(session, number)

    def state(self, number: str) -> tuple[str, str]:
        """Where an order stands, and the reason's code if there is one."""
        order = self.order(number)
        return order.state, (order.reason or {}).get("code", "")

    def paid(self, number: str) -> list[int]:
        """What the operator has put on the invoice for an order."""
        book = self.company.operator.book.charges()
        return [line.amount_cents for line in book if line.reference == number and line.state == "succeeded"]

    def read_by_employee(self, number: str) -> str:
        """The order's page."""
        self.buyer.sign_in("chloe.lefevre")
        self.buyer.get(f"/purchases/{number}")
        assert self.buyer.status == 200
        return self.buyer.text

    def read_by_admin(self, number: str) -> str:
        """The page on which an administrator decides."""
        self.admin.sign_in("benoit.besson")
        page = self.admin.get(f"/admin/purchases/{number}")
        assert self.admin.status == 200
        return html.unescape(page)

    def journal(self) -> str:
        """The journal, as an administrator reads it."""
        self.admin.sign_in("benoit.besson")
        return html.unescape(self.admin.get("/admin/journal"))

    def differences(self) -> list[Breach]:
        """What is wrong in the books since the test began."""
        return compare(self.house.means, Period(self.since)).differences

    def agree(self) -> None:
        """Nothing captured undelivered, nothing delivered uncharged, all books alike; nobody else heard our key."""
        assert self.differences() == []
        assert list(verify(self.house.database, self.house.storage)) == []
        assert self.canary.heard == []

    def evidence(self, number: str) -> str:
        """Everything kept of an order."""
        with self.house.database.reading() as session:
            found = case_of(session, number)
            assert found
            return str([each.facts for each in found.happenings])

    def orders(self) -> int:
        """How many orders there are since the test began."""
        with self.house.database.reading() as session:
            return len(session.scalars(select(Order.id).where(Order.created_at >= self.since)).all())


@pytest.fixture(scope="module")
def made_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("hostile")
    company, villain, canary = start_company(folder), Villain(), Canary()
    villain.server.start()
    canary.server.start()
    more = CONFIGURATION.format(url=villain.server.url, key=KEY)
    (folder / "portal.toml").write_text(company.configuration(8000) + more, encoding="utf-8")
    house = open_installation(settings.load(folder / "portal.toml", {}))
    schema.upgrade(house.database)
    synchronise(house.database, house.merchants)
    with house.database.transaction() as session:
        add_rule(session, "test", Group(people.GROUP_ACHATS), Scope("all"), "buy", "allow")
    app = create_app(installation=house)
    app.config["TESTING"], app.config["PROPAGATE_EXCEPTIONS"] = True, False
    buyer, admin = Visitor(app), Visitor(app)
    buyer.sign_in("chloe.lefevre")
    admin.sign_in("benoit.besson")
    yield World(company, house, villain, canary, buyer, admin, datetime.now(UTC))
    house.close()
    for server in (villain.server, canary.server):
        server.stop()
    company.stop()


@pytest.fixture
def world(made_world: World) -> World:
    """The company, with nothing going wrong yet."""
    made_world.begin()
    return made_world


@pytest.fixture
def forgetful(world: World) -> Iterator[World]:
    """The same merchant, which promises nothing of a key that comes twice."""
    loaded = world.house.merchants.loaded["louche"]
    capabilities = loaded.manifest.capabilities.model_copy(update={"idempotent": "none"})
    world.house.merchants.loaded["louche"] = replace(
        loaded, manifest=loaded.manifest.model_copy(update={"capabilities": capabilities})
    )
    yield world
    world.house.merchants.loaded["louche"] = loaded


def words_on(page: str) -> str:
    """A page as it is read, with one kind of space."""
    return re.sub(r"[\s\u00a0\u202f]+", " ", re.sub(r"<[^>]*>", " ", page))
