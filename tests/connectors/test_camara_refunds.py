"""Refunds over real sockets: under a key of their own, found again by it, and never a yes that nobody said."""

from __future__ import annotations

import copy

import pytest
from flask import Flask, Response, jsonify

from connectors.contract import ContractBroken, NotFound, OperatorRefund, Refused, Unknown, Unreachable
from connectors.operators.camara_refunds import REFUNDS
from demo.operator import PAYMENTS
from tests.connectors.conftest import adapter_for, charge


@pytest.fixture
def paid(line) -> str:
    """A payment of 10,00 €."""
    return line.adapter.charge(charge(1000, 0)).ref


def refunded(line) -> int:
    [payment] = line.server.book.charges()
    return payment.refunded_cents


def test_a_refund_is_partial_never_more_than_what_is_left(line, paid):
    made = line.adapter.refund(paid, 400, "r1")

    assert (made.state, made.amount_cents, made.currency, made.key) == ("done", 400, "EUR", "r1")
    refusal = line.adapter.refund(paid, 601, "r2")
    assert (type(refusal), refusal.code) == (Refused, "amount")
    assert refunded(line) == 400


def test_a_repeat_with_the_same_key_gives_back_once(line, paid):
    assert line.adapter.refund(paid, 400, "r1") == line.adapter.refund(paid, 400, "r1")
    assert refunded(line) == 400


def test_a_lost_reply_is_found_by_its_key_among_many(line, paid):
    for number in range(60):
        line.adapter.refund(paid, 1, f"r{number}")
    line.server.fault_once("cut_reply")

    assert isinstance(line.adapter.refund(paid, 100, "lost"), Unknown)
    assert line.adapter.find_refund(paid, "lost").amount_cents == 100
    assert line.adapter.find_refund(paid, "never asked") == NotFound()
    assert [refund.key for refund in line.adapter.list_refunds(paid)] == [
        *(f"r{number}" for number in range(60)),
        "lost",
    ]


def test_a_known_refund_that_cannot_be_looked_up_now_is_a_doubt_never_a_no(line, paid):
    line.server.faults.strike("duplicate", "refund")
    line.server.faults.strike("unauthorized", "refunds")
    line.server.faults.strike("error500", "token")

    assert isinstance(line.adapter.refund(paid, 400, "r1"), Unknown)
    assert refunded(line) == 400
    line.server.faults.calm()
    assert line.adapter.find_refund(paid, "r1").state == "done"


def test_a_total_refund_made_by_others_is_of_what_was_left(line, paid):
    line.adapter.refund(paid, 400, "r1")
    body = {"type": "total", "amountTransaction": {"referenceCode": "G-1", "refundAmount": {}}}
    line.adapter._call("POST", f"{REFUNDS}/{paid}/refunds", json=body)

    assert [(refund.amount_cents, refund.key) for refund in line.adapter.list_refunds(paid)] == [(400, "r1"), (600, "")]
    # Which of them is ours cannot be told for certain any more.
    assert isinstance(line.adapter.find_refund(paid, "r2"), Unknown)


def test_an_operator_that_takes_its_time_is_asked_again(line, paid):
    line.server.fault_once("processing")
    assert line.adapter.refund(paid, 400, "r1").state == "processing"
    line.server.fault_once("refused_later")
    assert line.adapter.refund(paid, 300, "r2").state == "processing"
    for made in line.server.book.charges()[0].refunds:
        made["decided"] = made["decided"].replace(year=2000)

    assert line.adapter.find_refund(paid, "r1").state == "done"
    assert line.adapter.find_refund(paid, "r2").state == "denied"
    assert refunded(line) == 400


@pytest.mark.parametrize(("fault", "expected"), [
    ("deny", Refused("denied")), ("amount", Refused("amount")), ("error500", Unknown("")), ("html", Unknown("")),
    ("rate_limit", Unreachable("", 1)), ("hang", Unknown("")), ("cut_reply", Unknown("")), ("down", Unreachable("")),
])  # fmt: skip
def test_each_fault_is_the_outcome_it_must_be(fault, expected, line, paid):
    line.server.fault = fault

    outcome = line.adapter.refund(paid, 400, "r1")

    assert type(outcome) is type(expected)
    assert getattr(outcome, "code", "") == getattr(expected, "code", "")


