"""`portal serve` as the system sees it: processes that begin together, end together, and leave nobody behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from demo.companies import COMPANIES
from portal.checkout import orders
from portal.checkout.books import compare
from portal.outbox import Task
from tests.conftest import Visitor
from tests.real.slapd import free_port

ROOT = Path(__file__).parents[2]
SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
WHOLE = 4
"""Processes of a server: the parent, its worker, two for pages."""


def parents():
    """Parent by process, of every process alive."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                _name, _, rest = (folder / "stat").read_text().rpartition(")")
            except OSError:
                continue
            state, parent = rest.split()[:2]
            if state != "Z":
                found[int(folder.name)] = int(parent)
    return found


def family(process_id):
    """A process and all that descend from it."""
    parent_of = parents()
    members = {process_id}
    while True:
        more = {child for child, parent in parent_of.items() if parent in members} - members
        if not more:
            return members & parent_of.keys()
        members |= more


def by_age(processes):
    """The oldest first; numbers say nothing of it, since the system begins again when it has none left."""

    def began(process):
        try:
            return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
        except OSError:
            return float("inf")

    return sorted(processes, key=lambda process: (began(process), process))


def wait_until(condition, seconds=120):
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Server:
    """A running `portal serve`."""

    def __init__(self, configuration, port):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        environment |= {"PORTAL_CONFIG": str(configuration), "PYTHONPATH": str(ROOT)}
        self.url = f"http://127.0.0.1:{port}"
        self.log = configuration.with_name("serve.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "portal", "serve", "--bind", f"127.0.0.1:{port}"],
            env=environment, stdout=self.log, stderr=self.log, cwd=ROOT,
        )  # fmt: skip
        # The first web process may answer before the second has begun.
        ready = wait_until(lambda: self.is_ready() and len(family(self.process.pid)) >= WHOLE)
        self.members = family(self.process.pid)
        if not ready:
            self.stop()
        assert ready, configuration.with_name("serve.log").read_text()

    def is_ready(self):
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx2.HTTPError:
            return False

    def worker(self):
        """The one child that serves no page: it is started before all others."""
        return by_age(child for child, parent in parents().items() if parent == self.process.pid)[0]

    def is_gone(self):
        # The parent is ours to collect; the others are gone once /proc no longer lists them.
        self.process.poll()
        return not (self.members & parents().keys())

    def stop(self):
        """End it in order, and whoever is left after that."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        for member in self.members & parents().keys():
            os.kill(member, signal.SIGKILL)
        self.process.wait()
        self.log.close()


@pytest.fixture
def server(installation, company, tmp_path):
    made = Server(tmp_path / "portal.toml", free_port())
    yield made
    made.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_in_order(number, server):
    assert len(server.members) == WHOLE
    os.kill(server.process.pid, number)

    assert server.process.wait(60) == 0
    assert wait_until(server.is_gone)


def test_a_server_killed_outright_takes_its_worker_along(server):
    server.process.kill()

    assert wait_until(server.is_gone)


def test_a_worker_that_dies_takes_the_server_along(server):
    os.kill(server.worker(), signal.SIGKILL)

    server.process.wait(60)
    assert wait_until(server.is_gone)


def test_a_web_process_that_dies_is_replaced(server):
    victim = by_age(server.members)[-1]
    os.kill(victim, signal.SIGKILL)

    assert wait_until(lambda: len(family(server.process.pid)) == WHOLE and victim not in family(server.process.pid))
    server.members |= family(server.process.pid)
    assert wait_until(server.is_ready)


def test_the_worker_captures_what_the_pages_sold(server, buyer, company):
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))

    assert wait_until(lambda: [line.state for line in company.operator.book.charges()] == ["succeeded"])


def test_a_process_that_found_its_database_ready_carries_a_purchase_on(installation, buyer, company, tmp_path):
    """As after every restart: nothing was migrated, no screen was loaded, and the rows point across all rooms."""
    company.merchants.report_seconds = 1.0
    number = buyer.confirm(buyer.ask_price("coface-rapport", siren=SIREN))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    environment |= {"PORTAL_CONFIG": str(tmp_path / "portal.toml"), "PYTHONPATH": str(ROOT)}

    def delivered():
        pushed = subprocess.run(
            [sys.executable, "-m", "portal", "charges", "push"],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Error" not in pushed.stderr, pushed.stderr
        return "state-delivered" in buyer.get(f"/purchases/{number}")

    assert wait_until(delivered)


class Answered:
    """An answer of the running server as the test client gives one."""

    def __init__(self, answer):
        self.status_code, self._text = answer.status_code, answer.text

    def get_data(self, as_text):
        assert as_text
        return self._text


class Remote:
    """The running server behind the methods of the test client."""

    def __init__(self, client):
        self._client = client

    def get(self, address, follow_redirects):
        return Answered(self._client.get(address, follow_redirects=follow_redirects))

    def post(self, address, data, follow_redirects):
        return Answered(self._client.post(address, data=data, follow_redirects=follow_redirects))


@pytest.fixture
def remote_buyer(app, server):
    someone = Visitor(app)
    with httpx2.Client(base_url=server.url, timeout=30) as client:
        someone.client = Remote(client)
        someone.sign_in("chloe.lefevre")
        yield someone


def test_what_a_server_carried_on_when_it_was_told_to_end_is_handed_back_at_once(
    remote_buyer, server, installation, company, work
):
    token = remote_buyer.ask_price("registre-kbis", siren=SIREN)
    company.merchants.set_fault("registre", "hang")
    number = remote_buyer.confirm(token)
    with installation.database.reading() as session:
        task = session.scalars(select(Task).filter_by(kind="purchase")).one()
    assert (task.subject, task.attempts) == (number, 0)
    assert task.owner

    os.kill(server.process.pid, signal.SIGTERM)
    assert server.process.wait(60) == 0

    with installation.database.reading() as session:
        left = session.get_one(Task, task.id)
    assert (left.owner, left.lease_until) == ("", None)
    assert left.fence > task.fence
    company.merchants.set_fault("registre", None)
    assert wait_until(lambda: (work(), remote_delivered(installation, number))[1])
    assert len(company.merchants.book.orders()) == 1
    assert compare(installation.means).differences == []


def remote_delivered(installation, number):
    with installation.database.reading() as session:
        return orders.by_number(session, number).state == "delivered"


def test_a_worker_told_to_end_finishes_or_hands_back_what_it_holds(installation, buyer, company, tmp_path, work):
    """A backlog, a worker in the middle of it, SIGTERM: nothing is left leased and nothing is charged twice."""
    numbers = [buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN)) for _ in range(12)]
    company.operator.fault = "slow"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    environment |= {"PORTAL_CONFIG": str(tmp_path / "portal.toml"), "PYTHONPATH": str(ROOT)}
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-m", "portal", "worker"], env=environment, stderr=log, cwd=ROOT)

    def held():
        with installation.database.reading() as session:
            return session.scalars(select(Task).where(Task.owner != "", Task.done_at.is_(None))).all()

    assert wait_until(held)
    worker.terminate()
    assert worker.wait(60) == 0

    assert held() == []
    company.operator.fault = None
    assert wait_until(lambda: (work(), not open_tasks(installation))[1])
    assert sorted(line.state for line in company.operator.book.charges()) == ["succeeded"] * len(numbers)
    assert compare(installation.means).differences == []


def open_tasks(installation):
    with installation.database.reading() as session:
        return session.scalars(select(Task.id).where(Task.done_at.is_(None))).all()
