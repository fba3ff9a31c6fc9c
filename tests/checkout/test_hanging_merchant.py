"""A merchant who hangs holds some threads of a web process, and never all of them."""

from __future__ import annotations

import threading
import time

import pytest

from connectors import waiting
from demo.articles import ARTICLES
from demo.companies import COMPANIES
from portal.checkout import views
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
ARTICLE = next(iter(ARTICLES))
CROWD = 6


@pytest.fixture
def crowd(app, monkeypatch):
    """Employees, signed in; whoever finds no seat is told soon."""
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.2)
    made = [Visitor(app) for _each in range(CROWD)]
    for someone in made:
        someone.sign_in("chloe.lefevre")
    return made


@pytest.fixture
def hangs(installation, monkeypatch):
    """The registry takes each call of a method, and goes on with all of them when the event is set."""
    let_go = threading.Event()

    def hang(name):
        connector = installation.merchants.loaded["registre"].connector
        method = getattr(connector, name)

        def waits(*given):
            assert let_go.wait(300)
            return method(*given)

        monkeypatch.setattr(connector, name, waits)
        return let_go

    yield hang
    let_go.set()


def at_once(crowd, work):
    """Everybody at the same moment."""
    threads = [threading.Thread(target=work, args=(someone,), daemon=True) for someone in crowd]
    for thread in threads:
        thread.start()
    return threads


def still_waiting(threads, expected):
    """How many still wait once all but so many have been answered."""
    ends = time.monotonic() + 120
    while sum(thread.is_alive() for thread in threads) > expected and time.monotonic() < ends:
        time.sleep(0.02)
    time.sleep(0.3)
    return sum(thread.is_alive() for thread in threads)


def test_of_many_who_ask_a_price_only_a_few_wait_and_others_buy_meanwhile(crowd, buyer, hangs):
    let_go = hangs("quote")
    threads = at_once(crowd, lambda someone: someone.ask_price("registre-kbis", siren=SIREN))
    assert still_waiting(threads, waiting.SEATS) == waiting.SEATS
    assert sum("est lent en ce moment" in someone.text for someone in crowd) == CROWD - waiting.SEATS
    assert buyer.confirm(buyer.ask_price("lesechos-article", article=ARTICLE))
    let_go.set()
    for thread in threads:
        thread.join(60)
    assert crowd[0].ask_price("registre-kbis", siren=SIREN)


def test_of_many_who_confirm_only_a_few_wait_and_all_are_bought(company, crowd, hangs, monkeypatch):
    monkeypatch.setattr(views, "PATIENCE_S", 60.0)
    tokens = {someone: someone.ask_price("registre-kbis", siren=SIREN) for someone in crowd}
    let_go = hangs("fulfil")
    threads = at_once(crowd, lambda someone: someone.confirm(tokens[someone]))
    assert still_waiting(threads, waiting.SEATS) == waiting.SEATS
    let_go.set()
    for thread in threads:
        thread.join(60)
    ends = time.monotonic() + 120
    while crowd[0].states() != ["delivered"] * CROWD and time.monotonic() < ends:
        time.sleep(0.1)
    assert crowd[0].states() == ["delivered"] * CROWD
    assert len(company.merchants.book.orders()) == CROWD