def test_a_refund_of_a_payment_nobody_knows_is_certainly_nothing(line):
    assert isinstance(line.adapter.refund("nothing", 400, "r1"), Refused)
    assert isinstance(line.adapter.find_refund("nothing", "r1"), Refused)
    with pytest.raises(ContractBroken):
        line.adapter.list_refunds("nothing")


GOOD = {
    "refundId": "R1", "refundStatus": "succeeded", "type": "partial", "refundCreationDate": "2026-11-23T10:00:00Z",
    "amountTransaction": {"clientCorrelator": "r1", "referenceCode": "G-1", "refundAmount": {
        "chargingInformation": {"amount": 4, "currency": "EUR", "description": "d"}}},
}  # fmt: skip
PAYMENT = {
    "paymentId": "P1", "paymentStatus": "succeeded", "paymentCreationDate": "2026-11-23T10:00:00Z",
    "amountTransaction": {
        "phoneNumber": "+33123456789", "clientCorrelator": "k", "referenceCode": "G-1",
        "paymentAmount": {"chargingInformation": {"amount": 10, "currency": "EUR", "description": "d"}},
    },
}  # fmt: skip


def changed(path: str, value: object) -> dict[str, object]:
    """The good answer with one part replaced, or removed when the value is None."""
    content = copy.deepcopy(GOOD)
    *parents, name = path.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place.pop(name) if value is None else place.update({name: value})
    return content


@pytest.fixture
def said(answering):
    """An adapter before an operator that gives this answer to everything about refunds."""

    def adapter(answer: object, status: int = 201):
        app = Flask("operator")
        app.post("/oauth2/token", endpoint="token")(lambda: jsonify(access_token="t", token_type="bearer"))
        app.get(f"{PAYMENTS}/P1", endpoint="payment")(lambda: jsonify(PAYMENT))

        @app.post(f"{REFUNDS}/P1/refunds")
        def made() -> tuple[Response, int]:
            return (Response(answer) if isinstance(answer, str) else jsonify(answer)), status

        @app.get(f"{REFUNDS}/P1/refunds")
        def listed() -> Response:
            return Response(answer) if isinstance(answer, str) else jsonify([answer])

        return adapter_for(answering(app))[1]

    return adapter


@pytest.mark.parametrize("answer", [
    "<html>", "null", [], {}, changed("refundId", None), changed("refundId", ""), changed("refundStatus", "done"),
    changed("refundCreationDate", "yesterday"), changed("amountTransaction.clientCorrelator", "another"),
    changed("amountTransaction.refundAmount.chargingInformation.amount", 4.001),
    changed("amountTransaction.refundAmount.chargingInformation.amount", 5),
    changed("amountTransaction.refundAmount.chargingInformation.amount", -4),
    changed("amountTransaction.refundAmount.chargingInformation.currency", "USD"),
])  # fmt: skip
def test_an_answer_that_is_not_as_defined_is_a_doubt_never_a_yes(answer, said):
    assert isinstance(said(answer).refund("P1", 400, "r1"), Unknown)


def test_a_good_answer_is_a_refund_also_without_its_correlator(said):
    assert said(GOOD).refund("P1", 400, "r1").state == "done"
    assert said(changed("amountTransaction.clientCorrelator", None)).refund("P1", 400, "r1").state == "done"
    assert isinstance(said(GOOD).find_refund("P1", "r1"), OperatorRefund)


@pytest.mark.parametrize("status", [400, 409])
def test_a_known_key_is_looked_up_and_never_taken_for_a_refusal(status, said):
    code = {400: "INVALID_ARGUMENT", 409: "ALREADY_EXISTS"}[status]
    known = {"status": status, "code": code, "message": "clientCorrelator already exist on server."}

    assert isinstance(said(known, status).refund("P1", 400, "r1"), Unknown)
