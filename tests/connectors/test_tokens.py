"""Tokens that end at the wrong moment, lie about when, or cannot be had: nothing is sent twice, nothing is doubted for it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, Response, jsonify, request

from connectors.contract import OperatorCharge, Refused, UnknownOutcome, Unreachable
from connectors.operators.tokens import Tokens
from demo.operator import PAYMENTS
from portal import clock
from tests.connectors.conftest import Recorder, adapter_for, charge


def test_a_token_that_ends_between_prepare_and_confirm_is_renewed(line):
    reserved = line.adapter.prepare(charge())
    line.server.tokens.clear()

    assert line.adapter.confirm(reserved.ref).state == "captured"
    assert line.statuses("/confirm") == [401, 202]
    assert [kept.state for kept in line.server.book.charges()] == ["succeeded"]


@pytest.mark.parametrize("step", ["prepare", "confirm", "cancel"])
def test_a_token_that_ends_while_its_request_is_on_the_way_was_not_carried_out_and_is_repeated_once(step, line):
    """The token is good when it is taken, and no more when the request arrives."""
    asked = charge()
    ref = "" if step == "prepare" else line.adapter.prepare(asked).ref
    send, sent = line.http.request, []

    def slowly(method, url, **content):
        if url.endswith(step) and not sent:
            sent.append(url)
            line.server.tokens.clear()
        return send(method, url, **content)

    line.http.request = slowly
    outcome = line.adapter.prepare(asked) if step == "prepare" else getattr(line.adapter, step)(ref)

    assert outcome.state == {"prepare": "reserved", "confirm": "captured", "cancel": "voided"}[step]
    assert [status == 401 for status in line.statuses(f"/{step}")] == [True, False]
    assert len(line.server.book.charges()) == 1


def test_a_lookup_in_mid_list_goes_on_with_a_new_token(line):
    keys = []
    for _ in range(60):
        keys.append(charge())
        line.adapter.prepare(keys[-1])
    pages = line.adapter.list_charges(clock.now().replace(year=2020))
    first = next(pages)
    line.server.tokens.clear()

    found = [first.key, *(each.key for each in pages)]

    assert found == [asked.key for asked in keys]


@pytest.mark.parametrize("says", [10**9, 10**300, 1, 0.001, None, "absent"])
def test_whatever_a_token_answer_says_of_its_end_charges_go_through(says, answering):
    """Too long: the operator's 401 is believed. Too short: a new one is asked for each request. Unsaid: five minutes."""
    good, given = set(), []
    app = Flask("operator")

    @app.post("/oauth2/token")
    def token() -> Response:
        given.append(f"t{len(given)}")
        good.add(given[-1])
        body = {"access_token": given[-1], "token_type": "Bearer", "expires_in": says}
        if says == "absent":
            del body["expires_in"]
        return jsonify(body)

    @app.get("/thing")
    def thing() -> tuple[str, int]:
        bearer = request.headers["Authorization"].removeprefix("Bearer ")
        return ("", 200) if bearer in good else ("", 401)

    url = answering(app)
    http = Recorder([url.partition("//")[2]])
    tokens = Tokens(http, f"{url}/oauth2/token", "id", "secret", "scope")

    def ask() -> int:
        return http.request("GET", f"{url}/thing", headers={"Authorization": f"Bearer {tokens.current()}"}).status

    assert [ask() for _ in range(3)] == [200] * 3
    assert len(given) == (3 if says in {1, 0.001} else 1)
    good.clear()
    tokens.forget(given[-1])
    assert ask() == 200


def test_threads_that_meet_an_ended_token_make_one_request_for_the_next(line):
    reserved = [line.adapter.prepare(charge()).ref for _ in range(8)]
    line.http.exchanges.clear()
    line.server.tokens.clear()
    start = threading.Barrier(8)

    def capture(ref: str) -> object:
        start.wait()
        return line.adapter.confirm(ref)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(capture, reserved))

    assert [outcome.state for outcome in outcomes] == ["captured"] * 8
    assert line.statuses("/oauth2/") == [200]


def test_a_clock_that_jumps_means_nothing_to_tokens(line, later):
    line.adapter.prepare(charge())
    for span in ({"days": 2}, {"days": -4}, {"hours": 1}):
        later(**span)
        assert line.adapter.prepare(charge()).state == "reserved"

    assert line.statuses("/oauth2/") == [200]


def test_without_a_token_to_be_had_a_request_has_certainly_not_left(line):
    reserved = line.adapter.prepare(charge())
    line.server.tokens.clear()
    down = line.http.request

    def no_tokens(method, url, **content):
        if "/oauth2/" in url:
            raise UnknownOutcome("the token endpoint does not answer")
        return down(method, url, **content)

    line.http.request = no_tokens
    outcome = line.adapter.confirm(reserved.ref)

    assert isinstance(outcome, Unreachable)
    assert [kept.state for kept in line.server.book.charges()] == ["reserved"]
    line.http.request = down
    assert line.adapter.confirm(reserved.ref).state == "captured"


@pytest.mark.parametrize("page", ["error", "html"])
def test_a_401_for_ever_is_about_credentials_for_every_question_and_check_says_so(page, answering):
    app = Flask("operator")
    body = {"status": 401, "code": "UNAUTHENTICATED", "message": "no"}

    @app.post("/oauth2/token")
    def token() -> Response:
        return jsonify(access_token=f"t{time.monotonic_ns()}", token_type="Bearer", expires_in=300)

    @app.route(f"{PAYMENTS}", defaults={"_rest": ""}, methods=["GET", "POST"])
    @app.route(f"{PAYMENTS}/<path:_rest>", methods=["GET", "POST"])
    @app.route("/carrier-billing-refund/<path:_rest>", methods=["GET", "POST"])
    def payments(_rest: str) -> tuple[object, int]:
        return (jsonify(body), 401) if page == "error" else ("<html>Sign in</html>", 401)

    http, adapter = adapter_for(answering(app))
    at = clock.now()
    outcomes = [
        adapter.prepare(charge()), adapter.confirm("P1"), adapter.cancel("P1"), adapter.status("P1"),
        adapter.find("k", at), adapter.refund("P1", 100, "k"), adapter.find_refund("P1", "k"),
    ]  # fmt: skip

    assert [(type(each), each.code) for each in outcomes] == [(Refused, "credentials")] * len(outcomes)
    assert not any(isinstance(each, OperatorCharge) for each in outcomes)
    [problem] = adapter.check()
    assert "client_secret" in problem.remedy["fr"]
    # Each question was put twice at most: once with the token at hand, once with a new one.
    assert len([item for item in http.exchanges if "/oauth2/" not in item.url]) == 2 * (len(outcomes) + 1)
