"""Who hangs holds up nobody else; who ends hands back what it holds; who wakes up late writes nothing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from portal import breakers, outbox
from portal.billing import holding
from portal.billing.drain import LEAST_AHEAD, SENDERS, Drain
from portal.billing.holding import Holding
from portal.billing.worker import run_worker
from portal.database import Database
from portal.migrations import schema
from portal.outbox import LeaseLost, Task

SOON_S = 120
"""Nothing here takes so long, on whatever machine."""


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/fairness.db")
    schema.upgrade(made)
    yield made
    made.close()


def enqueue(database, kind, lane, *subjects):
    with database.transaction() as session:
        for subject in subjects:
            outbox.enqueue(session, kind, subject, lane=lane)


def names(prefix, count):
    return [f"{prefix}-{number}" for number in range(count)]


def until(condition):
    give_up = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


class Worked:
    """A worker in threads; tasks of kind `purchase` hang until told, others are done at once."""

    def __init__(self, database, **how):
        self.database, self.stop, self.go_on = database, threading.Event(), threading.Event()
        self.hanging, self.done, self.lock = Counter(), [], threading.Lock()
        handlers = {"purchase": self.hang, "void": self.finish, "mail": self.finish, "capture": self.finish}
        self.thread = threading.Thread(
            target=run_worker, args=(database, handlers, self.stop), kwargs={"grace_s": 0.2, **how}
        )
        self.thread.start()

    def hang(self, lease):
        with self.lock:
            self.hanging[lease.lane] += 1
        self.go_on.wait(SOON_S)
        self.finish(lease)

    def finish(self, lease):
        with self.database.transaction() as session:
            outbox.finish(session, lease)
        with self.lock:
            self.done.append(lease.subject)

    def end(self):
        self.stop.set()
        self.thread.join(SOON_S)
        assert not self.thread.is_alive()


@pytest.fixture
def worked(database):
    made = []

    def start(**how):
        made.append(Worked(database, **how))
        return made[-1]

    yield start
    for one in made:
        one.go_on.set()
        one.end()


def test_a_merchant_that_hangs_leaves_half_of_the_threads_to_the_others(database, worked):
    enqueue(database, "purchase", "merchant:slow", *names("S", 50))
    worker = worked(threads=8)
    until(lambda: worker.hanging["merchant:slow"] == 4)

    enqueue(database, "void", "operator", *names("V", 40))
    enqueue(database, "mail", "mail", *names("M", 10))

    until(lambda: len(worker.done) == 50)
    assert worker.hanging == {"merchant:slow": 4}
    worker.go_on.set()
    until(lambda: len(worker.done) == 100)


def test_many_that_hang_still_leave_a_thread(database, worked):
    worker = worked(threads=8)
    for number in range(12):
        enqueue(database, "purchase", f"merchant:{number}", *names(f"S{number}", 20))
    until(lambda: sum(worker.hanging.values()) == 7)

    enqueue(database, "void", "operator", *names("V", 20))

    until(lambda: len(worker.done) == 20)
    assert sum(worker.hanging.values()) == 7


def test_one_thread_still_does_everything(database, worked):
    worker = worked(threads=1)
    enqueue(database, "void", "operator", *names("V", 3))
    enqueue(database, "mail", "mail", *names("M", 3))

    until(lambda: len(worker.done) == 6)


def test_a_lane_that_tries_whether_it_is_back_gets_one_thread(database, worked, later):
    found = breakers.Breakers(database).of("merchant:slow")
    for _ in range(breakers.THRESHOLD):
        found.failed("ReadTimeout")
    later(minutes=1)
    enqueue(database, "purchase", "merchant:slow", *names("S", 10))
    worker = worked(threads=8)
    until(lambda: worker.hanging["merchant:slow"])

    enqueue(database, "mail", "mail", *names("M", 10))
    until(lambda: len(worker.done) == 10)
    assert worker.hanging == {"merchant:slow": 1}


def tasks(database, **where):
    with database.reading() as session:
        return session.scalars(select(Task).filter_by(**where).order_by(Task.id)).all()


def test_what_is_not_done_within_the_grace_time_is_handed_back_and_its_late_worker_writes_nothing(database, worked):
    enqueue(database, "purchase", "merchant:slow", "S-1")
    worker = worked(threads=2)
    until(lambda: worker.hanging)
    worker.end()

    (task,) = tasks(database)
    assert (task.owner, task.lease_until, task.attempts) == ("", None, 1)
    with database.transaction() as session:
        next_one = outbox.claim(session, "another")
    worker.go_on.set()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("worker-")])

    assert worker.done == []
    with database.transaction() as session:
        outbox.finish(session, next_one)


def test_what_is_done_within_the_grace_time_is_not_handed_back(database, worked):
    enqueue(database, "purchase", "merchant:slow", "S-1")
    worker = worked(threads=2, grace_s=SOON_S)
    until(lambda: worker.hanging)
    worker.stop.set()
    worker.go_on.set()
    worker.end()

    assert worker.done == ["S-1"]
    assert tasks(database)[0].done_at


def test_a_long_step_keeps_its_lease(database, monkeypatch, later):
    monkeypatch.setattr(holding, "BEAT_S", 0.05)
    enqueue(database, "void", "operator", "V-1")
    held = Holding(database)
    with database.transaction() as session:
        lease = outbox.claim(session, "me")
    with held.at(lease):
        later(seconds=outbox.LEASE_S - 1)
        first = tasks(database)[0].lease_until
        until(lambda: tasks(database)[0].lease_until > first)
        later(seconds=2)
        with database.transaction() as session:
            assert outbox.claim(session, "another") is None
            outbox.finish(session, lease)


class Group:
    """A drain whose answers are made by the test."""

    def __init__(self, database, ask):
        self.database, self.recorded, self.sizes = database, [], []
        self.drain = Drain("capture", self.read, ask, self.record)

    def read(self, session, leases):
        return {lease.subject: lease.subject for lease in leases if not lease.subject.startswith("alone")}

    def record(self, session, answered):
        outbox.finish_many(session, [lease for lease, _, _ in answered])
        if any(answer == "wrong" for _, _, answer in answered):
            raise ZeroDivisionError
        self.recorded += [about for _, about, _ in answered]
        self.sizes.append(len(answered))


def test_one_charge_that_is_stuck_holds_up_no_other(database, worked):
    stuck = threading.Event()

    def ask(subject, _lease):
        if subject == "G-3":
            stuck.wait(SOON_S)
        return "yes"

    enqueue(database, "capture", "operator", *names("G", 300))
    group = Group(database, ask)
    worker = worked(drains=[group.drain])

    until(lambda: len(group.recorded) == 299)
    assert not tasks(database, subject="G-3")[0].done_at
    assert max(group.sizes) > 1
    stuck.set()
    until(lambda: len(group.recorded) == 300)
    assert worker.done == []


def test_what_cannot_be_kept_together_is_kept_one_by_one(database, worked):
    enqueue(database, "capture", "operator", *names("G", 30), "alone-1")
    group = Group(database, lambda subject, _lease: "wrong" if subject == "G-7" else "yes")
    worker = worked(drains=[group.drain])

    until(lambda: {*group.recorded} >= {*names("G", 30)} - {"G-7"} and worker.done == ["alone-1"])
    until(lambda: tasks(database, subject="G-7")[0].last_detail)
    assert not tasks(database, subject="G-7")[0].done_at


def test_a_late_worker_records_nothing_of_the_one_it_lost(database, worked):
    asked = threading.Event()

    def ask(subject, _lease):
        if subject == "G-1":
            with database.transaction() as session:
                task = session.scalars(select(Task).filter_by(subject="G-1")).one()
                task.fence, task.owner = task.fence + 1, "another"
            asked.set()
        return "yes"

    enqueue(database, "capture", "operator", *names("G", 5))
    group = Group(database, ask)
    worker = worked(drains=[group.drain])
    until(lambda: asked.is_set() and {*group.recorded} >= {*names("G", 5)} - {"G-1"})
    worker.end()

    assert "G-1" not in group.recorded
    assert tasks(database, subject="G-1")[0].owner == "another"


def test_what_was_taken_and_not_asked_is_handed_back_as_it_was(database, worked):
    most = SENDERS * LEAST_AHEAD
    go_on = threading.Event()
    enqueue(database, "capture", "operator", *names("G", 20))
    group = Group(database, lambda _subject, _lease: go_on.wait(SOON_S) and "yes")
    worker = worked(drains=[group.drain], grace_s=SOON_S)
    until(lambda: len([task for task in tasks(database) if task.owner]) == most)
    worker.stop.set()
    until(lambda: len([task for task in tasks(database) if task.owner]) == SENDERS)
    go_on.set()
    worker.end()

    left = [task for task in tasks(database) if not task.done_at]
    assert len(group.recorded) == SENDERS
    assert {(task.owner, task.lease_until, task.attempts) for task in left} == {("", None, 0)}
    assert len([task for task in left if task.fence]) == most - SENDERS


def test_workers_on_one_backlog_do_each_task_once(database):
    enqueue(database, "capture", "operator", *names("G", 400))
    groups = [Group(database, lambda _subject, _lease: "yes") for _ in range(3)]
    stop = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        for group in groups:
            pool.submit(run_worker, database, {"capture": None}, stop, 1, (), [group.drain])
        try:
            until(lambda: sum(len(group.recorded) for group in groups) >= 400)
        finally:
            stop.set()

    assert sorted(subject for group in groups for subject in group.recorded) == sorted(names("G", 400))


@pytest.mark.parametrize("begun", [True, False])
def test_what_is_handed_back_is_not_ours_any_more(begun, database):
    enqueue(database, "void", "operator", "V-1")
    with database.transaction() as session:
        lease = outbox.claim(session, "me")
        outbox.hand_back(session, [lease], begun=begun)
    for write in (outbox.renew, outbox.finish, lambda *held: outbox.postpone(*held, 1)):
        with pytest.raises(LeaseLost), database.transaction() as session:
            write(session, lease)

    with database.transaction() as session:
        assert outbox.claim(session, "another").attempts == (2 if begun else 1)
