"""Once a day the journal's newest hash leaves the database with the log; a journal rewritten since is found by it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from portal import audit, clock
from portal.audit import AuditEntry
from portal.billing.rounds import Round
from portal.billing.worker import run_worker
from portal.daily import log_newest_hash, once_a_day
from portal.database import Database
from portal.migrations import schema

PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/daily.db")
    schema.upgrade(made)
    with made.transaction() as session:
        audit.record(session, "test", "made", "thing")
    yield made
    made.close()


def look(database) -> int:
    """How many lines were logged by one look."""
    with capture_logs() as said:
        once_a_day(database, PARIS, "audit head", log_newest_hash)
    return len(said)


def test_the_newest_hash_is_logged_once_a_day_of_the_company(database, monkeypatch):
    at = datetime(2026, 3, 28, 21, 0, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: at)
    logged = []
    for _hour in range(28):
        logged.append(look(database))
        at += timedelta(hours=1)

    # Midnight in Paris is 23:00 UTC in winter, and 22:00 after the clocks have changed that very night.
    assert [hour for hour, lines in enumerate(logged) if lines] == [0, 2, 25]


def test_the_line_names_the_newest_entry_and_its_hash(database):
    with database.reading() as session:
        newest = session.scalars(select(AuditEntry)).one()
    with capture_logs() as said:
        once_a_day(database, PARIS, "audit head", log_newest_hash)

    [line] = said
    assert (line["event"], line["entry"], line["hash"]) == ("audit_head", 1, newest.hash)


def test_eight_workers_at_one_moment_log_it_once(database):
    with capture_logs() as said, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _n: once_a_day(database, PARIS, "audit head", log_newest_hash), range(8)))

    assert [line["event"] for line in said] == ["audit_head"]


def test_what_fails_is_not_marked_as_done(database):
    def fail(_session) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        once_a_day(database, PARIS, "audit head", fail)

    assert look(database)


def test_the_worker_goes_its_rounds_and_survives_their_failure(database):
    stop, done = threading.Event(), []

    def work() -> None:
        done.append(1)
        if len(done) == 2:
            stop.set()
        raise ZeroDivisionError

    with capture_logs() as said:
        run_worker(database, {}, stop, 1, [Round("test", 0.01, work)])

    assert done == [1, 1]
    assert [line["event"] for line in said] == ["round_failed"] * 2


def test_an_installation_logs_the_hash_on_its_rounds(installation):
    with capture_logs() as said:
        for each in installation.rounds * 2:
            each.work()

    assert [line["event"] for line in said if line["event"] == "audit_head"] == ["audit_head"]


def test_a_noted_hash_tells_a_journal_that_was_cut_and_made_anew(database):
    with database.transaction() as session:
        noted = audit.record(session, "test", "made", "another")
    with database.transaction() as session:
        session.delete(session.get_one(AuditEntry, noted.id))
    with database.transaction() as session:
        audit.record(session, "test", "made", "something else")

    with database.reading() as session:
        assert audit.first_broken(session) is None
        assert not audit.has_hash(session, noted.hash)
        assert audit.has_hash(session, audit.newest(session).hash)
        assert audit.has_hash(session, audit.GENESIS)
