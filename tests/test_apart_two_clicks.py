"""Two clicks at merchants whose connectors run apart: whole pages, real sockets, processes that are killed, the books at the end."""

from __future__ import annotations

import os
import re
import signal

import pytest

from connectors.apart.merchant import ApartMerchant
from portal.checkout.books import compare
from portal.checkout.verification import verify
from tests.test_two_clicks import SERVICES, SIREN


@pytest.fixture
def company(company):
    """The demonstration company, whose portal runs every connector in a process of its own."""
    plain = company.configuration
    apart = r'\g<0>\ntrust = "own_process"'
    company.configuration = lambda *args, **more: re.sub('(?m)^connector = ".*"$', apart, plain(*args, **more))
    return company


@pytest.fixture
def installation(installation):
    """Whose connectors are all apart; their processes end with it."""
    connectors = [loaded.connector for loaded in installation.merchants.loaded.values()]
    assert len(connectors) == 5
    yield installation
    for each in connectors:
        assert isinstance(each, ApartMerchant)
        each.close()


def kill(connector: ApartMerchant) -> int:
    """SIGKILL to every process of a connector, whatever it does; how many there were."""
    processes = [process for _since, process in connector._pool._idle] + LENT
    for process in processes:
        os.kill(process._popen.pid, signal.SIGKILL)
        process._popen.wait()
    return len(processes)


LENT: list = []
"""The process that is busy."""


@pytest.fixture
def watched(installation, monkeypatch):
    """The registry's connector; it is known which process is busy."""
    connector = installation.merchants.connector("registre")
    take, give_back = connector._pool._take, connector._pool._give_back

    def taken():
        LENT.append(take())
        return LENT[-1]

    def given(process):
        LENT.remove(process)
        give_back(process)

    monkeypatch.setattr(connector._pool, "_take", taken)
    monkeypatch.setattr(connector._pool, "_give_back", given)
    return connector


def books_agree(installation) -> None:
    assert compare(installation.means).differences == []
    assert list(verify(installation.database, installation.storage)) == []


def test_every_service_is_delivered_and_charged_once(buyer, company, installation, work):
    for slug, inputs in SERVICES.items():
        buyer.confirm(buyer.ask_price(slug, **inputs))
        work()
        assert buyer.states()[0] == "delivered", slug
    assert [charge.state for charge in company.operator.book.charges()] == ["succeeded"] * len(SERVICES)
    books_agree(installation)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_while_it_orders_buys_once(
    when, watched, buyer, company, installation, later, work, monkeypatch
):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    request, killed = watched.context.http.request, []

    def cut(method, url, **content):
        if url.endswith("/orders") and method == "POST" and not killed and when == "before":
            killed.append(kill(watched))
        answer = request(method, url, **content)
        if url.endswith("/orders") and method == "POST" and not killed:
            killed.append(kill(watched))
        return answer

    monkeypatch.setattr(watched.context.http, "request", cut)
    buyer.confirm(token)
    for _round in range(4):
        later(seconds=30)
        work()

    assert killed == [1]
    assert buyer.states() == ["delivered"]
    assert len(company.merchants.book.orders()) == 1
    assert [charge.state for charge in company.operator.book.charges()] == ["succeeded"]
    books_agree(installation)


def test_a_process_killed_between_two_clicks_is_not_missed(watched, buyer, company, installation, work):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    assert kill(watched) == 1
    buyer.confirm(token)
    work()
    assert buyer.states() == ["delivered"]
    books_agree(installation)


def test_a_process_that_cannot_start_costs_nothing(watched, buyer, company, installation, work, monkeypatch):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    kill(watched)
    with monkeypatch.context() as broken:
        broken.setattr("connectors.apart.process.START", "raise SystemExit(9)")
        buyer.confirm(token)
        work()
    assert buyer.states() == ["failed"]
    assert company.merchants.book.orders() == []
    assert all(charge.state != "succeeded" for charge in company.operator.book.charges())
    books_agree(installation)
