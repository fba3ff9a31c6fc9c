"""The CAMARA adapter over real sockets: every message as defined, every fault the outcome it must be."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, Response, jsonify

from connectors.contract import (
    ChargeItem,
    ContractBroken,
    NotFound,
    OperatorCharge,
    Refused,
    Unavailable,
    Unknown,
    Unreachable,
)
from connectors.http import Answer
from connectors.operators import camara_messages
from connectors.operators.camara import SCOPE, CamaraOperator
from connectors.operators.tokens import Tokens
from demo.operator import CLIENT, LINE, PAYMENTS
from tests.connectors import definition
from tests.connectors.conftest import adapter_for, charge

LONG_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def exchanges(line):
    """Every kind of message there is, said once."""
    bought, dropped, refused = charge(), charge(), charge(600_000, 100_000)
    reserved = line.adapter.prepare(bought)
    line.adapter.confirm(reserved.ref)
    line.adapter.confirm(reserved.ref)
    line.adapter.cancel(line.adapter.prepare(dropped).ref)
    line.adapter.refund(reserved.ref, 100, "a key of its own")
    line.adapter.find_refund(reserved.ref, "a key of its own")
    line.adapter.refund(reserved.ref, 500, "too much")
    line.adapter.charge(charge())
    line.adapter.prepare(refused)
    line.adapter.status("nothing")
    line.server.fault = "deny"
    line.adapter.prepare(charge())
    line.server.fault = None
    line.adapter.find(bought.key, LONG_AGO)
    line.adapter.check()
    said = [item for item in line.http.exchanges if "/oauth2/" not in item.url]
    assert {item.answer.status for item in said} == {200, 201, 202, 403, 404, 409, 422}
    return said


def test_every_message_is_as_our_own_model_says(exchanges):
    for item in exchanges:
        answered = json.loads(item.answer.body) if item.answer.body else None
        if item.answer.status >= 400:
            assert camara_messages.ErrorInfo.model_validate(answered).status == item.answer.status
        elif isinstance(answered, dict):
            is_refund = item.url.rstrip("?").endswith("/refunds")
            (camara_messages.Refund if is_refund else camara_messages.Payment).model_validate(answered)
        else:
            assert item.answer.status == 202 or isinstance(answered, list)


@pytest.mark.skipif(not definition.FOLDER.is_dir(), reason=f"the published definition is not at {definition.FOLDER}")
def test_every_message_is_as_the_published_definition_says(exchanges):
    wrong = []
    for item in exchanges:
        answered = json.loads(item.answer.body) if item.answer.body else None
        wrong += definition.breaches(item.method, item.url, item.sent, item.headers, item.answer.status, answered)
    assert wrong == []


@pytest.mark.skipif(not definition.FOLDER.is_dir(), reason=f"the published definition is not at {definition.FOLDER}")
def test_the_definition_check_can_fail():
    body = camara_messages.transaction_body(charge())
    url = f"http://operator{PAYMENTS}/prepare"
    fine = definition.breaches("POST", url, body, {"x-correlator": "ok"}, 401, _error(401, "UNAUTHENTICATED"))
    assert fine == []

    del body["amountTransaction"]["referenceCode"]
    body["amountTransaction"]["phoneNumber"] = "0123456789"
    found = definition.breaches("POST", url + "?page=1", body, {"x-correlator": "é"}, 299, None)

    assert len(found) == 5, found


def _error(status: int, code: str) -> dict[str, object]:
    return {"status": status, "code": code, "message": "No."}


@pytest.mark.parametrize("cents", [1, 10, 424, 353, 1999, 100_001])
def test_the_operator_books_the_very_cents_we_asked_for(cents, line):
    asked = charge(cents, cents // 6)

    reserved = line.adapter.prepare(asked)

    assert (reserved.state, reserved.amount_cents, reserved.key) == ("reserved", cents, asked.key)
    assert [(item.amount_cents, item.tax_cents) for item in line.server.book.charges()] == [(cents, cents // 6)]
    assert line.adapter.confirm(reserved.ref).state == "captured"


@pytest.mark.parametrize("repeats", [200, 201, 400, 409])
def test_a_repeat_finds_the_first_charge_however_the_operator_says_so(repeats, line):
    line.server.repeats = repeats
    asked = charge()

    assert line.adapter.prepare(asked) == line.adapter.prepare(asked)
    assert len(line.server.book.charges()) == 1


def unreadable(line, step):
    """From now on a step is refused our token, and nobody gives us another."""
    line.server.faults.strike("unauthorized", step)
    line.server.faults.strike("error500", "token")


@pytest.mark.parametrize("repeats", [400, 409])
def test_a_known_correlator_that_cannot_be_looked_up_now_is_a_doubt_never_a_no(repeats, line):
    line.server.repeats = repeats
    asked = charge()
    line.adapter.prepare(asked)
    unreadable(line, "listing")

    assert isinstance(line.adapter.prepare(asked), Unknown)


@pytest.mark.parametrize("step", ["confirm", "cancel"])
def test_a_step_that_was_taken_and_cannot_be_read_back_is_a_doubt_never_a_no(step, line):
    ref = line.adapter.prepare(charge()).ref
    unreadable(line, "read")

    assert isinstance(getattr(line.adapter, step)(ref), Unknown)
    assert [item.state for item in line.server.book.charges()] == [
        {"confirm": "succeeded", "cancel": "cancelled"}[step]
    ]


def test_the_same_key_with_another_amount_is_a_doubt(line):
    asked = charge()
    line.adapter.prepare(asked)

    outcome = line.adapter.prepare(charge(999, key=asked.key))

    assert isinstance(outcome, Unknown)
    assert len(line.server.book.charges()) == 1


@pytest.mark.parametrize(("step", "state"), [("confirm", "captured"), ("cancel", "voided")])
def test_a_second_step_done_twice_or_crosswise_reports_the_state_that_holds(step, state, line):
    ref = line.adapter.prepare(charge()).ref
    other = {"confirm": "cancel", "cancel": "confirm"}[step]

    assert getattr(line.adapter, step)(ref).state == state
    assert getattr(line.adapter, step)(ref).state == state
    assert getattr(line.adapter, other)(ref).state == state


def test_an_asynchronous_operator_is_asked_again(line):
    line.server.fault_once("processing")
    asked = charge()

    assert line.adapter.prepare(asked).state == "processing"
    line.server.book.charges()[0].decided_at = LONG_AGO
    assert line.adapter.find(asked.key, LONG_AGO).state == "reserved"


@pytest.mark.parametrize(("fault", "expected"), [
    ("deny", Refused("denied")), ("amount", Refused("amount")), ("error500", Unknown("")), ("html", Unknown("")),
    ("rate_limit", Unreachable("", 1)), ("hang", Unknown("")), ("cut_reply", Unknown("")), ("down", Unreachable("")),
])  # fmt: skip
def test_each_fault_is_the_outcome_it_must_be(fault, expected, line):
    line.adapter.check()
    line.server.fault = fault

    outcome = line.adapter.prepare(charge())

    assert type(outcome) is type(expected)
    assert getattr(outcome, "code", "") == getattr(expected, "code", "")
    assert getattr(outcome, "retry_after_s", None) == getattr(expected, "retry_after_s", None)


def test_a_lost_reply_is_found_in_the_list(line):
    line.server.fault_once("cut_reply")
    asked = charge()

    assert isinstance(line.adapter.prepare(asked), Unknown)
    found = line.adapter.find(asked.key, datetime.now(UTC))

    assert (found.state, found.amount_cents, found.reference) == ("reserved", 424, asked.reference)
    assert line.adapter.find("another key", LONG_AGO) == NotFound()


def test_the_list_is_read_over_all_its_pages(line):
    asked = [charge(reference=f"G-{number}") for number in range(120)]
    for item in asked:
        line.adapter.prepare(item)

    listed = list(line.adapter.list_charges(LONG_AGO))

    assert [item.key for item in listed] == [item.key for item in asked]
    assert list(line.adapter.list_charges(datetime.now(UTC) + timedelta(hours=1))) == []


@pytest.mark.parametrize(("wrong", "code"), [
    ({"line": "+33999999999"}, "line"), ({"line": "0123456789"}, "request"), ({"currency": "XYZ"}, "request"),
])  # fmt: skip
def test_a_request_the_operator_cannot_take_is_refused_for_certain(wrong, code, line):
    outcome = line.adapter.prepare(charge(**wrong))

    assert (type(outcome), outcome.code) == (Refused, code)
    assert line.server.book.charges() == []


def test_a_token_is_kept_while_it_is_good_and_renewed_when_refused(line):
    line.adapter.prepare(charge())
    line.adapter.prepare(charge())
    assert line.statuses("/oauth2/") == [200]

    line.server.tokens.clear()

    assert line.adapter.prepare(charge()).state == "reserved"
    assert line.statuses("/prepare") == [201, 201, 401, 201]
    assert line.statuses("/oauth2/") == [200, 200]


def test_a_token_about_to_end_is_renewed_before_it_is_refused(line):
    line.server.token_life_s = 20

    for _ in range(3):
        line.adapter.prepare(charge())

    assert 401 not in line.statuses()
    assert len(line.statuses("/oauth2/")) == 3


def test_wrong_credentials_are_a_refusal_and_said_by_check(line):
    http, adapter = adapter_for(line.server.url, ("guichet-demo", "wrong"))

    outcome = adapter.prepare(charge())
    [problem] = adapter.check()

    assert (type(outcome), outcome.code) == (Refused, "credentials")
    assert "client_id" in problem.remedy["fr"]
    assert "wrong" not in outcome.detail + problem.what["fr"]
    assert http.exchanges


def test_check_names_what_does_not_answer(line):
    assert line.adapter.check() == []
    line.server.fault = "down"
    _http, fresh = adapter_for(line.server.url)

    assert "token_url" in fresh.check()[0].remedy["fr"]
    assert "api_root" in line.adapter.check()[0].remedy["fr"]


@pytest.mark.parametrize("answer", [
    "not json", {}, [], {"access_token": "x"}, {"access_token": "x", "token_type": "mac"}, {"token_type": "bearer"},
    {"access_token": "line\nbreak", "token_type": "bearer"}, {"access_token": 3, "token_type": "bearer"},
    {"access_token": "x", "token_type": "bearer", "expires_in": "soon"},
])  # fmt: skip
def test_a_strange_token_answer_is_certainly_nothing_charged(answer, answering):
    app = Flask("tokens")
    app.post("/oauth2/token")(lambda: Response(answer) if isinstance(answer, str) else jsonify(answer))
    _http, adapter = adapter_for(answering(app))

    assert isinstance(adapter.prepare(charge()), Unreachable)


GOOD = {
    "paymentId": "P1", "paymentStatus": "reserved", "paymentCreationDate": "2026-11-23T10:00:00Z",
    "amountTransaction": {
        "phoneNumber": "+33123456789", "clientCorrelator": "k", "referenceCode": "G-1",
        "paymentAmount": {"chargingInformation": {"amount": 4.24, "currency": "EUR", "description": "d"}},
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


@pytest.mark.parametrize("answer", [
    "<html>", "null", [], "[" * 100_000, {}, changed("paymentId", None), changed("paymentId", ""),
    changed("paymentStatus", "done"), changed("paymentCreationDate", "yesterday"),
    changed("paymentCreationDate", "2026-11-23T10:00:00"), changed("amountTransaction", None),
    changed("amountTransaction.paymentAmount.chargingInformation.amount", 4.241),
    changed("amountTransaction.paymentAmount.chargingInformation.amount", -1),
    changed("amountTransaction.paymentAmount.chargingInformation.amount", "NaN"),
    changed("amountTransaction.paymentAmount.chargingInformation.amount", 5),
    changed("amountTransaction.paymentAmount.chargingInformation.currency", "USD"),
    changed("amountTransaction.clientCorrelator", "another"), changed("amountTransaction.referenceCode", "G-2"),
])  # fmt: skip
def test_an_answer_that_is_not_as_defined_is_a_doubt_never_a_yes(answer, answering):
    _http, adapter = adapter_for(answering(an_operator_that_answers(answer)))

    assert isinstance(adapter.prepare(charge(key="k", reference="G-1")), Unknown)
    if not isinstance(answer, dict) or not answer.get("paymentId") or "amountTransaction" not in answer:
        with pytest.raises(ContractBroken):
            list(adapter.list_charges(LONG_AGO))


def an_operator_that_answers(answer: object) -> Flask:
    """Good tokens, and this answer to every question about payments."""
    app = Flask("operator")

    @app.post("/oauth2/token")
    def token() -> Response:
        return jsonify(access_token="t", token_type="bearer")

    @app.post(f"{PAYMENTS}/prepare")
    def prepare() -> tuple[Response, int]:
        return (Response(answer) if isinstance(answer, str) else jsonify(answer)), 201

    @app.get(PAYMENTS)
    def listing() -> Response:
        return Response(answer) if isinstance(answer, str) else jsonify([answer])

    return app


def test_a_good_answer_is_a_charge(answering):
    _http, adapter = adapter_for(answering(an_operator_that_answers(GOOD)))

    outcome = adapter.prepare(charge(key="k", reference="G-1"))

    made = datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert outcome == OperatorCharge("P1", "k", "G-1", "reserved", 424, "EUR", made)


def test_one_step_reserves_and_captures_at_once(line):
    asked = charge()

    bought = line.adapter.charge(asked)

    assert (bought.state, bought.amount_cents) == ("captured", 424)
    assert line.adapter.charge(asked) == line.adapter.status(bought.ref) == bought
    assert [item.paid_at is not None for item in line.server.book.charges()] == [True]


def test_one_step_decided_later_is_captured_later_and_once(line):
    line.server.fault_once("processing")
    asked = charge()

    assert line.adapter.charge(asked).state == "processing"
    assert line.adapter.charge(asked).state == "processing"
    line.server.book.charges()[0].decided_at = LONG_AGO
    assert line.adapter.find(asked.key, LONG_AGO).state == "captured"
    assert len(line.server.book.charges()) == 1


def test_a_capture_asked_while_the_operator_still_decides_is_not_lost(line):
    line.server.fault_once("processing")
    ref = line.adapter.prepare(charge()).ref
    line.server.book.charges()[0].decided_at = LONG_AGO

    assert line.adapter.status(ref).state == "reserved"
    assert line.adapter.confirm(ref).state == "captured"


def test_every_item_is_told_with_its_vat(line):
    items = (ChargeItem("kbis", "Extrait K-bis", 353, 59), ChargeItem("statuts", "Statuts", 1030, 172))

    line.adapter.prepare(charge(1383, 231, items=items))
    line.adapter.prepare(charge(424, 71))

    several, one = (item.transaction["paymentAmount"]["paymentDetails"] for item in line.server.book.charges())
    assert [(item["id"], item["amount"], item["taxAmount"], item["isTaxIncluded"]) for item in several] == [
        ("kbis", 3.53, 0.59, True), ("statuts", 10.3, 1.72, True),
    ]  # fmt: skip
    assert [(item["description"], item["amount"], item["taxAmount"]) for item in one] == [
        ("Extrait K-bis - G-ABCDE-12345", 4.24, 0.71)
    ]


def test_items_that_do_not_add_up_cannot_be_charged():
    with pytest.raises(ValueError, match="items"):
        charge(424, 71, items=(ChargeItem("a", "A", 423, 71),))


@pytest.fixture
def by_token(line):
    """An operator whose tokens name the line, and our adapter told so."""
    line.server.line_by_token = True
    line.adapter = CamaraOperator(
        line.http,
        line.server.url,
        Tokens(line.http, f"{line.server.url}/oauth2/token", *CLIENT, SCOPE),
        LINE,
        by_token=True,
    )
    return line


def test_a_line_known_by_the_token_is_never_told(by_token):
    reserved = by_token.adapter.prepare(charge())
    dropped = by_token.adapter.prepare(charge())

    assert by_token.adapter.confirm(reserved.ref).state == "captured"
    assert by_token.adapter.cancel(dropped.ref).state == "voided"
    assert by_token.adapter.charge(charge()).state == "captured"
    assert "phoneNumber" not in str([item.sent for item in by_token.http.exchanges])
    assert by_token.adapter.check() == []


def test_a_token_of_another_line_is_a_doubt(by_token, monkeypatch):
    monkeypatch.setattr("demo.operator.LINE", "+33999999999")

    outcome = by_token.adapter.prepare(charge())

    assert isinstance(outcome, Unknown)
    assert "+33999999999" in outcome.detail


def test_telling_a_line_the_token_names_is_refused_for_what_it_is(line):
    line.server.line_by_token = True

    assert line.adapter.prepare(charge()) == Refused(
        "line", "422 UNNECESSARY_IDENTIFIER: The phone number is already identified by the access token."
    )


def test_without_addresses_nothing_is_sent_and_check_says_that_a_contract_is_needed():
    http, _adapter = adapter_for("http://127.0.0.1:1")
    adapter = CamaraOperator(http, "", Tokens(http, "", "", "", SCOPE), LINE, name="SFR")

    assert isinstance(adapter.prepare(charge()), Unreachable)
    assert isinstance(adapter.find("k", LONG_AGO), Unreachable)
    [problem] = adapter.check()
    assert "SFR" in problem.what["fr"]
    assert "needs a contract" in problem.what["en"]
    assert http.exchanges == []


def test_a_camara_operator_has_no_files(line):
    assert line.adapter.files is None


def test_a_token_that_ends_between_the_steps_is_renewed_unnoticed(line):
    ref = line.adapter.prepare(charge()).ref
    line.server.tokens.clear()

    assert line.adapter.confirm(ref).state == "captured"
    assert line.statuses("/confirm") == [401, 202]


@pytest.fixture
def unread(line, monkeypatch):
    """From the next answer but one on, nothing is sent any more, as when a breaker opens in the middle of a step."""

    def after(count):
        plain, left = line.http.request, iter(range(count))

        def request(method, url, **content):
            if next(left, None) is None:
                raise Unavailable("known to be away", retry_after_s=9)
            return plain(method, url, **content)

        monkeypatch.setattr(line.http, "request", request)

    return after


def test_a_step_that_was_heard_is_in_doubt_when_its_end_cannot_be_read(line, unread):
    bought = line.adapter.prepare(charge())
    unread(1)

    outcome = line.adapter.confirm(bought.ref)

    assert outcome == Unknown("received, and not to be looked up now: known to be away", 9)
    assert line.server.book.get(bought.ref).state == "succeeded"


def test_a_known_correlator_is_in_doubt_when_it_cannot_be_looked_up(line, unread):
    wanted = charge()
    line.adapter.prepare(wanted)
    line.server.repeats = 409
    unread(1)

    assert line.adapter.prepare(wanted) == Unknown("received, and not to be looked up now: known to be away", 9)


def test_a_refund_that_is_known_is_in_doubt_when_it_cannot_be_looked_up(line, monkeypatch):
    bought, plain = line.adapter.charge(charge()), line.http.request

    def request(method, url, **content):
        if not url.endswith("/refunds"):
            return plain(method, url, **content)
        if method == "POST":
            return Answer(409, {}, json.dumps(_error(409, "ALREADY_EXISTS")).encode())
        raise Unavailable("known to be away", retry_after_s=9)

    monkeypatch.setattr(line.http, "request", request)

    assert line.adapter.refund(bought.ref, 100, "key") == Unknown(
        "received, and not to be looked up now: known to be away", 9
    )


@pytest.mark.parametrize("status", [429, 503])
def test_a_list_that_asks_for_a_wait_says_how_long(status, answering_operator):
    adapter = answering_operator(status, {"Retry-After": "40"})

    assert adapter.find("key", LONG_AGO) == Unreachable(f"the list of payments came with status {status}", 40)


@pytest.fixture
def answering_operator(answering):
    def start(status, headers):
        app = Flask("busy")
        app.post("/oauth2/token", endpoint="token")(
            lambda: jsonify(access_token="t", token_type="Bearer", expires_in=300)
        )
        app.get(PAYMENTS, endpoint="list")(lambda: ("", status, headers))
        return adapter_for(answering(app))[1]

    return start
