"""The system's clock is set forward or back in the middle of everything: nothing is sent twice, nothing waits for ever."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from demo.companies import COMPANIES
from portal import clock, outbox
from portal.billing.worker import work_once
from portal.checkout.books import compare
from portal.checkout.orders import Order
from portal.checkout.quotes import QuoteRow
from portal.checkout.verification import verify
from portal.directory import sessions, throttle
from portal.filters import show_hour, show_moment, show_second
from portal.outbox import LEASE_S, Task
from portal.rights.ceilings import Price, Terms, add_ceiling
from portal.rights.holds import CeilingUse, capture_holds, hold
from portal.rights.scopes import Scope
from tests.checkout.test_state_machines import DONE, assert_rest
from tests.checkout.world import World, made_database

PARIS = ZoneInfo("Europe/Paris")
SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
SENDS = {"operator": ("prepare", "confirm", "cancel", "refund"), "merchant": ("fulfil",)}
JUMPS = {
    "an hour": timedelta(hours=1), "two days": timedelta(days=2), "back an hour": timedelta(hours=-1),
    "back two days": timedelta(days=-2),
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return made_database(tmp_path_factory.mktemp("template") / "portal.db")


class Jumping:
    """Counts commits, and sends before and after they are heard; at one of these points the clock jumps.

    Whoever else there is goes on at that moment by the new time: the employee clicks again, workers look for tasks.
    """

    def __init__(self, world: World, at: int, span: timedelta) -> None:
        self.world, self.at, self.span, self.passed = world, at, span, 0
        begin = world.database.transaction

        @contextmanager
        def transaction():
            with begin() as session:
                yield session
            self.point()

        world.database.transaction = transaction
        for side, names in SENDS.items():
            for name in names:
                self._watch(getattr(world, side), name)

    def _watch(self, side, name: str) -> None:
        send = getattr(side, name)

        def sending(*arguments):
            self.point()
            answer = send(*arguments)
            self.point()
            return answer

        setattr(side, name, sending)

    def point(self) -> None:
        self.passed += 1
        if self.passed != self.at:
            return
        self.world.at += self.span
        self.world.confirm(*self.world.clicked[-1])
        for _ in range(5):
            self.world.work()


def purchase_and_refund(world: World) -> None:
    """Two clicks, the capture, and a refund of a part."""
    number = world.confirm(world.ask_price(1, 1_000), 1)
    while world.work():
        pass
    world.ask_refund(number, 100)
    while world.work():
        pass


@pytest.mark.parametrize("span", JUMPS)
@pytest.mark.parametrize("idempotent", [True, False])
def test_the_clock_jumps_between_any_two_steps(span, idempotent, template, tmp_path):
    quiet = World(template, tmp_path, idempotent=idempotent)
    counted = Jumping(quiet, 0, timedelta())
    purchase_and_refund(quiet)
    quiet.close()
    assert counted.passed > 20

    # The first point is the quote: where it is stored, nobody has clicked yet. Each way takes every third, all ways all.
    for at in range(2 + [*JUMPS].index(span) % 3, counted.passed + 1, 3):
        world = World(template, tmp_path, idempotent=idempotent)
        Jumping(world, at, JUMPS[span])
        try:
            purchase_and_refund(world)
            assert_rest(world)
            assert world.broken() == [], at
            assert len(world.merchant.made) <= 1, at
            [ended] = world.ends().values()
            # An order that was under way while the clock passed the deadline, and may not be sent again, is for a person.
            assert ended == DONE or (ended[0] == "disputed" and span == "two days" and not idempotent), (at, ended)
        finally:
            world.close()


def test_a_clock_set_back_holds_up_no_task_and_no_lease(installation, later):
    with installation.database.transaction() as session:
        outbox.enqueue(session, "capture", "G-HELD")
        outbox.enqueue(session, "void", "G-WAITS")
    with installation.database.transaction() as session:
        held = outbox.claim(session, "dies", kind="capture", subject="G-HELD")
        outbox.postpone(session, outbox.claim(session, "one", kind="void", subject="G-WAITS"), 10)

    later(days=-2)
    with installation.database.transaction() as session:
        taken = {outbox.claim(session, "two").subject for _ in range(2)}
        assert outbox.claim(session, "three") is None

    assert taken == {"G-HELD", "G-WAITS"}
    with pytest.raises(outbox.LeaseLost), installation.database.transaction() as session:
        outbox.finish(session, held)


def test_clocks_a_little_apart_take_nobodys_lease(installation, later):
    with installation.database.transaction() as session:
        outbox.enqueue(session, "capture", "G-HELD", leased_to="ahead")
    later(minutes=-5)
    with installation.database.transaction() as session:
        assert outbox.claim(session, "behind") is None
    later(minutes=5, seconds=LEASE_S + 1)
    with installation.database.transaction() as session:
        assert outbox.claim(session, "behind")


def test_set_back_quotes_proofs_and_failures_count_by_what_is_known(buyer, installation, company, later):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    later(hours=-1)

    # How old the price is nobody knows any more: it is asked again, and shown before anything is bought.
    assert buyer.confirm(token) == ""
    assert buyer.status == 409
    assert "n'est plus valable" in buyer.text or "a expiré" in buyer.text, buyer.text
    assert buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    assert buyer.get("/")
    assert buyer.status == 200


def test_a_password_typed_in_the_future_proves_nothing(installation, buyer, later):
    with installation.database.transaction() as session:
        [found] = session.scalars(select(sessions.SignedSession)).all()
        account = sessions.open_session(session, session.get_one(sessions.Account, found.account_id))
        assert sessions.is_proved(session, account)
        throttle.count_failure(session, "somebody", "10.0.0.1")
        assert throttle.failures(session, "somebody", "10.0.0.1") == (1, 1)
    later(hours=-1)
    with installation.database.reading() as session:
        assert not sessions.is_proved(session, account)
        assert throttle.failures(session, "somebody", "10.0.0.1") == (0, 0)
        assert session.get_one(sessions.Account, found.account_id).is_stale(clock.now())


@pytest.mark.parametrize("span", JUMPS)
def test_a_purchase_on_real_sockets_whose_clock_jumps_before_its_capture(
    span, buyer, installation, company, work, later
):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    later(hours=JUMPS[span].total_seconds() / 3600)
    # An hour is what the other side may ask us to wait, so a task due in an hour may be meant so.
    for _ in range(4):
        work()
        later(minutes=20)

    with installation.database.reading() as session:
        assert session.scalars(select(Task.subject).where(Task.done_at.is_(None))).all() == []
        assert session.scalars(select(Order.number)).all() == [number]
    assert [line.state for line in company.operator.book.charges()] == ["succeeded"]
    assert verify(installation.database, installation.storage) == []
    assert compare(installation.means).differences == []


def test_a_reservation_noted_by_a_clock_that_was_wrong_is_still_found(installation, buyer, company, later):
    """Sent a day ahead of the operator's clock, its reply lost, looked up after the clock was put right."""
    later(days=1)
    buyer.get("/sign-in")
    buyer.sign_in("chloe.lefevre")
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    with installation.database.transaction() as session:
        session.scalars(select(QuoteRow).where(QuoteRow.token == token)).one().expires_at += timedelta(days=1)
    company.operator.fault_once("cut_reply")
    buyer.confirm(token)
    later(days=-1)
    for _ in range(3):
        while work_once(installation.database, "worker", installation.handlers):
            pass
        later(minutes=6)

    assert [line.state for line in company.operator.book.charges()] == ["succeeded"]
    assert verify(installation.database, installation.storage) == []


