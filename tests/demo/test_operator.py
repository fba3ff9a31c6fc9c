"""The demonstration operator refuses what a real one refuses, and keeps a journal of it all."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from connectors.operators.camara import SCOPE
from connectors.operators.camara_messages import transaction_body
from demo.operator import CLIENT, PAYMENTS, REFUNDS, OperatorServer
from tests.connectors import definition
from tests.connectors.conftest import charge


class Caller:
    """Plain requests, with a good token unless told otherwise."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=url)
        self.said: list[tuple[str, str, Any, httpx2.Response]] = []
        self.token = self.ask_token(CLIENT).json()["access_token"]

    def ask_token(self, client: tuple[str, str], scope: str = SCOPE) -> httpx2.Response:
        basic = base64.b64encode(":".join(client).encode()).decode()
        form = {"grant_type": "client_credentials", "scope": scope}
        return self.http.post("/oauth2/token", data=form, headers={"Authorization": f"Basic {basic}"})

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        signed = {"Authorization": f"Bearer {self.token}", **headers}
        answer = self.http.request(method, path, json=body, headers=signed)
        self.said.append((method, str(answer.request.url), body, answer))
        return answer


@pytest.fixture
def operator() -> Iterator[OperatorServer]:
    server = OperatorServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def caller(operator: OperatorServer) -> Iterator[Caller]:
    made = Caller(operator.url)
    yield made
    made.http.close()


def changed(path: str, value: object) -> dict[str, Any]:
    """A good body with one part replaced, or removed when the value is None."""
    body = copy.deepcopy(transaction_body(charge()))
    if "paymentDetails" not in path:
        # The items would no longer add up, and that would be a second fault.
        del body["amountTransaction"]["paymentAmount"]["paymentDetails"]
    *parents, name = path.split(".")
    place = body
    for parent in parents:
        place = place[parent]
    place.pop(name) if value is None else place.update({name: value})
    return body


MONEY = "amountTransaction.paymentAmount.chargingInformation"
DETAILS = "amountTransaction.paymentAmount.paymentDetails"
ITEM = {"id": "k", "amount": 4.24, "currency": "EUR", "description": "d", "isTaxIncluded": True, "taxAmount": 0.71}


@pytest.mark.parametrize(("body", "status", "code"), [
    (None, 400, "INVALID_ARGUMENT"), ({}, 400, "INVALID_ARGUMENT"), ([], 400, "INVALID_ARGUMENT"),
    (changed("amountTransaction.referenceCode", None), 400, "INVALID_ARGUMENT"),
    (changed("amountTransaction.colour", "blue"), 400, "INVALID_ARGUMENT"),
    (changed("amountTransaction.phoneNumber", "0123456789"), 400, "INVALID_ARGUMENT"),
    (changed("amountTransaction.phoneNumber", None), 422, "MISSING_IDENTIFIER"),
    (changed("amountTransaction.phoneNumber", "+33600000000"), 404, "IDENTIFIER_NOT_FOUND"),
    (changed(f"{MONEY}.amount", 0), 400, "INVALID_ARGUMENT"), (changed(f"{MONEY}.amount", -4), 400, "INVALID_ARGUMENT"),
    (changed(f"{MONEY}.amount", 1.2345), 400, "INVALID_ARGUMENT"),
    (changed(f"{MONEY}.amount", "much"), 400, "INVALID_ARGUMENT"),
    (changed(f"{MONEY}.currency", "FRF"), 400, "INVALID_ARGUMENT"),
    (changed(f"{MONEY}.isTaxIncluded", "yes"), 400, "INVALID_ARGUMENT"),
    (changed(DETAILS, []), 400, "INVALID_ARGUMENT"), (changed(DETAILS, [ITEM, ITEM]), 400, "INVALID_ARGUMENT"),
    (changed(DETAILS, [{**ITEM, "amount": 4.23}]), 400, "INVALID_ARGUMENT"),
    (changed(DETAILS, [{**ITEM, "taxAmount": 0.7}]), 400, "INVALID_ARGUMENT"),
    (changed(f"{MONEY}.amount", 5000.01), 422, "CARRIER_BILLING.UNAUTHORIZED_AMOUNT"),
])  # fmt: skip
def test_a_wrong_request_is_refused_and_books_nothing(body, status, code, operator, caller):
    answer = caller.call("POST", f"{PAYMENTS}/prepare", body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert operator.book.charges() == []


def test_only_a_known_client_with_a_live_token_and_the_right_scope_is_served(operator, caller):
    assert caller.ask_token(("guichet-demo", "wrong")).status_code == 401
    assert caller.call("GET", PAYMENTS, Authorization="Bearer made-up").status_code == 401
    assert caller.call("GET", PAYMENTS, **{"x-correlator": "not allowed: é"[:-1] + "!"}).status_code == 400

    caller.token = caller.ask_token(CLIENT, "carrier-billing:payments:read").json()["access_token"]
    assert caller.call("GET", PAYMENTS).status_code == 200
    assert caller.call("POST", f"{PAYMENTS}/prepare", transaction_body(charge())).status_code == 403

    operator.tokens[caller.token] = (0.0, {"carrier-billing:payments:read"})
    assert caller.call("GET", PAYMENTS).status_code == 401


def test_the_journal_holds_every_request_and_the_correlator_comes_back(operator, caller):
    answer = caller.call("GET", PAYMENTS, **{"x-correlator": "abc-1"})

    assert answer.headers["x-correlator"] == "abc-1"
    last = operator.book.journal()[-1]
    assert (last.method, last.path, last.status, last.x_correlator) == ("GET", PAYMENTS, 200, "abc-1")


def test_a_payment_lives_is_refunded_and_read_back(operator, caller):
    paid = caller.call("POST", PAYMENTS, transaction_body(charge(1000, 0))).json()
    refunds = f"{REFUNDS}/{paid['paymentId']}/refunds"
    body = {"type": "total", "amountTransaction": {"referenceCode": "G-1", "refundAmount": {}}}

    assert caller.call("GET", f"{refunds}/remaining-amount").json() == {"amount": 10, "currency": "EUR"}
    made = caller.call("POST", refunds, body).json()
    assert caller.call("POST", refunds, body).status_code == 422
    assert caller.call("GET", f"{refunds}/remaining-amount").json()["amount"] == 0
    assert caller.call("GET", f"{refunds}/{made['refundId']}").json() == made
    assert caller.call("GET", refunds).json() == [made]
    assert caller.call("GET", f"{refunds}/nothing").status_code == 404
    assert operator.book.charges()[0].refunded_cents == 1000
    if definition.FOLDER.is_dir():
        wrong = [
            breach
            for method, url, sent, answer in caller.said
            for breach in definition.breaches(method, url, sent, {}, answer.status_code, json.loads(answer.content))
        ]
        assert wrong == []
