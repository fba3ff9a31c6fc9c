"""A delivery that can never be charged is written off as a line everybody sees, and only then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from portal.billing import charges, disputes
from portal.checkout.books import compare


@pytest.fixture
def disputed(accepted):
    """Delivered, and its reservation was cancelled at the operator: it cannot be captured."""
    accepted.company.operator.book.charges()[0].state = "cancelled"
    accepted.work()
    assert accepted.charge.state == "disputed"
    return accepted


def test_a_write_off_ends_the_commitment_and_stays_a_line(disputed, buyer):
    cents = disputed.charge.amount_cents
    assert disputed.spent() == (cents, 0)

    assert disputed.decide("write_off", reason="the operator will not") == ""

    assert disputed.charge.state == "written_off"
    assert disputed.accounts() == {"uncharged": cents, "written_off": -cents}
    assert disputed.spent() == (0, 0)
    assert disputed.broken() == []
    buyer.get(f"/purchases/{disputed.number}/receipt")
    assert "n'a pas pu être débité" in buyer.text


def test_the_books_agree_and_say_what_was_written_off(disputed):
    disputed.decide("write_off", reason="the operator will not")

    compared = compare(disputed.installation.means)

    assert compared.differences == []
    assert [(line.order, line.amount_cents, line.by, line.reason) for line in compared.explained] == [
        (disputed.number, disputed.charge.amount_cents, "account 7", "the operator will not"),
    ]  # fmt: skip


@pytest.mark.parametrize("reason", ["", " \n "])
def test_a_write_off_without_a_reason_is_refused(reason, disputed):
    assert disputed.decide("write_off", reason) == "reason_missing"
    assert disputed.charge.state == "disputed"


def test_what_was_charged_or_is_on_its_way_cannot_be_written_off(accepted):
    assert accepted.decide("write_off") == "write_off_impossible"
    accepted.work()
    assert accepted.decide("write_off") == "write_off_impossible"


def test_what_the_operator_may_still_charge_cannot_be_written_off(accepted, later):
    accepted.company.operator.fault = "error500"
    accepted.work()
    later(hours=73)
    accepted.at_once()
    assert accepted.charge.state == "disputed"
    assert accepted.choices == ["look", "capture_again"]

    assert accepted.decide("write_off") == "write_off_charged"

    accepted.company.operator.fault = None
    accepted.company.operator.book.charges()[0].state = "cancelled"
    accepted.look()
    assert accepted.decide("write_off") == ""
    assert accepted.broken() == []


def test_written_off_is_the_end(disputed):
    disputed.decide("write_off")

    assert disputed.choices == []
    assert disputed.ask(100) == "refund_impossible"
    assert disputed.decide("write_off") == "write_off_impossible"
    assert disputed.decide("capture_again") == "choice_gone"


def test_of_two_who_decide_at_one_moment_one_does(disputed):
    start = Barrier(2)

    def decide(choice) -> str:
        start.wait()
        return disputed.decide(choice)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(decide, ["write_off", "write_off"]))

    assert sorted(answers) == ["", "write_off_impossible"]
    assert disputed.events().count("written_off") == 1
    assert disputed.broken() == []


def test_a_charge_that_the_operator_makes_all_the_same_is_found_and_explained(disputed):
    disputed.decide("write_off")
    disputed.company.operator.book.charges()[0].state = "succeeded"

    [difference] = compare(disputed.installation.means).differences

    assert (difference.subject, difference.because) == (disputed.number, "charge_written_off")


def test_a_delivery_whose_charge_was_voided_by_hand_is_named_until_it_is_written_off(disputed):
    with disputed.installation.database.transaction() as session:
        charges.move(session, charges.of_order(session, disputed.number), "voided", {})
    assert [(breach.invariant, breach.subject) for breach in disputed.broken()] == [(3, disputed.number)]

    disputed.decide("write_off")

    assert disputed.broken() == []


def test_the_evidence_holds_both_sides(disputed):
    disputed.decide("write_off", reason="the operator will not")
    with disputed.installation.database.reading() as session:
        kept = disputes.evidence(session, charges.of_order(session, disputed.number))

    said = {event.event: event.evidence for event in kept.events}
    assert said["doubted"]["state"] == "voided"
    assert said["doubted"]["key"] == kept.charge.key
    assert said["written_off"]["reason"] == "the operator will not"
    assert sum(line.amount_cents for line in kept.lines) == 0


@pytest.mark.parametrize(
    ("choice", "state", "spent"), [("write_off", "written_off", 0), ("consider_captured", "captured", 1)]
)
def test_what_was_refused_after_it_was_captured_is_decided_as_well(choice, state, spent, bought):
    """As an operator does that bills from files: it refuses a line days later."""
    with bought.installation.database.transaction() as session:
        charges.move(session, charges.of_order(session, bought.number), "doubted", {"outcome": "LineRejected"})
    assert bought.choices == ["look", "consider_captured", "write_off"]
    assert bought.broken() == []

    assert bought.decide(choice) == ""

    assert (bought.charge.state, bought.spent()) == (state, (0, spent * bought.charge.amount_cents))
    assert bought.broken() == []


def test_a_dispute_about_a_refund_is_no_reason_to_write_the_charge_off(bought, later):
    bought.company.operator.fault = "error500"
    bought.ask(100)
    bought.work()
    later(hours=73)
    bought.at_once()
    assert bought.charge.state == "disputed"

    assert bought.decide("write_off") == "write_off_impossible"
