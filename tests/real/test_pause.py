"""A merchant paused in the midst of confirmations: once the pause is there, no order is made any more, on either database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal.catalog import site
from portal.checkout.confirmation import accept
from portal.checkout.orders import Order
from portal.checkout.quotes import find_quote, keep_quote
from portal.database import Database
from portal.directory.accounts import Account
from portal.refusals import Refused
from tests.checkout.other_sides import Merchant, loaded, quoted
from tests.checkout.world import ZONE, furnish

THREADS, EACH = 8, 12


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with one offer and two employees."""
    url = f"sqlite:///{tmp_path}/portal.db"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        url = server.url(server.make())
    made = Database(url)
    furnish(made)
    yield made
    made.close()


def count(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Order)) or 0


def test_no_order_is_made_once_the_pause_is_there(database):
    with database.transaction() as session:
        tokens = [keep_quote(session, 1, 1, {}, quoted(1)).token for _ in range(THREADS * EACH)]
    merchant, answers = loaded(Merchant(True, False)), []
    begun, paused = threading.Semaphore(0), threading.Event()

    def confirm(mine: list[str]) -> None:
        for token in mine:
            # However fast the others are, or late the pause is, each has one confirmation left for after it.
            if token == mine[-1]:
                assert paused.wait(120)
            with database.reading() as session:
                quote, person = find_quote(session, token, 1), session.get_one(Account, 1)
                assert quote.offer
            try:
                answers.append(accept(database, quote, person, merchant, ZONE, "web").number)
            except Refused as refusal:
                answers.append(refusal.reason.code)
            begun.release()

    threads = [threading.Thread(target=confirm, args=(tokens[each::THREADS],)) for each in range(THREADS)]
    for thread in threads:
        thread.start()
    for _ in range(THREADS):
        begun.acquire()
    with database.transaction() as session:
        site.pause(session, "test", "m")
    at_the_pause = count(database)
    paused.set()
    for thread in threads:
        thread.join()

    assert count(database) == at_the_pause
    assert set(answers) - {number for number in answers if number.startswith("G-")} == {"merchant_paused"}
    assert len(answers) == len(tokens)
    assert 0 < at_the_pause < len(tokens)
