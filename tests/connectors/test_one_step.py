"""An operator with one step, in front of the demonstration's: reserved here, charged there, never twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract import NotFound, OperatorCharge, Refused, Unknown, Unreachable
from connectors.operators.one_step import OneStepOperator
from connectors.operators.usage_file.spool import Spool
from demo.operator import PAYMENTS
from tests.connectors.conftest import charge

LONG_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def one(line, tmp_path):
    return OneStepOperator(Spool(tmp_path / "spool"), line.adapter, lambda: datetime.now(UTC))


def booked(line) -> list[str]:
    return [item.state for item in line.server.book.charges()]


def test_nothing_is_told_before_the_capture_and_then_once(one, line):
    asked = charge()
    reserved = one.prepare(asked)
    assert (reserved.state, booked(line)) == ("reserved", [])

    captured = one.confirm(reserved.ref)

    assert (captured.state, captured.ref, captured.amount_cents) == ("captured", reserved.ref, 424)
    assert one.confirm(reserved.ref) == one.status(reserved.ref) == one.find(asked.key, LONG_AGO) == captured
    assert one.cancel(reserved.ref).state == "captured"
    assert booked(line) == ["succeeded"]
    assert not any(item.url.startswith(f"{PAYMENTS}/prepare") for item in line.http.exchanges)


def test_a_void_forgets_it_for_ever(one, line):
    ref = one.prepare(charge()).ref

    assert [one.cancel(ref).state, one.cancel(ref).state, one.confirm(ref).state] == ["voided"] * 3
    assert booked(line) == []


def test_a_lost_reply_is_looked_up_and_not_sent_again(one, line):
    ref = one.prepare(charge()).ref
    line.server.fault_once("cut_reply")

    assert isinstance(one.confirm(ref), Unknown)
    assert one.confirm(ref).state == "captured"

    assert booked(line) == ["succeeded"]
    posts = [item for item in line.http.exchanges if item.method == "POST" and PAYMENTS in item.url]
    assert len(posts) == 0, "the only send had no answer"


def test_a_payment_that_is_known_and_cannot_be_looked_up_now_is_never_forgotten(one, line, monkeypatch):
    ref = one.prepare(charge()).ref
    faults = line.server.faults
    assert one.check() == []  # there is a token
    monkeypatch.setattr(faults, "one_of", lambda _choices: 409)
    for name, step in (("duplicate", "create"), ("unauthorized", "listing"), ("error500", "token")):
        faults.strike(name, step)
    assert isinstance(one.confirm(ref), Unknown)

    faults.calm()

    assert one.cancel(ref).state == "captured"
    assert booked(line) == ["succeeded"]


def test_what_was_sent_and_is_not_seen_yet_is_never_voided(one, line):
    ref = one.prepare(charge()).ref
    line.server.fault_once("error500")
    assert isinstance(one.confirm(ref), Unknown)

    assert isinstance(one.cancel(ref), Unknown)
    assert one.confirm(ref).state == "captured"
    assert booked(line) == ["succeeded"]


def test_an_operator_that_decides_later_is_asked_again(one, line):
    ref = one.prepare(charge()).ref
    line.server.fault_once("processing")

    assert one.confirm(ref).state == "processing"
    assert one.cancel(ref).state == "processing"
    line.server.book.charges()[0].decided_at = LONG_AGO
    assert one.confirm(ref).state == "captured"
    assert booked(line) == ["succeeded"]


@pytest.mark.parametrize(("fault", "kind"), [("down", Unreachable), ("deny", Refused), ("rate_limit", Unreachable)])
def test_what_the_operator_says_at_the_capture_is_told_onwards(fault, kind, one, line):
    ref = one.prepare(charge()).ref
    line.server.fault = fault

    assert isinstance(one.confirm(ref), kind)
    line.server.fault = None
    assert one.cancel(ref).state == "voided", "certainly nothing is there"
    assert booked(line) == []


def test_a_refusal_of_a_second_send_proves_nothing_about_the_first(one, line):
    ref = one.prepare(charge()).ref
    line.server.fault_once("error500")
    one.confirm(ref)
    line.server.fault_once("deny")

    assert isinstance(one.confirm(ref), Refused)
    assert isinstance(one.cancel(ref), Unknown)


def test_a_refund_goes_to_the_operators_own_payment(one, line):
    bought, reserved = one.charge(charge(1000, 0)), one.prepare(charge())

    given = one.refund(bought.ref, 400, "r")

    assert (given.charge_ref, given.state, given.amount_cents) == (bought.ref, "done", 400)
    assert one.find_refund(bought.ref, "r") == given
    assert one.find_refund(bought.ref, "another") == NotFound()
    assert [item.ref for item in one.list_refunds(bought.ref)] == [given.ref]
    assert line.server.book.charges()[0].refunded_cents == 400
    assert one.refund(reserved.ref, 1, "r2") == Refused("denied", "the charge is reserved")
    assert isinstance(one.refund("nothing", 1, "r3"), Unknown)


def test_its_book_is_the_operators_and_its_check_tries_both(one, line, tmp_path):
    one.charge(charge())
    one.prepare(charge())

    assert [item.state for item in one.list_charges(LONG_AGO)] == ["captured"]
    assert all(isinstance(item, OperatorCharge) for item in one.list_charges(LONG_AGO))
    assert one.find("another", LONG_AGO) == NotFound()
    assert (one.check(), one.files) == ([], None)
    (tmp_path / "spool" / "usage.db").write_bytes(b"x" * 5000)
    assert "usage_spool" in one.check()[0].remedy["en"]
    assert isinstance(one.prepare(charge()), Unreachable)
    assert isinstance(one.find("k", LONG_AGO), Unreachable)
