"""A round of recovery: what the outbox does not know of is found, many doubts are resolved by one reading of the list."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from connectors.contract import Refused
from demo.operator import PAYMENTS
from demo.operator_book import RESERVATION_LIFE
from portal import clock, outbox
from portal.audit import AuditEntry
from portal.billing import recovery, turns
from portal.billing.charges import Charge
from portal.billing.recovery import EVERY, NAME, Findings, Waiting
from portal.billing.worker import work_once
from portal.checkout.books import compare
from portal.checkout.orders import Order, OrderEvent
from portal.checkout.verification import verify
from portal.installation import Installation, open_installation
from portal.outbox import Task
from tests.billing.conftest import SIREN, Bought


def recover(installation: Installation) -> Findings:
    found = installation.recovery.now()
    assert found is not None
    return found


def assert_agreed(installation: Installation) -> None:
    assert verify(installation.database, installation.storage) == []
    assert compare(installation.means).differences == []


def lose_tasks(installation: Installation) -> None:
    with installation.database.transaction() as session:
        session.execute(delete(Task))


def buy(buyer, installation, company, work, *faults: str) -> Bought:
    """One K-bis bought while the operator has a fault each time it is asked to change something."""
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    for fault in faults:
        company.operator.fault_once(fault)
    return Bought(installation, company, buyer.confirm(token), work)


@pytest.fixture
def doubtful(buyer, installation, company, work) -> Bought:
    """The operator has reserved, and its reply was lost."""
    made = buy(buyer, installation, company, work, "cut_reply")
    assert (made.charge.state, made.charge.operator_ref, made.theirs) == ("new", "", [("reserved", 0)])
    return made


@pytest.fixture
def unheard(buyer, installation, company, work) -> Bought:
    """The operator has not reserved, and said nothing that tells."""
    made = buy(buyer, installation, company, work, "error500")
    assert (made.charge.state, made.charge.sent_at is not None, made.theirs) == ("new", True, [])
    return made


def lists_read(company) -> int:
    return len([line for line in company.operator.book.journal() if (line.method, line.path) == ("GET", PAYMENTS)])


# --- What nobody would do any more -------------------------------------------------------------------


def test_a_delivery_whose_task_is_lost_is_charged(accepted, installation):
    lose_tasks(installation)
    assert [breach.invariant for breach in accepted.broken()] == [8]

    found = recover(installation)

    assert (found.enqueued, found.settled, found.all_is_well) == ({"capture": 1}, {"captured": 1}, True)
    assert accepted.theirs == [("succeeded", 0)]
    assert "task_missing" in accepted.events()
    assert_agreed(installation)


def test_a_failed_order_whose_task_is_lost_is_cancelled(buyer, company, installation, work):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.merchants.set_fault("registre", "down")
    failed = Bought(installation, company, buyer.confirm(token), work)
    company.merchants.set_fault("registre", None)
    lose_tasks(installation)

    assert recover(installation).settled == {"voided": 1}
    assert failed.theirs == [("cancelled", 0)]
    assert_agreed(installation)


def test_an_open_order_whose_task_is_lost_is_carried_on(doubtful, installation, work):
    lose_tasks(installation)

    found = recover(installation)

    assert (found.enqueued, found.settled) == ({"purchase": 1}, {"reserved": 1})
    with installation.database.reading() as session:
        events = session.scalars(select(OrderEvent.event).order_by(OrderEvent.id)).all()
    assert events[-2:] == ["task_missing", "reserved"]
    work()
    assert (doubtful.charge.state, doubtful.theirs) == ("captured", [("succeeded", 0)])
    assert_agreed(installation)


def test_a_refund_whose_task_is_lost_is_put_to_the_operator(bought, installation):
    bought.ask(100)
    lose_tasks(installation)

    assert recover(installation).enqueued == {"refund": 1}
    assert bought.theirs == [("succeeded", 100)]
    assert_agreed(installation)


def test_tasks_that_were_ended_too_soon_are_opened_again(accepted, installation):
    with installation.database.transaction() as session:
        session.execute(update(Task).values(done_at=clock.now()))

    assert recover(installation).enqueued == {"capture": 1}
    assert accepted.theirs == [("succeeded", 0)]


def test_nothing_is_enqueued_for_what_is_done_or_decided_by_a_person(bought, buyer, company, installation, work):
    cancelled = buy(buyer, installation, company, work)
    company.operator.book.charges()[1].state = "cancelled"
    work()
    assert cancelled.charge.state == "disputed"
    lose_tasks(installation)

    assert recover(installation) == Findings(payments=2)


# --- One reading for all doubts ----------------------------------------------------------------------


def test_many_lost_replies_cost_one_reading_of_the_list(buyer, installation, company, work):
    doubts = [buy(buyer, installation, company, work, "cut_reply") for _ in range(5)]
    before = lists_read(company)

    found = recover(installation)

    assert (found.doubts, found.settled) == (5, {"reserved": 5})
    assert lists_read(company) - before == 2
    work()
    assert {made.charge.state for made in doubts} == {"captured"}
    assert doubts[0].theirs == [("succeeded", 0)] * 5
    assert_agreed(installation)


def test_a_reservation_whose_order_failed_meanwhile_is_cancelled(doubtful, installation, later):
    doubtful.company.operator.fault = "down"
    later(minutes=11)
    doubtful.at_once()
    with installation.database.reading() as session:
        assert session.scalars(select(Order.state)).all() == ["failed"]
    doubtful.company.operator.fault = None

    assert recover(installation).settled == {"voided": 1}
    assert doubtful.theirs == [("cancelled", 0)]
    assert_agreed(installation)


def test_a_capture_whose_reply_was_lost_is_a_success(accepted, installation):
    accepted.company.operator.fault_once("cut_reply")
    accepted.work()
    assert (accepted.charge.state, accepted.theirs) == ("reserved", [("succeeded", 0)])

    assert recover(installation).settled == {"captured": 1}
    assert_agreed(installation)


@pytest.mark.parametrize(("theirs", "ends"), [("succeeded", "captured"), ("cancelled", "disputed")])
def test_a_capture_answered_already_done_or_already_cancelled(theirs, ends, accepted, installation):
    accepted.company.operator.book.charges()[0].state = theirs

    found = recover(installation)

    assert (found.settled, found.all_is_well) == ({ends: 1}, ends == "captured")
    assert 409 in {line.status for line in accepted.company.operator.book.journal()}
    assert accepted.theirs == [(theirs, 0)]
    assert accepted.broken() == []


def test_what_we_cancelled_ourselves_is_no_dispute(doubtful, installation, later):
    """The order failed, our cancellation reached the operator, and its reply was lost."""
    doubtful.company.operator.fault = "down"
    later(minutes=11)
    doubtful.at_once()
    doubtful.company.operator.fault = None
    doubtful.company.operator.book.charges()[0].state = "cancelled"

    assert recover(installation).settled == {"voided": 1}
    assert_agreed(installation)


def test_a_payment_of_another_amount_is_a_dispute(doubtful, installation):
    doubtful.company.operator.book.charges()[0].transaction["paymentAmount"]["chargingInformation"]["amount"] = 99.99

    found = recover(installation)

    assert (found.settled, found.all_is_well) == ({"disputed": 1}, False)
    assert doubtful.theirs == [("reserved", 0)]


# --- What the list does not show ---------------------------------------------------------------------


def test_absence_is_believed_only_after_the_lists_lag(unheard, installation, later, work):
    found = recover(installation)
    assert found.waiting == [Waiting(unheard.number, "purchase", "not_shown_yet", found.waiting[0].detail)]
    assert (unheard.events().count("sending"), unheard.theirs) == (1, [])

    later(minutes=16)
    recover(installation)

    assert unheard.theirs == [("reserved", 0)]
    work()
    assert_agreed(installation)


def test_a_list_that_lags_behind_makes_nothing_happen_twice(doubtful, installation):
    listing = doubtful.company.operator.listing
    listing.lag = timedelta(minutes=1)

    assert [item.why for item in recover(installation).waiting] == ["not_shown_yet"]
    assert doubtful.charge.state == "new"

    listing.lag = timedelta()
    assert recover(installation).settled == {"reserved": 1}
    assert doubtful.theirs == [("reserved", 0)]


@pytest.mark.parametrize("minutes", [-9, 9])
def test_clocks_that_differ_by_minutes_hide_no_payment(minutes, doubtful, installation):
    earlier = turns.take(installation.database, NAME, "an earlier round")
    earlier.reach(clock.now() + timedelta(hours=1))
    earlier.end(done=True)
    doubtful.company.operator.book.charges()[0].created_at += timedelta(minutes=minutes)

    assert recover(installation).settled == {"reserved": 1}


def test_what_was_never_recorded_there_is_voided_after_the_lag(unheard, installation, later):
    unheard.company.operator.fault = "down"
    later(minutes=11)
    unheard.at_once()
    unheard.company.operator.fault = None
    assert [item.why for item in recover(installation).waiting] == ["not_shown_yet"]

    later(minutes=20)

    assert recover(installation).settled == {"voided": 1}
    assert_agreed(installation)


def test_a_list_that_cannot_be_read_leaves_everything_as_it_is(doubtful, accepted, installation):
    doubtful.company.operator.fault = "down"
    before = accepted.events()

    found = recover(installation)

    assert "Unavailable" in found.unreadable
    assert sorted((item.task, item.why) for item in found.waiting) == [
        ("capture", "unreadable"), ("purchase", "unreadable"),
    ]  # fmt: skip
    assert (accepted.events(), found.all_is_well) == (before, False)
    with installation.database.reading() as session:
        assert session.scalars(select(turns.Turn.reached)).all() == [None]


# --- Others at work ----------------------------------------------------------------------------------


def test_what_a_worker_holds_is_left_alone(accepted, installation):
    with installation.database.transaction() as session:
        held = outbox.claim(session, "a worker", kind="capture", subject=accepted.number)

    found = recover(installation)

    assert (found.busy, found.cases, accepted.charge.state) == (1, 0, "reserved")
    with installation.database.transaction() as session:
        outbox.finish(session, held)


class Interrupted:
    """The operator, where something happens just after its list was read."""

    def __init__(self, operator: Any, then: Callable[[], None]) -> None:
        self.operator, self.then, self.found = operator, then, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.operator, name)

    def list_charges(self, since: datetime) -> Iterator[Any]:
        yield from self.operator.list_charges(since)
        self.then()

    def find(self, key: str, since: datetime) -> Any:
        self.found += 1
        # Time has passed here and not there.
        return self.operator.find(key, since - timedelta(days=2))


def test_a_list_older_than_a_workers_own_attempt_is_not_believed(accepted, installation, later):
    """Between the reading of the list and the round's turn at it a worker sent, and its reply was lost."""
    for line in accepted.company.operator.book.charges():
        line.created_at -= RESERVATION_LIFE + timedelta(hours=1)
    later(hours=25)
    accepted.company.operator.fault_once("error500")
    accepted.work()
    accepted.company.operator.fault_once("error500")
    accepted.at_once()
    assert (accepted.charge.state, accepted.theirs) == ("new", [("cancelled", 0)])
    later(minutes=16)

    def worker() -> None:
        accepted.company.operator.fault_once("cut_reply")
        with installation.database.transaction() as session:
            session.execute(update(Task).values(due_at=clock.now() - timedelta(seconds=1)))
        assert work_once(installation.database, "a worker", installation.handlers)
        assert accepted.theirs == [("cancelled", 0), ("reserved", 0)]

    between = Interrupted(installation.operator, worker)
    found = replace(installation.recovery, operator=between).now()

    assert (found.doubts, between.found, found.settled) == (1, 1, {"captured": 1})
    assert accepted.theirs == [("cancelled", 0), ("succeeded", 0)]
    assert_agreed(installation)


