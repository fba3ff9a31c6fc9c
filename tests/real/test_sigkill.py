"""SIGKILL at every commit and at every send of a purchase: bought once, delivered once, charged once."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from demo.companies import COMPANIES
from portal import clock, outbox
from portal.billing.worker import work_once
from portal.checkout.books import compare
from portal.checkout.confirmation import accept
from portal.checkout.orders import Order
from portal.checkout.quotes import find_quote
from portal.checkout.verification import verify
from portal.directory import accounts, sign_in
from portal.installation import Installation
from portal.outbox import Task

ROOT = Path(__file__).parent.parent.parent
SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


def purchase(installation: Installation, token: str, account: int, point: int) -> subprocess.CompletedProcess[str]:
    """The whole purchase in a process that dies at a point."""
    command = [sys.executable, "-W", "ignore", str(ROOT / "tests/real/killed_purchase.py")]
    return subprocess.run(
        [*command, str(installation.settings.folder / "portal.toml"), token, str(account), str(point)],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


def start_again(installation: Installation, token: str, account_id: int) -> None:
    """What a restart does: the employee clicks again, leases run out, a worker takes over."""
    with installation.database.transaction() as session:
        session.execute(
            update(Task).where(Task.lease_until.is_not(None)).values(lease_until=clock.now() - timedelta(seconds=1))
        )
        account = session.get_one(accounts.Account, account_id)
        quote = find_quote(session, token, account_id)
        assert quote is not None
        merchant = installation.merchants.merchant(quote.offer.merchant)
    current = sign_in.confirmed_account(installation.database, installation.directory, account)
    accepted = accept(
        installation.database, quote, current, merchant, installation.settings.portal.zone, installation.owner
    )
    if accepted.lease:
        installation.carry_on(accepted.lease, 30)
    finish(installation)


def finish(installation: Installation) -> None:
    """Work until nothing waits any more."""
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        while work_once(installation.database, "after", installation.handlers):
            pass
        with installation.database.transaction() as session:
            if not session.scalars(select(Task.id).where(Task.done_at.is_(None))).all():
                return
            session.execute(update(Task).where(Task.done_at.is_(None)).values(due_at=clock.now()))
    raise AssertionError("the outbox does not run empty")


@pytest.fixture
def account(buyer, installation) -> int:
    with installation.database.reading() as session:
        found = accounts.find(session, "chloe.lefevre")
    assert found
    return found.id


def test_killed_at_every_point_the_books_agree(buyer, account, installation, company):
    whole = purchase(installation, buyer.ask_price("registre-kbis", siren=SIREN), account, 0)
    points = int(whole.stdout.splitlines()[-1]) if whole.returncode == 0 else 0
    assert points > 20, whole.stderr

    for point in range(1, points + 1):
        token = buyer.ask_price("registre-kbis", siren=SIREN)
        killed = purchase(installation, token, account, point)
        assert killed.returncode == -9, f"point {point}: {killed.stderr}"
        start_again(installation, token, account)
        with installation.database.reading() as session:
            assert session.scalars(select(Order.state).where(Order.token == token)).all() == ["delivered"], (
                f"point {point}"
            )

    assert [order.state for order in company.merchants.book.orders()] == ["delivered"] * (points + 1)
    assert sorted(charge.state for charge in company.operator.book.charges()) == ["succeeded"] * (points + 1)
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


@pytest.mark.parametrize("repeats", [201, 409, 400])
def test_the_operators_reply_cut_after_it_recorded_the_reservation(repeats, buyer, installation, company):
    company.operator.repeats = repeats
    company.operator.fault_once("cut_reply")
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    finish(installation)

    assert buyer.states() == ["delivered"]
    assert [charge.state for charge in company.operator.book.charges()] == ["succeeded"]
    assert compare(installation.means).differences == []


def test_the_merchants_reply_cut_after_it_took_the_order(buyer, installation, company):
    company.merchants.fault_once("registre", "cut_reply")
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    finish(installation)

    assert buyer.states() == ["delivered"]
    assert len(company.merchants.book.orders()) == 1
    assert compare(installation.means).differences == []


def test_a_late_worker_cannot_act_on_a_lease_it_lost(installation):
    with installation.database.transaction() as session:
        late = outbox.enqueue(session, "void", "G-NONE", leased_to="late")
        session.execute(update(Task).values(lease_until=clock.now() - timedelta(seconds=1)))
    with installation.database.transaction() as session:
        assert outbox.claim(session, "other", kind="void", subject="G-NONE")

    with pytest.raises(outbox.LeaseLost), installation.database.transaction() as session:
        outbox.finish(session, late)
