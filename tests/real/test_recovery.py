"""Recovery that is killed at every commit and every send, that runs twice at once, and beside working workers."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from demo.company import Company
from portal import clock, settings
from portal.billing import recovery
from portal.billing.charges import Charge
from portal.billing.rounds import Round
from portal.billing.turns import Turn
from portal.billing.worker import run_worker, work_once
from portal.checkout.books import compare
from portal.checkout.orders import Order
from portal.checkout.verification import verify
from portal.installation import Installation, open_installation
from portal.outbox import Task
from tests.billing.conftest import SIREN

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}


def buy(buyer, company: Company, *, fault: str = "", merchant: str | None = None) -> str:
    """One K-bis; its order."""
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    if fault:
        company.operator.fault_once(fault)
    company.merchants.set_fault("registre", merchant)
    number = buyer.confirm(token)
    company.merchants.set_fault("registre", None)
    return number


@pytest.fixture
def troubles(buyer, company, installation) -> dict[str, str]:
    """One of each: order number to the state its charge must come to. An unknown reservation lies beside them."""
    silent = buy(buyer, company)
    company.operator.fault_once("cut_reply")
    work_once(installation.database, "before", installation.handlers)
    forgotten = buy(buyer, company)
    failed = buy(buyer, company, merchant="down")
    doubtful = buy(buyer, company, fault="cut_reply")
    with installation.database.transaction() as session:
        session.execute(delete(Task).where(Task.subject == forgotten))
        session.execute(update(Task).values(due_at=clock.now() + timedelta(hours=1)))
    content = {**company.operator.book.charges()[0].transaction, "clientCorrelator": "k", "referenceCode": "G-OTHER"}
    company.operator.book.open(content, (353, 59), "reserved")
    assert [line.state for line in company.operator.book.charges()] == ["succeeded", *["reserved"] * 4]
    return {silent: "captured", forgotten: "captured", failed: "voided", doubtful: "captured"}


def finish(installation: Installation) -> None:
    """What a restart does in time: leases run out, a round goes, and a worker does what is left."""
    with installation.database.transaction() as session:
        for table in (Task, Turn):
            session.execute(update(table).where(table.lease_until.is_not(None)).values(lease_until=clock.now()))
        session.execute(update(Task).values(due_at=clock.now()))
    assert installation.recovery.now() is not None
    while work_once(installation.database, "after", installation.handlers):
        pass


def assert_right(installation: Installation, company: Company, troubles: dict[str, str], when: str) -> None:
    """Each charge where it must be, each once, and only what nobody here knows is a difference."""
    with installation.database.reading() as session:
        assert dict(session.execute(select(Charge.order_number, Charge.state)).all()) == troubles, when
        assert session.scalars(select(Task.subject).where(Task.done_at.is_(None))).all() == [], when
    theirs = sorted(line.state for line in company.operator.book.charges())
    assert theirs == sorted(
        [*("succeeded" if end == "captured" else "cancelled" for end in troubles.values()), "reserved"]
    )
    assert verify(installation.database, installation.storage) == [], when
    assert [breach.subject for breach in compare(installation.means).differences] == ["G-OTHER"], when


@pytest.fixture
def victims() -> Iterator[subprocess.Popen[str]]:
    """A process whose forks do one round each."""
    command = [sys.executable, "-W", "ignore", str(ROOT / "tests/real/killed_recovery.py")]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdin=-1, stdout=-1, stderr=-3, text=True) as process:
        yield process
        process.stdin.close()


def round_of(victims: subprocess.Popen[str], config: Path, point: int) -> list[int]:
    victims.stdin.write(f"{config} {point}\n")
    victims.stdin.flush()
    return [int(word) for word in victims.stdout.readline().split()]


def test_killed_at_every_point_nothing_is_lost_or_doubled(troubles, victims, installation, company, tmp_path):
    installation.database.close()
    before = copy.deepcopy(company.operator.book.kept())

    def again(point: int) -> list[int]:
        folder = tmp_path / f"point{point}"
        shutil.copytree(tmp_path, folder, ignore=shutil.ignore_patterns("point*"))
        company.operator.book.recall(copy.deepcopy(before))
        ended = round_of(victims, folder / "portal.toml", point)
        house = open_installation(settings.load(folder / "portal.toml", {}))
        finish(house)
        assert_right(house, company, troubles, f"point {point}")
        house.close()
        shutil.rmtree(folder)
        return ended

    code, points = again(0)
    assert (code, points > 40) == (0, True)
    for point in range(1, points + 1):
        assert again(point) == [-9, 0], f"point {point}"


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest) -> str:
    """On either database."""
    return request.param


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, or what `either` says."""
    if "either" not in request.fixturenames or request.getfixturevalue("either") == "sqlite":
        return "sqlite:///portal.db"
    server = request.getfixturevalue("postgres")
    return server.url(server.make())


def test_two_processes_at_once_and_nothing_is_done_twice(either, troubles, installation, company, tmp_path):
    command = [sys.executable, "-W", "ignore", "-m", "portal", "charges", "recover", "--json"]
    environment = {**ENVIRONMENT, "PORTAL_CONFIG": str(tmp_path / "portal.toml")}
    both = [subprocess.Popen(command, cwd=ROOT, env=environment, stdout=-1, stderr=-1, text=True) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in both]

    # The unknown reservation, or the other process at it: either is told.
    assert [process.returncode for process in both] == [1, 1], said
    finish(installation)
    assert_right(installation, company, troubles, "after both")


def test_a_round_beside_two_working_workers(either, troubles, installation, company, monkeypatch):
    monkeypatch.setattr(recovery, "EVERY", timedelta())
    with installation.database.transaction() as session:
        session.execute(update(Task).values(due_at=clock.now() - timedelta(seconds=1)))
    stop = threading.Event()
    rounds = [Round("recovery", 0.02, lambda: installation.recovery.at_intervals(clock.now()))]
    worker = threading.Thread(target=run_worker, args=(installation.database, installation.handlers, stop, 2, rounds))
    worker.start()
    for _look in range(1200):
        with installation.database.reading() as session:
            states = dict(session.execute(select(Charge.order_number, Charge.state)).all())
            open_tasks = session.scalars(select(Task.id).where(Task.done_at.is_(None))).all()
        if states == troubles and not open_tasks:
            break
        stop.wait(0.1)
    stop.set()
    worker.join(60)

    assert_right(installation, company, troubles, "beside workers")
    with installation.database.reading() as session:
        assert set(session.scalars(select(Order.state))) == {"delivered", "failed"}
