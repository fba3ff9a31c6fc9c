"""A database that is locked, full, read only or away: each click is answered in words, nothing is half done, nothing lost."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Table, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from structlog.testing import capture_logs

from demo import people
from demo.companies import COMPANIES
from portal import clock
from portal.audit import AuditEntry
from portal.billing.worker import work_once
from portal.checkout.books import compare
from portal.checkout.verification import verify
from portal.commands import portal
from portal.database import Base
from portal.directory.sessions import SignedSession
from portal.outbox import Task
from tests.conftest import Visitor
from tests.real.postgres import NOT_DURABLE, private_postgresql
from tests.real.troubles import locked, no_room, on_each_connection, once_in, stopped, taking_no_writes

ROOT = Path(__file__).parents[2]
SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
CEILING = {
    "what": "ceiling",
    "who": "everyone",
    "scope": "all",
    "period": "day",
    "limit": "30",
    "vat": "with",
    "warn": "0",
}
TROUBLES = ["locked", "full", "read only", "stopped", "takes no writes"]
ON_POSTGRESQL = {"stopped", "takes no writes"}


@pytest.fixture(scope="module")
def server():
    """A server that a test may stop."""
    with private_postgresql(*NOT_DURABLE) as running:
        yield running


@pytest.fixture(params=TROUBLES)
def name(request):
    return request.param


@pytest.fixture
def database_url(name, request):
    """A tenth of a second is long enough to wait for a lock that nobody gives up."""
    if name not in ON_POSTGRESQL:
        return "sqlite:///portal.db?timeout=0.1"
    running = request.getfixturevalue("server")
    return running.url(running.make())


@pytest.fixture
def trouble(name, installation, request):
    """The trouble, for one block."""

    @contextmanager
    def block():
        engine = installation.database.engine
        with {
            "locked": lambda: locked(installation.settings.folder / "portal.db"),
            "full": no_room,
            "read only": lambda: on_each_connection(engine, "PRAGMA query_only = 1", "PRAGMA query_only = 0"),
            "stopped": lambda: stopped(request.getfixturevalue("server")),
            "takes no writes": lambda: taking_no_writes(request.getfixturevalue("server")),
        }[name]():
            yield

    return block


def content(house):
    """Every row of every table, but for what says when it was last looked at."""
    tables = [
        table for table in Base.metadata.sorted_tables if isinstance(table, Table) and table.name != "daily_marks"
    ]
    with house.database.reading() as session:
        return {table.name: sorted(map(repr, session.execute(select(table)))) for table in tables}


def hidden(page):
    """What a page keeps to be sent again, and where to."""
    form = re.search(r'<form class="again" method="post" action="([^"]+)">(.*?)</form>', page, re.DOTALL)
    assert form, page
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[2])
    return html.unescape(form[1]), {field: html.unescape(value) for field, value in fields}


def send_again(visitor):
    """Press the button of the page that said that it could not be done."""
    address, fields = hidden(visitor.page)
    return visitor.post(address, **fields)


def go_on(house):
    """Leases run out, waits end, workers do what there is to do."""
    past = clock.now() - timedelta(seconds=1)
    for _ in range(6):
        with house.database.transaction() as session:
            session.execute(update(Task).where(Task.done_at.is_(None)).values(due_at=past, lease_until=None))
        while work_once(house.database, "after", house.handlers):
            pass
    with house.database.reading() as session:
        assert session.scalars(select(Task.subject).where(Task.done_at.is_(None))).all() == []


def until_delivered(buyer):
    """A busy machine may take longer than a click waits."""
    give_up = time.monotonic() + 120
    while set(buyer.states()) != {"delivered"}:
        assert time.monotonic() < give_up
        time.sleep(0.05)


def books_agree(house):
    return (verify(house.database, house.storage), compare(house.means).differences) == ([], [])


def test_each_click_is_answered_in_words_and_nothing_is_half_done(app, buyer, installation, company, trouble, name):
    admin, newcomer, english = Visitor(app), Visitor(app), Visitor(app)
    admin.sign_in("benoit.besson")
    admin.get("/admin/rights")
    newcomer.get("/sign-in")
    english.sign_in("chloe.lefevre")
    english.post("/language", language="en")
    waiting = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    until_delivered(buyer)
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    asking = Visitor(app)
    asking.sign_in("chloe.lefevre")
    asking.get("/offers/registre-kbis")
    before = content(installation)

    with trouble():
        newcomer.post("/sign-in", login="chloe.lefevre", password=people.PASSWORD)
        asking.post("/offers/registre-kbis/quote", ask="1", siren=SIREN)
        buyer.post("/confirm", token=token)
        admin.post("/admin/rights", **CEILING)
        english.post("/offers/registre-kbis/quote", ask="1", siren=SIREN)
        with capture_logs(), pytest.raises(SQLAlchemyError):
            work_once(installation.database, "worker", installation.handlers)
        machines = [app.test_client().get(address) for address in ("/healthz", "/readyz")]

    assert content(installation) == before
    clicks = (newcomer, asking, buyer, admin, english)
    assert [each.status for each in clicks] == [503] * len(clicks)
    assert [answer.status_code for answer in machines] == [200, 503]
    for each in (newcomer, asking, admin):
        assert "Dans quelques minutes, regardez si c'est fait ; sinon, envoyez-le de nouveau." in each.text
    assert "la même confirmation n'achète jamais deux fois" in buyer.text
    assert "In a few minutes, look whether it was; if not, send it again." in english.text
    assert people.PASSWORD not in newcomer.page
    for page in (each.page for each in clicks):
        assert "sqlite3" not in page
        assert "psycopg" not in page

    number = re.search(r"G-[0-9A-Z]{5}-[0-9A-Z]{5}", send_again(buyer))
    send_again(asking)
    assert 'name="token"' in asking.page
    send_again(admin)
    assert "30,00" in admin.text
    newcomer.post(hidden(newcomer.page)[0], **hidden(newcomer.page)[1], password=people.PASSWORD)
    assert newcomer.status == 200
    assert "chloe.lefevre" in newcomer.page or "Chloé" in newcomer.text
    go_on(installation)
    assert buyer.states() == ["delivered"] * 2
    assert buyer.confirm(token) == number[0] != waiting
    assert [line.state for line in company.operator.book.charges()] == ["succeeded"] * 2
    assert books_agree(installation)


@pytest.mark.parametrize(
    ("owner", "method"), [("operator", "prepare"), ("merchant", "fulfil"), ("operator", "confirm")]
)
def test_what_begins_in_mid_purchase_ends_as_it_must(owner, method, buyer, installation, company, trouble):
    """The other side has answered, and what it said cannot be written down."""
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    other = installation.operator if owner == "operator" else installation.merchants.merchant("registre").connector
    with ExitStack() as around, once_in(other, method, lambda: around.enter_context(trouble())) as begun:
        buyer.post("/confirm", token=token)
        if method == "confirm":
            until_delivered(buyer)
        with capture_logs(), suppress(SQLAlchemyError):
            work_once(installation.database, "worker", installation.handlers)
        assert begun.wait(120)

    go_on(installation)

    assert buyer.confirm(token)
    assert buyer.states() == ["delivered"]
    assert [line.state for line in company.operator.book.charges()] == ["succeeded"]
    assert len(company.merchants.book.orders()) == 1
    assert len(list(installation.storage.folder.iterdir())) == 1
    assert books_agree(installation)


@pytest.mark.parametrize("name", ["full", "read only", "locked", "takes no writes"], indirect=True)
def test_check_says_that_the_database_cannot_be_written(installation, trouble, name):
    with trouble():
        done = CliRunner().invoke(portal, ["check"], env=ENGLISH | config_of(installation))

    # The command opens the database anew, so what was only said to our own connections it does not meet.
    assert ("wrong  Database" in done.output) == (name != "read only"), done.output


ENGLISH = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "LANGUAGE": "en"}


def config_of(house):
    return {"PORTAL_CONFIG": str(house.settings.folder / "portal.toml")}


@pytest.mark.parametrize("name", ["read only"], indirect=True)
def test_a_database_that_fills_up_never_holds_half_of_anything(app, installation, name):
    """SQLite's own "database or disk is full": people sign in until no page is left."""
    pages = "PRAGMA max_page_count = 1"
    with (
        on_each_connection(installation.database.engine, pages, "PRAGMA max_page_count = 1073741823"),
        capture_logs() as said,
    ):
        count, visitor = 0, Visitor(app)
        visitor.sign_in("chloe.lefevre")
        while visitor.status == 200 and count < 400:
            count, visitor = count + 1, Visitor(app)
            visitor.sign_in("chloe.lefevre")
    assert visitor.status == 503
    assert any("full" in line.get("detail", "") for line in said)
    with installation.database.reading() as session:
        sessions = session.scalar(select(func.count()).select_from(SignedSession))
        told = session.scalar(select(func.count()).where(AuditEntry.action == "signed_in"))
    assert sessions == told == count
    visitor.sign_in("chloe.lefevre")
    assert visitor.status == 200