# --- Month turn and the nights the clocks change --------------------------------------------------------


def at_paris(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def used(session) -> list[tuple[datetime, int, int]]:
    """Each period that was counted in, by its first instant in Paris; held and captured."""
    session.flush()
    session.expire_all()
    rows = session.scalars(select(CeilingUse).order_by(CeilingUse.period_start))
    return [
        (f"{row.period_start.astimezone(PARIS):%Y-%m-%d %H:%M}", row.held_cents, row.captured_cents) for row in rows
    ]


@pytest.mark.parametrize(("period", "last", "first", "before", "after"), [
    ("day", "2026-10-31T23:59:59", "2026-11-01T00:00:01", "2026-10-31", "2026-11-01"),
    ("month", "2026-10-31T23:59:59", "2026-11-01T00:00:01", "2026-10-01", "2026-11-01"),
    # The thirty-first of December 2026 is a Thursday: its week goes on into the new year.
    ("week", "2026-12-31T23:59:59", "2027-01-01T00:00:01", "2026-12-28", "2026-12-28"),
    ("week", "2027-01-03T23:59:59", "2027-01-04T00:00:01", "2026-12-28", "2027-01-04"),
    ("month", "2026-12-31T23:59:59", "2027-01-01T00:00:01", "2026-12-01", "2027-01-01"),
    ("year", "2026-12-31T23:59:59", "2027-01-01T00:00:01", "2026-01-01", "2027-01-01"),
])  # fmt: skip
def test_what_was_confirmed_before_midnight_counts_there_when_it_is_charged_after(
    period, last, first, before, after, installation, monkeypatch
):
    with installation.database.transaction() as session:
        ceiling = add_ceiling(session, "test", None, Terms("everyone", Scope("all"), period, 1_000))
        monkeypatch.setattr(clock, "now", lambda: at_paris(last))
        hold(session, [ceiling], 1, "G-1", Price(900, 900), PARIS)
        monkeypatch.setattr(clock, "now", lambda: at_paris(first))
        capture_holds(session, "G-1")

        if before == after:
            with pytest.raises(Exception, match="over_ceiling"):
                hold(session, [ceiling], 1, "G-2", Price(900, 900), PARIS)
            assert used(session) == [(f"{before} 00:00", 0, 900)]
        else:
            hold(session, [ceiling], 1, "G-2", Price(900, 900), PARIS)
            assert used(session) == [(f"{before} 00:00", 0, 900), (f"{after} 00:00", 900, 0)]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)])
