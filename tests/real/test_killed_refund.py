"""SIGKILL at every commit and at every send of a refund: given back once, counted once, on either database."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from portal import clock
from portal.billing import charges, refunds
from portal.billing.worker import work_once
from portal.checkout.books import compare
from portal.checkout.verification import verify
from portal.installation import Installation
from portal.outbox import Task
from tests.billing.conftest import SIREN

ROOT = Path(__file__).parent.parent.parent
CENTS = 120


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each test on either database."""
    if request.param == "sqlite":
        return "sqlite:///portal.db"
    server = request.getfixturevalue("postgres")
    return server.url(server.make())


def refund(installation: Installation, number: str, point: int) -> subprocess.CompletedProcess[str]:
    """The whole refund in a process that dies at a point."""
    command = [sys.executable, "-W", "ignore", str(ROOT / "tests/real/killed_refund.py")]
    return subprocess.run(
        [*command, str(installation.settings.folder / "portal.toml"), number, str(CENTS), str(point)],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


def start_again(installation: Installation, number: str, later) -> None:
    """What a restart does: whoever saw nothing happen asks again, leases run out, a worker takes over."""
    with installation.database.transaction() as session:
        if not refunds.of_orders(session).get(number):
            refunds.ask(session, "test", charges.of_order(session, number), CENTS, "broken")
    for _ in range(3):
        later(minutes=20)
        with installation.database.transaction() as session:
            session.execute(update(Task).where(Task.done_at.is_(None)).values(due_at=clock.now()))
        while work_once(installation.database, "after", installation.handlers):
            pass
    with installation.database.reading() as session:
        assert session.scalars(select(Task.subject).where(Task.done_at.is_(None))).all() == []


def test_killed_at_every_point_it_is_given_back_once(buyer, installation, company, work, later):
    def charged() -> str:
        number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
        work()
        return number

    whole = refund(installation, charged(), 0)
    points = int(whole.stdout.splitlines()[-1]) if whole.returncode == 0 else 0
    assert points >= 12, whole.stderr

    # All of them now: once time has passed the buyer would have to sign in again.
    for point, number in enumerate([charged() for _ in range(points)], 1):
        killed = refund(installation, number, point)
        assert killed.returncode == -9, f"point {point}: {killed.stderr}"
        start_again(installation, number, later)
        with installation.database.reading() as session:
            states = [made.state for made in refunds.of_orders(session)[number]]
            assert (states, charges.of_order(session, number).refunded_cents) == (["done"], CENTS), f"point {point}"

    assert [line.refunded_cents for line in company.operator.book.charges()] == [CENTS] * (points + 1)
    assert {len(line.refunds) for line in company.operator.book.charges()} == {1}
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


# On SQLite tests/billing/test_refunds.py has them.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("fault", ["cut_reply", "processing", "deny", "error500", "html", "rate_limit"])
def test_each_fault_on_postgresql(fault, buyer, installation, company, work, later):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work()
    company.operator.fault_once(fault)
    with installation.database.transaction() as session:
        refunds.ask(session, "test", charges.of_order(session, number), CENTS, "broken")
    work()
    for made in company.operator.book.charges()[0].refunds:
        if "decided" in made:
            made["decided"] -= timedelta(minutes=1)
    start_again(installation, number, later)

    back = 0 if fault == "deny" else CENTS
    assert [line.refunded_cents for line in company.operator.book.charges()] == [back]
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []
