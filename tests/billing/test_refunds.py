"""Refunds: asked with a reason, given back by the operator, and counted only then; never twice, never too much."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from portal.audit import AuditEntry
from portal.billing import charges
from portal.billing.charges import Charge
from portal.checkout.books import compare


def journal(bought) -> list[tuple[str, str]]:
    with bought.installation.database.reading() as session:
        query = select(AuditEntry.actor, AuditEntry.action).where(AuditEntry.subject == bought.number)
        return [tuple(row) for row in session.execute(query.order_by(AuditEntry.id))]


def test_a_full_refund_counts_once_the_operator_confirms(bought, buyer):
    cents = bought.charge.amount_cents
    assert bought.ask()

    assert (bought.charge.state, bought.charge.refunded_cents, bought.spent()) == ("refunding", 0, (0, cents))
    assert "remboursé" not in buyer.get("/purchases")
    bought.work()

    assert (bought.charge.state, bought.charge.refunded_cents, bought.spent()) == ("refunded", cents, (0, 0))
    assert bought.theirs == [("succeeded", cents)]
    assert bought.accounts() == {}
    assert journal(bought)[-2:] == [("account 7", "refund_asked"), ("operator", "refund_confirmed")]
    assert bought.broken() == []
    assert compare(bought.installation.means).differences == []


def test_parts_go_on_until_nothing_is_left_and_hold_all_of_the_vat(bought):
    whole = bought.charge
    for part in (100, 1, 99):
        assert len(bought.ask(part)) == 36
        bought.work()
        assert bought.charge.state == "captured"
    assert bought.accounts()["operator_payable"] == 200 - whole.amount_cents
    bought.ask()
    bought.work()

    assert bought.charge.state == "refunded"
    assert bought.theirs == [("succeeded", whole.amount_cents)]
    assert bought.accounts() == {}
    assert bought.broken() == []


@pytest.mark.parametrize(("amount", "reason", "why"), [
    (100, " \n ", "reason_missing"), (0, "broken", "not_an_amount"), (-5, "broken", "not_an_amount"),
    (10_000_000, "broken", "refund_too_much"),
])  # fmt: skip
def test_what_cannot_be_refunded_is_refused_and_changes_nothing(amount, reason, why, bought):
    assert bought.ask(amount, reason) == why
    assert (bought.charge.state, bought.refund_states()) == ("captured", [])


def test_what_is_not_charged_cannot_be_refunded(accepted):
    assert accepted.ask(100) == "refund_impossible"


def test_one_refund_at_a_time(bought):
    bought.ask(100)
    assert bought.ask(100) == "refund_running"
    bought.work()
    bought.ask()
    bought.work()

    assert bought.ask(1) == "refund_impossible"
    assert bought.refund_states() == ["done", "done"]


def test_eight_who_ask_at_one_moment_get_one_refund(bought):
    start = Barrier(8)

    def ask(_number: int) -> str:
        start.wait()
        return bought.ask()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    bought.work()

    assert sorted(answers)[1:] == ["refund_running"] * 7 or answers.count("refund_running") == 7
    assert bought.theirs == [("succeeded", bought.charge.amount_cents)]
    assert bought.broken() == []


def test_the_database_itself_forbids_to_refund_more_than_was_captured(bought):
    with pytest.raises(IntegrityError), bought.installation.database.transaction() as session:
        session.execute(update(Charge).values(refunded_cents=Charge.amount_cents + 1))


@pytest.mark.parametrize("fault", ["deny", "amount"])
def test_a_refund_the_operator_denies_leaves_everything_as_it_was(fault, bought):
    before = bought.accounts(), bought.spent()
    bought.company.operator.fault_once(fault)
    bought.ask(100)
    bought.work()

    assert (bought.charge.state, bought.refund_states()) == ("captured", ["denied"])
    assert (bought.accounts(), bought.spent()) == before
    assert journal(bought)[-1] == ("operator", "refund_denied")
    assert bought.broken() == []
    bought.ask(100)
    bought.work()
    assert bought.refund_states() == ["denied", "done"]


def test_a_refund_denied_only_later_is_denied(bought):
    bought.company.operator.fault_once("refused_later")
    bought.ask(100)
    bought.work()
    assert bought.charge.state == "refunding"
    for made in bought.company.operator.book.charges()[0].refunds:
        made["decided"] -= timedelta(minutes=1)
    bought.at_once()

    assert (bought.charge.state, bought.refund_states()) == ("captured", ["denied"])
    assert bought.theirs == [("succeeded", 0)]


@pytest.mark.parametrize("fault", ["cut_reply", "processing"])
def test_a_lost_or_late_reply_is_looked_up_and_never_sent_again(fault, bought, later):
    bought.company.operator.fault_once(fault)
    bought.ask(100)
    bought.work()
    assert bought.charge.refunded_cents == 0
    for made in bought.company.operator.book.charges()[0].refunds:
        if "decided" in made:
            made["decided"] -= timedelta(minutes=1)
    later(minutes=30)
    bought.at_once()

    assert bought.charge.refunded_cents == 100
    assert [line.method for line in bought.company.operator.book.journal() if line.path.endswith("/refunds")] == [
        "POST", "GET",
    ]  # fmt: skip
    assert bought.broken() == []


@pytest.mark.parametrize("fault", ["error500", "html"])
def test_a_doubt_waits_until_its_absence_is_certain_and_then_asks_under_the_same_key(fault, bought, later):
    bought.company.operator.fault_once(fault)
    key = bought.ask(100)
    bought.work()
    later(minutes=5)
    bought.at_once()
    assert bought.events().count("refund_sending") == 1
    later(minutes=20)
    bought.at_once()

    [made] = bought.company.operator.book.charges()[0].refunds
    assert made["amountTransaction"]["clientCorrelator"] == key
    assert bought.charge.refunded_cents == 100
    assert bought.events().count("refund_sending") == 2


@pytest.mark.parametrize("fault", ["down", "rate_limit"])
def test_what_was_certainly_not_heard_is_asked_again_at_once(fault, bought):
    bought.company.operator.fault = fault
    bought.ask(100)
    bought.work()
    bought.company.operator.fault = None
    bought.at_once()

    assert bought.charge.refunded_cents == 100
    assert bought.broken() == []


def test_what_nobody_can_tell_at_the_deadline_is_a_dispute_to_be_decided(bought, later):
    for choice, back in (("consider_not_refunded", 0), ("refund_again", 100)):
        bought.company.operator.fault = "error500"
        bought.ask(100)
        bought.work()
        bought.company.operator.fault = "down"
        later(hours=73)
        bought.at_once()
        bought.company.operator.fault = None

        assert (bought.charge.state, bought.refund_states()[-1]) == ("disputed", "disputed")
        assert bought.choices == ["look", "refund_again"]
        assert bought.decide("consider_not_refunded") == "choice_gone"
        bought.look()
        assert bought.choices == ["look", "refund_again", "consider_not_refunded"]
        assert bought.broken() == []
        assert bought.decide(choice) == ""
        assert bought.decide(choice) == "choice_gone"
        for _ in range(3):
            later(minutes=20)
            bought.at_once()
        assert (bought.charge.state, bought.charge.refunded_cents) == ("captured", back)
        assert bought.broken() == []
        assert compare(bought.installation.means).differences == []


def test_a_refund_that_was_made_can_be_taken_for_settled_from_the_dispute(bought, later):
    bought.company.operator.fault = "cut_reply"
    bought.ask()
    bought.work()
    bought.company.operator.fault = "down"
    later(hours=73)
    bought.at_once()
    bought.company.operator.fault = None
    assert bought.charge.state == "disputed"
    bought.look()
    assert bought.choices == ["look", "refund_again", "consider_refunded"]

    assert bought.decide("consider_refunded") == ""

    assert (bought.charge.state, bought.spent(), bought.accounts()) == ("refunded", (0, 0), {})
    assert bought.broken() == []


def test_the_employee_sees_a_confirmed_refund_on_his_purchases_and_the_receipt(bought, buyer):
    bought.ask(100)
    bought.work()

    assert "1,00\xa0€ remboursés" in (buyer.get("/purchases"), buyer.text)[1]
    assert "1,00\xa0€ remboursés" in (buyer.get(f"/purchases/{bought.number}"), buyer.text)[1]
    buyer.get(f"/purchases/{bought.number}/receipt")
    assert "−1,00\xa0€" in buyer.text
    assert "Débité au final" in buyer.text


def test_a_cent_more_in_a_refund_by_hand_is_found(bought):
    bought.ask(100)
    bought.work()
    with bought.installation.database.transaction() as session:
        charge = charges.of_order(session, bought.number)
        charge.refunded_cents += 1

    assert {(breach.invariant, breach.subject) for breach in bought.broken()} == {(6, bought.number)}


def test_where_the_operator_cannot_tell_a_person_decides(bought, later):
    """It repeats no correlators in its list, and others have refunded too."""
    bought.company.operator.fault = "cut_reply"
    bought.ask(100)
    bought.work()
    bought.company.operator.fault = None
    for made in bought.company.operator.book.charges()[0].refunds:
        del made["amountTransaction"]["clientCorrelator"]
    later(hours=73)
    bought.at_once()

    assert bought.charge.state == "disputed"
    assert bought.choices == ["look", "refund_again", "consider_refunded", "consider_not_refunded"]
    assert bought.decide("consider_refunded") == ""
    assert bought.charge.refunded_cents == 100
    assert compare(bought.installation.means).differences == []