def test_the_list_answers_the_first_look_up_only(accepted, installation, later):
    """What was sent since is not in it: a reservation made in the round itself must not be taken for absent."""
    for line in accepted.company.operator.book.charges():
        line.created_at -= RESERVATION_LIFE + timedelta(hours=1)
    later(hours=25)
    accepted.company.operator.fault_once("error500")
    accepted.work()
    accepted.company.operator.fault_once("error500")
    accepted.at_once()
    later(minutes=16)
    between = Interrupted(installation.operator, lambda: None)
    between.confirm = lambda _ref: Refused("expired")

    found = replace(installation.recovery, operator=between).now()

    assert (found.doubts, between.found, [item.task for item in found.waiting]) == (1, 1, ["capture"])
    assert (accepted.charge.state, accepted.theirs) == ("reserved", [("cancelled", 0), ("reserved", 0)])


def test_one_worker_at_a_time(accepted, installation, later):
    other = turns.take(installation.database, NAME, "another machine")
    assert other
    assert installation.recovery.now() is None

    later(minutes=2)
    assert recover(installation).settled == {"captured": 1}
    with pytest.raises(turns.TurnLost):
        other.end(done=True)


def test_a_workers_own_round_leaves_what_is_put_off_and_a_persons_does_not(doubtful, accepted, installation):
    with installation.database.transaction() as session:
        session.execute(update(Task).values(due_at=clock.now() + timedelta(hours=1)))

    installation.recovery.at_intervals(clock.now())
    assert (accepted.charge.state, doubtful.charge.state) == ("reserved", "reserved")
    assert sorted(accepted.theirs) == [("reserved", 0), ("reserved", 0)]

    assert recover(installation).settled == {"captured": 1}