@pytest.mark.parametrize("name", ["stopped"], indirect=True)
def test_a_document_that_has_no_room_waits_for_it(buyer, installation, company, name):
    """The database is elsewhere, and only the deliveries' disk is full."""
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    with no_room():
        buyer.post("/confirm", token=token)
        checked = CliRunner().invoke(portal, ["check"], env=ENGLISH | config_of(installation))
        assert "wrong  Deliveries" in checked.output
        assert "Make room there" in checked.output
        assert "ok     Database" in checked.output
    assert buyer.states() == ["fulfilling"]
    assert list(installation.storage.folder.iterdir()) == []

    go_on(installation)

    assert buyer.states() == ["delivered"]
    assert len(list(installation.storage.folder.iterdir())) == 1
    assert len(company.merchants.book.orders()) == 1
    assert books_agree(installation)


@pytest.mark.parametrize("name", ["locked"], indirect=True)
def test_a_worker_whose_log_has_no_room_goes_on(buyer, installation, company, name):
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    environment = {**os.environ, **config_of(installation), "PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("wb") as full:
        worker = subprocess.Popen([sys.executable, "-m", "portal", "worker"], env=environment, stderr=full, cwd=ROOT)
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up and [line.state for line in company.operator.book.charges()] != ["succeeded"]:
        time.sleep(0.05)
    worker.terminate()

    assert worker.wait(60) in {0, 120}
    assert [line.state for line in company.operator.book.charges()] == ["succeeded"]
    go_on(installation)
    assert books_agree(installation)
