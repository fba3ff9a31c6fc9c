"""The outbox gives each task to one holder at a time, and lets nobody write on a lease that is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal import clock, outbox
from portal.billing.worker import run_leased, work_once
from portal.database import Database
from portal.migrations import schema
from portal.outbox import LEASE_S, LONGEST_DELAY_S, LeaseLost, Task


@pytest.fixture
def database(tmp_path, still):
    made = Database(f"sqlite:///{tmp_path}/outbox.db")
    schema.upgrade(made)
    yield made
    made.close()


def enqueue(database, kind="capture", subject="G-1", **how):
    with database.transaction() as session:
        return outbox.enqueue(session, kind, subject, **how)


def claim(database, owner="me", **what):
    with database.transaction() as session:
        return outbox.claim(session, owner, **what)


def test_a_task_is_one_however_often_it_is_wanted(database):
    enqueue(database)
    enqueue(database)
    enqueue(database, "void")

    with database.reading() as session:
        assert len(session.scalars(select(Task)).all()) == 2
        assert outbox.open_subjects(session) == {"G-1"}


def test_a_task_is_held_by_one_until_its_lease_runs_out(database, later):
    enqueue(database)
    first = claim(database)
    assert claim(database, "another") is None

    later(seconds=LEASE_S + 1)
    second = claim(database, "another")

    assert (second.fence, second.attempts) == (first.fence + 1, first.attempts + 1)
    for write in (outbox.renew, outbox.finish, lambda *lease: outbox.postpone(*lease, 1)):
        with pytest.raises(LeaseLost), database.transaction() as session:
            write(session, first)
    with database.transaction() as session:
        outbox.finish(session, second)
    with pytest.raises(LeaseLost), database.transaction() as session:
        outbox.finish(session, second)


def test_many_at_one_moment_get_different_tasks(database):
    for number in range(20):
        enqueue(database, subject=f"G-{number}")

    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda number: claim(database, f"worker {number}"), range(30)))

    subjects = [lease.subject for lease in leases if lease]
    assert sorted(subjects) == sorted(f"G-{number}" for number in range(20))


def test_the_task_due_longest_comes_first_and_a_postponed_one_waits(database, later):
    for number in range(3):
        enqueue(database, subject=f"G-{number}")
        later(seconds=1)
    first = claim(database)
    with database.transaction() as session:
        outbox.postpone(session, first, 30, "not yet")

    assert [claim(database).subject for _ in range(2)] == ["G-1", "G-2"]
    assert claim(database) is None
    later(seconds=31)
    assert claim(database).subject == "G-0"


def test_a_named_task_can_be_taken_before_its_time(database):
    enqueue(database)
    with database.transaction() as session:
        outbox.postpone(session, outbox.claim(session, "me"), 600)

    assert claim(database) is None
    assert claim(database, kind="capture", subject="G-1").attempts == 2


@pytest.mark.parametrize("delay", [10**12, -5, 0])
def test_however_long_others_ask_us_to_wait_it_is_an_hour_at_most(delay, database):
    enqueue(database)
    with database.transaction() as session:
        outbox.postpone(session, outbox.claim(session, "me"), delay)

    with database.reading() as session:
        wait = session.scalars(select(Task)).one().due_at - clock.now()
    assert timedelta() <= wait <= timedelta(seconds=LONGEST_DELAY_S)


def test_waits_grow_and_stay_within_bounds():
    waits = [[outbox.back_off_s(attempts) for _ in range(50)] for attempts in range(1, 30)]

    assert all(0.5 <= wait <= outbox.LONGEST_WAIT_S * 1.25 for group in waits for wait in group)
    assert max(waits[0]) < min(waits[4]) < min(waits[8])
    assert len(set(waits[10])) > 10


def test_a_task_made_by_its_holder_is_leased_at_once(database):
    lease = enqueue(database, "purchase", leased_to="me")

    assert claim(database, "another") is None
    with database.transaction() as session:
        outbox.finish(session, lease)


def test_a_task_that_fails_is_put_back_with_its_reason_and_never_lost(database, later):
    enqueue(database)

    def fails(_lease):
        raise ZeroDivisionError("no luck")

    assert work_once(database, "me", {"capture": fails})
    assert not work_once(database, "me", {"capture": fails})
    with database.reading() as session:
        task = session.scalars(select(Task)).one()
    assert (task.done_at, task.owner, task.last_detail) == (None, "", "ZeroDivisionError: no luck")
    later(seconds=5)
    assert work_once(database, "me", {"capture": fails})


def test_a_lease_lost_in_mid_work_writes_nothing(database, later):
    lease = claim_after(database, later)

    def too_late(mine):
        later(seconds=LEASE_S + 1)
        assert claim(database, "another")
        with database.transaction() as session:
            outbox.finish(session, mine)

    run_leased(database, {"capture": too_late}, lease)

    with database.reading() as session:
        assert session.scalars(select(Task)).one().owner == "another"


def claim_after(database, later):
    enqueue(database)
    later(seconds=1)
    return claim(database)


def test_what_is_wanted_anew_takes_the_task_from_whoever_was_about_to_end_it(database):
    enqueue(database)
    held = claim(database)
    enqueue(database)

    with pytest.raises(LeaseLost), database.transaction() as session:
        outbox.finish(session, held)
    assert claim(database, "another").fence == held.fence + 2


def test_what_was_put_back_is_not_kept_by_whoever_still_thinks_it_his(database, later):
    enqueue(database)
    held = claim(database)
    with database.transaction() as session:
        outbox.postpone(session, held, 1)
    with database.transaction() as session:
        assert outbox.renew_many(session, [held]) == []
    later(seconds=2)
    assert claim(database, "another")