def test_a_round_whose_time_is_up_hands_back_what_it_holds(buyer, installation, company, work, monkeypatch):
    doubts = [buy(buyer, installation, company, work, "cut_reply") for _ in range(3)]
    times = iter([0.0, 0.0, 0.0, *[recovery.BUDGET_S + 1] * 50])
    monkeypatch.setattr(recovery, "time", SimpleNamespace(monotonic=lambda: next(times)))

    installation.recovery.at_intervals(clock.now())

    assert sorted(made.charge.state for made in doubts) == ["new", "new", "reserved"]
    with installation.database.reading() as session:
        assert not session.scalars(select(Task).where(Task.lease_until.is_not(None))).all()
        assert session.scalars(select(turns.Turn.done_at)).all() == [None]
    monkeypatch.undo()
    installation.recovery.at_intervals(clock.now())
    assert [made.charge.state for made in doubts] == ["reserved"] * 3


def test_a_round_on_start_and_every_few_minutes(doubtful, installation, later):
    def rounds() -> int:
        with installation.database.reading() as session:
            return len({*session.scalars(select(turns.Turn.done_at))} - seen)

    seen: set[Any] = {None}
    for machine, minutes, goes in (
        ("first", 0, 1),
        ("first", 1, 0),
        ("second", 1, 1),
        ("first", 1, 0),
        ("first", 6, 1),
    ):
        later(minutes=minutes)
        if machine == "second" or not seen - {None}:
            started = clock.now()
        installation.recovery.at_intervals(started if machine == "second" else clock.now() - EVERY)
        assert rounds() == goes, (machine, minutes)
        with installation.database.reading() as session:
            seen |= {*session.scalars(select(turns.Turn.done_at))}
    assert doubtful.charge.state == "reserved"


