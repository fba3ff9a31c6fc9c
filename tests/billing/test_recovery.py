"""A reservation that expired is made again before capture; what the operator has done already is taken as it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from demo.operator_book import RESERVATION_LIFE
from tests.billing.conftest import SIREN, Bought


def expire(bought, later) -> None:
    """The operator's reservation runs out, and as much time passes here."""
    for line in bought.company.operator.book.charges():
        line.created_at -= RESERVATION_LIFE + timedelta(hours=1)
    later(hours=25)


def test_a_reservation_that_expired_is_made_again_and_captured_once(accepted, later):
    expire(accepted, later)
    accepted.work()

    assert accepted.charge.state == "captured"
    assert accepted.theirs == [("cancelled", 0), ("succeeded", 0)]
    assert [item for item in accepted.events() if item in {"reserved", "expired", "captured"}] == [
        "reserved", "expired", "reserved", "captured",
    ]  # fmt: skip
    assert accepted.broken() == []


def test_the_old_key_stays_as_evidence(accepted, later):
    before = accepted.charge.key
    expire(accepted, later)
    accepted.work()

    assert accepted.charge.key != before
    correlators = [line.correlator for line in accepted.company.operator.book.charges()]
    assert correlators == [before, accepted.charge.key]


def test_one_the_operator_has_forgotten_altogether_is_made_again(accepted, later):
    accepted.company.operator.book.kept()[0].clear()
    later(hours=25)
    accepted.work()

    assert accepted.theirs == [("succeeded", 0)]
    assert accepted.broken() == []


def test_a_lost_reply_to_the_new_reservation_is_looked_up(accepted, later):
    expire(accepted, later)
    accepted.company.operator.fault_once("error500")
    accepted.work()
    accepted.company.operator.fault_once("cut_reply")
    for _ in range(4):
        accepted.at_once()

    assert accepted.theirs == [("cancelled", 0), ("succeeded", 0)]
    assert accepted.broken() == []


@pytest.mark.parametrize("fault", ["deny", "amount"])
def test_a_new_reservation_that_is_refused_is_a_dispute_not_a_void(fault, accepted, later):
    expire(accepted, later)
    accepted.company.operator.fault = fault
    for _ in range(4):
        accepted.at_once()

    assert accepted.charge.state == "disputed"
    assert accepted.theirs == [("cancelled", 0)]
    assert accepted.broken() == []
    assert accepted.choices == ["look", "capture_again", "write_off"]


def test_an_operator_that_is_down_delays_the_new_reservation_and_nothing_more(accepted, later):
    expire(accepted, later)
    accepted.company.operator.fault = "down"
    for _ in range(3):
        accepted.at_once()
    accepted.company.operator.fault = None
    for _ in range(4):
        accepted.at_once()

    assert accepted.charge.state == "captured"
    assert accepted.theirs == [("cancelled", 0), ("succeeded", 0)]


def test_a_capture_answered_already_confirmed_is_a_success(accepted):
    line = accepted.company.operator.book.charges()[0]
    line.state = "succeeded"
    accepted.work()

    assert accepted.charge.state == "captured"
    assert accepted.broken() == []


def test_a_capture_answered_already_cancelled_is_a_dispute(accepted):
    accepted.company.operator.book.charges()[0].state = "cancelled"
    accepted.work()

    assert accepted.charge.state == "disputed"
    assert accepted.theirs == [("cancelled", 0)]
    assert accepted.accounts().keys() == {"committed", "disputed"}
    assert accepted.broken() == []


def test_a_dispute_can_be_charged_again_once_and_looks_first(accepted, later):
    accepted.company.operator.book.charges()[0].state = "cancelled"
    accepted.work()
    later(hours=2)

    assert accepted.decide("capture_again", reason="") == "reason_missing"
    assert accepted.decide("capture_again") == ""
    assert accepted.decide("capture_again") == "choice_gone"
    accepted.work()

    assert accepted.charge.state == "captured"
    assert accepted.theirs == [("cancelled", 0), ("succeeded", 0)]
    assert accepted.broken() == []


def test_what_the_operator_had_captured_after_all_can_be_taken_for_settled(accepted):
    line = accepted.company.operator.book.charges()[0]
    line.state = "cancelled"
    accepted.work()
    line.state = "succeeded"

    assert accepted.decide("consider_captured") == "choice_gone"
    accepted.look()
    assert accepted.choices == ["look", "consider_captured"]
    assert accepted.decide("write_off") == "write_off_charged"
    assert accepted.decide("consider_captured") == ""

    assert accepted.charge.state == "captured"
    assert accepted.spent() == (0, accepted.charge.amount_cents)
    assert accepted.broken() == []


@pytest.fixture
def failed(buyer, company, installation, work):
    """A purchase that the merchant refused: its reservation waits to be cancelled."""
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.merchants.set_fault("registre", "down")
    number = buyer.confirm(token)
    company.merchants.set_fault("registre", None)
    made = Bought(installation, company, number, work)
    assert (buyer.states(), made.theirs) == (["failed"], [("reserved", 0)])
    return made


@pytest.mark.parametrize(("state", "end"), [("cancelled", "voided"), ("reserved", "voided"), ("succeeded", "disputed")])
def test_a_void_takes_what_the_operator_has_done_as_it_is(state, end, failed):
    failed.company.operator.book.charges()[0].state = state
    failed.work()

    assert failed.charge.state == end
    assert failed.broken() == []


def test_a_void_of_what_the_operator_has_forgotten_ends(failed, later):
    failed.company.operator.book.kept()[0].clear()
    later(hours=1)
    failed.work()

    assert failed.charge.state == "voided"


def test_what_was_charged_and_never_delivered_is_refunded_from_the_dispute(failed):
    failed.company.operator.book.charges()[0].state = "succeeded"
    failed.work()

    assert failed.choices == ["look", "consider_captured", "refund"]
    assert failed.decide("refund") == ""
    failed.work()

    cents = failed.charge.amount_cents
    assert failed.charge.state == "refunded"
    assert failed.theirs == [("succeeded", cents)]
    assert failed.accounts() == {}
    assert failed.broken() == []
