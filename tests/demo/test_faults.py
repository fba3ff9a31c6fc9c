"""Faults by name: each is on the wire what it is called, before or after the request was recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2
import pytest

from connectors.operators.camara_messages import transaction_body
from demo.faults import MANNERS, WIRE, Faults
from demo.operator import CLIENT, PAYMENTS, OperatorServer
from tests.connectors.conftest import charge
from tests.demo.test_operator import Caller

PREPARE = f"{PAYMENTS}/prepare"


@pytest.fixture
def operator() -> Iterator[OperatorServer]:
    server = OperatorServer()
    server.faults.hang_s = (0.3,)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def caller(operator: OperatorServer) -> Iterator[Caller]:
    made = Caller(operator.url)
    yield made
    made.http.close()


BODY = transaction_body(charge())


def prepare(caller):
    """What came back: a status, or how the connection ended."""
    try:
        answer = caller.call("POST", PREPARE, BODY)
    except httpx2.TransportError as error:
        return type(error).__name__
    try:
        answer.json()
    except ValueError:
        return f"{answer.status_code} unreadable"
    return str(answer.status_code)


EXPECTED = {
    "reset": {"ReadError", "RemoteProtocolError"}, "hang": {"ReadError", "RemoteProtocolError"}, "error500": {"500"},
    "rate_limit": {"429"}, "unauthorized": {"401"}, "malformed": {"200 unreadable", "201 unreadable"},
    "html": {"200 unreadable"}, "gateway": {"502 unreadable", "503 unreadable"},
}  # fmt: skip


@pytest.mark.parametrize(("name", "when"), [(name, when) for name, times in WIRE.items() for when in times])
def test_it_is_what_it_is_called_and_records_only_after(name, when, operator, caller):
    operator.faults.strike(name, "prepare", when, times=1)
    came = prepare(caller)

    assert came in (EXPECTED[name] if when != "late" else {"201"})
    assert len(operator.book.charges()) == (0 if when == "before" else 1)
    assert prepare(caller) == "201"
    assert len(operator.book.charges()) == 1


def test_what_is_held_back_is_recorded_after_its_client_has_gone(operator, caller):
    operator.faults.hang_s = (3.0,)
    caller.http.timeout = httpx2.Timeout(60, read=0.1)
    operator.faults.strike("hang", "prepare", "late", times=1)

    assert prepare(caller) == "ReadTimeout"
    assert operator.book.charges() == []
    give_up = time.monotonic() + 60
    while not operator.book.charges():
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert len(operator.book.charges()) == 1


def test_a_reservation_may_run_out_early_and_a_list_may_lag(operator, caller):
    operator.faults.expires_s = 0.0
    operator.faults.strike("expiring", "prepare", times=1)
    operator.faults.strike("lagging", "listing", times=1)
    prepare(caller)

    assert [line.state for line in operator.book.charges()] == ["cancelled"]
    assert caller.call("GET", PAYMENTS).json() == []
    assert len(caller.call("GET", PAYMENTS).json()) == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_says_what_the_weather_brings(seed):
    def drawn():
        faults = Faults()
        faults.weather(0.1, seed)
        return [faults.draw("prepare") for _ in range(200)], [faults.happens("lagging", "listing") for _ in range(200)]

    assert drawn() == drawn()


def test_a_weather_of_everything_brings_everything_about_as_often_as_said():
    faults = Faults()
    faults.weather(0.1, 5)
    for _ in range(2000):
        faults.draw("prepare")
        for manner in MANNERS:
            faults.happens(manner, "prepare")

    assert {name for _step, name in faults.befallen} == {*WIRE, *MANNERS}
    assert 0.52 < sum(faults.befallen["prepare", name] for name in WIRE) / 2000 < 0.62
    assert 0.07 < faults.befallen["prepare", "lagging"] / 2000 < 0.13


def test_a_fault_that_does_not_exist_is_refused(operator):
    with pytest.raises(ValueError, match="colour"):
        operator.faults.strike("colour", "prepare")
    with pytest.raises(ValueError, match="rate_limit after"):
        operator.faults.strike("rate_limit", "prepare", "after")
    with pytest.raises(ValueError, match="colour"):
        operator.faults.weather({"colour": 0.1}, 1)


def test_the_token_can_be_refused_too(operator, caller):
    operator.faults.strike("unauthorized", "token")

    assert caller.ask_token(CLIENT).status_code == 401
    operator.faults.calm()
    assert caller.ask_token(CLIENT).status_code == 200