# --- What nobody here knows --------------------------------------------------------------------------


@pytest.fixture
def stranger(company, installation) -> Callable[[str], Any]:
    """A payment that no charge of ours made."""

    def make(state: str) -> Any:
        information = {"amount": 12.5, "currency": "EUR", "description": "?"}
        content = {"phoneNumber": "+33123456789", "clientCorrelator": f"k-{state}", "referenceCode": f"G-OTHER-{state}",
                   "paymentAmount": {"chargingInformation": information}}  # fmt: skip
        return company.operator.book.open(content, (1250, 0), state)

    return make


@pytest.mark.parametrize("state", ["reserved", "succeeded"])
def test_a_payment_nobody_here_knows_is_named_and_never_touched(state, stranger, accepted, installation):
    line = stranger(state)

    found = recover(installation)
    again = recover(installation)

    assert [item.ref for item in found.orphans] == [item.ref for item in again.orphans] == [line.payment_id]
    assert (line.state, found.all_is_well) == (state, False)
    with installation.database.reading() as session:
        [entry] = session.scalars(select(AuditEntry).where(AuditEntry.action == "payment_unknown"))
    assert (entry.subject, entry.after["amount_cents"]) == (f"G-OTHER-{state}", 1250)
    [difference] = compare(installation.means).differences
    assert (difference.subject, difference.because) == (f"G-OTHER-{state}", "unknown_here")