def test_a_ceiling_per_day_holds_for_each_hour_of_a_short_and_of_a_long_day(day, hours, installation, monkeypatch):
    start = at_paris(f"{day}T00:00:00")
    with installation.database.transaction() as session:
        ceiling = add_ceiling(session, "test", None, Terms("everyone", Scope("all"), "day", 10_000))
        for hour in range(-1, 26):
            monkeypatch.setattr(clock, "now", lambda hour=hour: start + timedelta(hours=hour, minutes=30))
            hold(session, [ceiling], 1, f"G-{hour}", Price(100, 100), PARIS)

        counted = {first: held for first, held, _captured in used(session)}
    assert counted[f"{day} 00:00"] == 100 * hours
    assert sum(counted.values()) == 100 * 27


def test_the_hour_that_comes_twice_is_shown_so_that_one_knows_which(app, installation):
    with app.test_request_context("/"):
        shown = [
            str(show(datetime(2026, 10, 25, hour, 30, tzinfo=UTC)))
            for show in (show_hour, show_moment, show_second) for hour in (0, 1, 2)
        ]  # fmt: skip

    assert shown[:3] == ["02:30 (UTC+2)", "02:30 (UTC+1)", "03:30"]
    assert ">25 oct. 2026, 02:30 (UTC+2)<" in shown[3]
    assert ">25 oct. 2026, 02:30 (UTC+1)<" in shown[4]
    assert ">25 oct. 2026, 03:30<" in shown[5]
    assert ">25 oct. 2026, 02:30:00 (UTC+1)<" in shown[7]


def test_two_purchases_in_the_hour_that_comes_twice_are_two_and_each_is_counted_once(
    buyer, app, installation, company, work, later
):
    with installation.database.transaction() as session:
        add_ceiling(session, "test", None, Terms("everyone", Scope("all"), "day", 706))
    real = clock.now()
    later(seconds=(datetime(2026, 10, 25, 0, 30, tzinfo=UTC) - real).total_seconds())
    buyer.get("/sign-in")
    buyer.sign_in("chloe.lefevre")
    assert buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    later(hours=1)
    assert buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    later(minutes=1)
    work()

    page = buyer.get("/purchases")
    assert "02:30 (UTC+2)" in page
    assert "02:30 (UTC+1)" in page
    with installation.database.reading() as session:
        assert used(session) == [("2026-10-25 00:00", 0, 706)]
    assert buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN)) == ""
    assert len(company.operator.book.charges()) == 2
    assert verify(installation.database, installation.storage) == []
