"""Circuit breakers: one lane's silence is known to all processes, stops nothing else, and ends with the first answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from connectors.contract import Unavailable
from portal import breakers, clock, outbox
from portal.billing.worker import work_once
from portal.breakers import FIRST_WAIT_S, LONGEST_WAIT_S, LONGEST_WISH_S, THRESHOLD, Breakers
from portal.database import Database
from portal.migrations import schema
from portal.outbox import Task


@pytest.fixture
def database(tmp_path, still, later):
    made = Database(f"sqlite:///{tmp_path}/breakers.db")
    schema.upgrade(made)
    yield made
    made.close()


@pytest.fixture
def process(database):
    """Breakers as another process sees them, without its memory of half a second."""

    def start():
        made = Breakers(database)
        known = made.known
        made.known = lambda lane: (setattr(made, "_read_at", float("-inf")), known(lane))[1]
        return made

    return start


def fail(lane, times=THRESHOLD, **how):
    for _ in range(times):
        lane.failed("ConnectError", **how)


def standing(database):
    with database.reading() as session:
        return breakers.standing(session)


def is_away(lane):
    try:
        lane.before()
    except Unavailable:
        return True
    return False


def test_several_failures_in_a_row_open_it_for_every_process(process, database):
    one, another = process().of("operator"), process()
    fail(one, THRESHOLD - 1)
    assert not is_away(another.of("operator"))
    assert standing(database) == []

    fail(one, 1)

    assert is_away(another.of("operator"))
    assert not is_away(another.of("merchant:kbis"))
    (found,) = standing(database)
    assert (found.lane, found.detail) == ("operator", "ConnectError")
    assert found.since <= clock.now() < found.next_attempt


def test_an_answer_between_two_failures_begins_the_count_anew(process):
    lane = process().of("operator")
    for _ in range(3):
        fail(lane, THRESHOLD - 1)
        lane.answered()

    assert not is_away(lane)


def test_one_tries_at_a_time_and_the_first_answer_closes_it(process, database, later):
    one, another = process().of("operator"), process().of("operator")
    fail(one)
    later(seconds=FIRST_WAIT_S * 2)

    assert not is_away(one)
    assert is_away(another)
    with database.reading() as session:
        assert breakers.look(session).away == {"operator"}
    one.answered()

    assert not is_away(another)
    assert standing(database) == []


def test_who_died_while_trying_is_followed_by_another(process, later):
    fail(process().of("operator"))
    later(seconds=FIRST_WAIT_S * 2)
    assert not is_away(process().of("operator"))
    assert is_away(process().of("operator"))

    later(seconds=breakers.PROBE_S + 1)

    assert not is_away(process().of("operator"))


def test_waits_grow_with_each_vain_attempt_and_not_with_what_was_under_way(process, database, later):
    lane = process().of("operator")
    fail(lane, THRESHOLD + 30)
    waits = []
    for _ in range(12):
        (found,) = standing(database)
        waits.append((found.next_attempt - clock.now()).total_seconds())
        later(seconds=LONGEST_WAIT_S * 2)
        lane.before()
        lane.failed("ReadTimeout")

    assert waits[0] <= FIRST_WAIT_S * 1.25
    assert waits[1] < waits[3] < waits[5]
    assert LONGEST_WAIT_S * 0.7 < waits[-1] <= LONGEST_WAIT_S * 1.25


@pytest.mark.parametrize(("wish", "kept"), [(120, 120), (10**9, LONGEST_WISH_S)])
def test_a_wait_that_was_asked_for_is_kept_within_bounds(wish, kept, process, database):
    fail(process().of("merchant:kbis"), retry_after_s=wish)

    (found,) = standing(database)
    assert found.next_attempt - clock.now() == timedelta(seconds=kept)
    with pytest.raises(Unavailable) as refused:
        process().of("merchant:kbis").before()
    assert kept <= refused.value.retry_after_s <= kept + 1


def test_a_person_may_ask_anyway(process):
    lane = process().of("operator")
    fail(lane)

    with breakers.asking_anyway():
        assert not is_away(lane)
    assert is_away(lane)


def test_a_database_that_is_away_lets_everything_pass(process, tmp_path):
    lane = Breakers(Database(f"sqlite:///{tmp_path}/no/such/folder.db")).of("operator")
    fail(lane)

    assert not is_away(lane)
    lane.answered()


def enqueue(database, *subjects, kind="capture", lane=""):
    with database.transaction() as session:
        for subject in subjects:
            outbox.enqueue(session, kind, subject, lane=lane)


def tasks(database):
    with database.reading() as session:
        return session.scalars(select(Task).order_by(Task.id)).all()


def test_tasks_of_a_lane_that_is_away_are_left_alone_and_others_are_not(process, database):
    enqueue(database, "G-1")
    enqueue(database, "G-2", kind="purchase", lane="merchant:kbis")
    fail(process().of("operator"))
    done = []

    while work_once(database, "me", dict.fromkeys(("capture", "purchase"), lambda lease: done.append(lease.subject))):
        pass

    assert done == ["G-2"]
    assert tasks(database)[0].attempts == 0


@pytest.mark.parametrize(("kind", "hours"), [("purchase", 0.1), ("capture", 6.1)])
def test_an_overdue_task_is_taken_up_all_the_same_so_that_its_deadline_is_seen(kind, hours, process, database, later):
    enqueue(database, "G-1", kind=kind)
    later(hours=hours)
    fail(process().of("operator"), retry_after_s=3600)
    done = []

    assert work_once(database, "me", {kind: lambda lease: done.append(lease.subject)})
    assert done == ["G-1"]


def test_what_waited_for_its_last_back_off_is_due_soon_once_the_other_side_is_back(process, database, later):
    numbers = [f"G-{number}" for number in range(30)]
    enqueue(database, *numbers)
    enqueue(database, "M-1", kind="mail")
    with database.transaction() as session:
        session.execute(update(Task).values(due_at=clock.now() + timedelta(hours=1)))
    lane = process().of("operator")
    fail(lane)
    later(seconds=FIRST_WAIT_S * 2)
    lane.answered()

    *charges, mail = tasks(database)
    assert {task.due_at - clock.now() < timedelta(seconds=outbox.RELEASE_SPREAD_S) for task in charges} == {True}
    assert len({task.due_at for task in charges}) > 5
    assert mail.due_at - clock.now() > timedelta(minutes=55)