def test_a_cancelled_payment_nobody_here_knows_is_nobodys_business(stranger, accepted, installation):
    stranger("cancelled")

    assert recover(installation).all_is_well
    assert_agreed(installation)


@pytest.mark.parametrize(("state", "strange"), [("reserved", 0), ("succeeded", 1)])
def test_a_reservation_that_was_made_again_is_ours_unless_it_is_charged(state, strange, accepted, installation, later):
    for line in accepted.company.operator.book.charges():
        line.created_at -= RESERVATION_LIFE + timedelta(hours=1)
    later(hours=25)
    accepted.work()
    first, second = accepted.company.operator.book.charges()
    assert (first.state, second.state) == ("cancelled", "succeeded")
    first.state = state
    first.created_at = second.created_at = clock.now()

    assert len(recover(installation).orphans) == strange


def test_yesterdays_backup_put_back(buyer, company, installation, work, tmp_path, later):
    """Purchases in every state of yesterday, others that it has never heard of: all named, nothing charged twice."""
    charged = buy(buyer, installation, company, work)
    work()
    delivered = buy(buyer, installation, company, work)
    doubt = buy(buyer, installation, company, work, "cut_reply")
    recover_at = tmp_path / "yesterday.db"
    with installation.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(tmp_path / "portal.db", recover_at)

    doubt.at_once()
    work()
    lost = buy(buyer, installation, company, work)
    work()
    reserved = company.operator.book.open(
        {**company.operator.book.charges()[0].transaction, "clientCorrelator": "lost", "referenceCode": "G-LOST"},
        (353, 59), "reserved",
    )  # fmt: skip
    before = [line.state for line in company.operator.book.charges()]
    assert before == ["succeeded"] * 4 + ["reserved"]

    installation.close()
    for name in ("portal.db", "portal.db-wal", "portal.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(recover_at, tmp_path / "portal.db")
    restored = open_installation(installation.settings)
    found = recover(restored)
    while work_once(restored.database, "after", restored.handlers):
        pass

    assert [line.state for line in company.operator.book.charges()] == before
    assert {item.reference for item in found.orphans} == {lost.number, "G-LOST"}
    with restored.database.reading() as session:
        states = dict(session.execute(select(Charge.order_number, Charge.state)).all())
        assert states == {charged.number: "captured", delivered.number: "captured", doubt.number: "disputed"}
    assert verify(restored.database, restored.storage) == []
    named = {(item.subject, item.because) for item in compare(restored.means).differences}
    assert named == {
        (lost.number, "unknown_here"), ("G-LOST", "unknown_here"), (doubt.number, "charge_disputed"),
        (doubt.number, "order_disputed"),
    }  # fmt: skip
    assert reserved.state == "reserved"
    restored.close()
