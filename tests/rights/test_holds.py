"""What purchases take from ceilings: allowances, refunds, limits that change, VAT, warnings."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from portal import clock
from portal.checkout.verification import _ceilings_hold
from portal.database import Database
from portal.directory.answers import Group
from portal.migrations import schema
from portal.refusals import Refused
from portal.rights.ceilings import (
    Ceiling,
    Price,
    Terms,
    add_ceiling,
    applying,
    change_ceiling,
    end_ceiling,
    revive_ceiling,
)
from portal.rights.holds import CeilingUse, Hold, capture_holds, give_back, hold, release_holds, rooms_under
from portal.rights.scopes import Scope, Wanted

PARIS = ZoneInfo("Europe/Paris")
KBIS = Wanted("registre", "kbis", "entreprises")
BUYERS = Group("cn=achats,ou=groupes,dc=acme,dc=example", "6f1e", "achats")
KEYS = BUYERS.keys
NOBODY = frozenset()


def limit(session, cents, period="month", who="each", **more):
    group = None if who == "everyone" else BUYERS
    return add_ceiling(session, "admin", group, Terms(who, Scope("all"), period, cents, **more))


def spend(session, number, cents, net=None, excused=NOBODY):
    price = Price(cents if net is None else net, cents)
    hold(session, applying(session, KEYS, KBIS), 1, number, price, PARIS, excused)


def used(session):
    session.flush()
    session.expire_all()
    query = select(CeilingUse.held_cents, CeilingUse.captured_cents, CeilingUse.extra_cents)
    return [tuple(row) for row in session.execute(query)]


def test_an_allowance_lets_one_purchase_pass_by_what_it_lacks(session):
    made = limit(session, 1000)
    spend(session, "G-1", 900)

    spend(session, "G-2", 300, excused=frozenset({made.id}))

    assert used(session) == [(1200, 0, 200)]
    with pytest.raises(Refused):
        spend(session, "G-3", 1)
    assert list(_ceilings_hold(session)) == []


def test_an_allowance_is_not_used_where_there_is_room(session):
    made = limit(session, 1000)

    spend(session, "G-1", 1000, excused=frozenset({made.id}))

    assert used(session) == [(1000, 0, 0)]


def test_an_allowance_for_one_ceiling_opens_no_other(session):
    first = limit(session, 100)
    limit(session, 100, who="everyone")

    with pytest.raises(Refused):
        spend(session, "G-1", 200, excused=frozenset({first.id}))


def test_an_allowance_passes_a_ceiling_on_single_purchases(session):
    made = limit(session, 100, period="purchase")
    with pytest.raises(Refused):
        spend(session, "G-1", 200)

    spend(session, "G-2", 200, excused=frozenset({made.id}))


def test_what_an_allowance_added_goes_when_the_purchase_fails(session):
    made = limit(session, 1000)
    spend(session, "G-1", 1000)
    spend(session, "G-2", 300, excused=frozenset({made.id}))

    release_holds(session, "G-2")

    assert used(session) == [(1000, 0, 0)]
    assert list(_ceilings_hold(session)) == []


def test_a_refund_gives_back_to_the_period_it_was_taken_from(session, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 30, 12, tzinfo=UTC))
    limit(session, 1000)
    spend(session, "G-1", 1000)
    capture_holds(session, "G-1")
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 12, 1, 12, tzinfo=UTC))
    spend(session, "G-2", 400)

    give_back(session, "G-1", Price(250, 300))
    assert used(session) == [(0, 700, 0), (400, 0, 0)]
    give_back(session, "G-1", Price(1000, 1000))
    assert used(session) == [(0, 0, 0), (400, 0, 0)]
    give_back(session, "G-1", Price(1000, 1000))
    assert used(session) == [(0, 0, 0), (400, 0, 0)]
    assert list(_ceilings_hold(session)) == []


def test_a_refund_of_what_an_allowance_let_pass_leaves_no_room_behind(session):
    made = limit(session, 1000)
    spend(session, "G-1", 1500, excused=frozenset({made.id}))
    capture_holds(session, "G-1")

    give_back(session, "G-1", Price(1500, 1500))

    assert used(session) == [(0, 0, 0)]


def test_a_ceiling_without_vat_counts_net_amounts(session):
    limit(session, 1000, with_vat=False)

    spend(session, "G-1", 1200, net=1000)

    assert used(session) == [(1000, 0, 0)]
    with pytest.raises(Refused):
        spend(session, "G-2", 2, net=1)


def test_a_lower_limit_binds_at_once_and_what_was_spent_stays(session):
    made = limit(session, 1000)
    spend(session, "G-1", 800)

    change_ceiling(session, "admin", made, 500, 80)

    with pytest.raises(Refused) as refused:
        spend(session, "G-2", 1)
    assert refused.value.reason.facts["left_cents"] == 0
    assert list(_ceilings_hold(session)) == []
    assert [each.limit_cents for each in made.limits] == [1000, 500]


def test_a_ceiling_of_zero_lets_nothing_pass(session):
    limit(session, 0)

    with pytest.raises(Refused):
        spend(session, "G-1", 1)


def test_a_counter_above_every_limit_it_ever_had_is_found(session):
    limit(session, 1000)
    spend(session, "G-1", 900)
    use, kept = session.scalars(select(CeilingUse)).one(), session.scalars(select(Hold)).one()
    use.held_cents = kept.amount_cents = 1100
    session.flush()

    assert [breach.detail for breach in _ceilings_hold(session)] == ["1100 held + 0 captured > 1000"]


def test_a_ceiling_revived_remembers_what_it_had_counted(session):
    made = limit(session, 1000)
    spend(session, "G-1", 900)
    end_ceiling(session, "admin", made)
    spend(session, "G-2", 900)
    revive_ceiling(session, "admin", made)

    with pytest.raises(Refused):
        spend(session, "G-3", 200)


@pytest.mark.parametrize(
    ("spent", "percent", "warns"), [(799, 80, False), (800, 80, True), (800, 0, False), (1, 1, False)]
)
def test_a_warning_comes_at_its_threshold(spent, percent, warns, session):
    made = limit(session, 1000, warn_percent=percent)
    spend(session, "G-1", spent)

    (room,) = rooms_under(session, [made], 1, clock.now(), PARIS)

    assert room.is_warning is warns


def test_the_night_the_clocks_change_belongs_to_its_own_day(session, monkeypatch):
    limit(session, 1000, period="day")
    # 25 October 2026 lasts 25 hours in Paris: 22:59 UTC is still that Sunday, 23:00 is Monday.
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 10, 24, 22, tzinfo=UTC))
    spend(session, "G-1", 1000)
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 10, 25, 22, 59, tzinfo=UTC))
    with pytest.raises(Refused):
        spend(session, "G-2", 1)
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 10, 25, 23, 0, tzinfo=UTC))
    spend(session, "G-3", 1000)


EVENTS = st.tuples(
    st.sampled_from(["hold", "allowed hold", "capture", "release", "refund", "limit"]), st.integers(1, 900)
)


@given(st.lists(EVENTS, max_size=40))
def test_no_sequence_passes_a_ceiling_or_leaves_a_hold_behind(tmp_path_factory, events):
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('holds')}/rights.db")
    schema.metadata().create_all(database.engine)
    with database.transaction() as session:
        made, held, spent, highest, extra = limit(session, 1000), {}, {}, 1000, 0
        for number, (what, cents) in enumerate(events):
            order = f"G-{number}"
            total = sum(held.values()) + sum(spent.values())
            if what in {"hold", "allowed hold"}:
                excused = frozenset({made.id}) if what == "allowed hold" else NOBODY
                try:
                    spend(session, order, cents, excused=excused)
                except Refused:
                    assert what == "hold"
                    assert total + cents > made.limit_cents
                else:
                    held[order] = cents
            elif what in {"capture", "release"} and held:
                settled = min(held)
                (capture_holds if what == "capture" else release_holds)(session, settled)
                amount = held.pop(settled)
                spent |= {settled: amount} if what == "capture" else {}
            elif what == "refund" and spent:
                back = min(spent)
                give_back(session, back, Price(cents, cents))
                spent[back] = max(0, spent[back] - cents)
            elif what == "limit":
                change_ceiling(session, "admin", session.get_one(Ceiling, made.id), cents, 80)
                highest = max(highest, cents)
            kept = used(session)
            extra = kept[0][2] if kept else 0
            assert [row[:2] for row in kept] in ([], [(sum(held.values()), sum(spent.values()))])
            assert sum(held.values()) + sum(spent.values()) <= highest + extra
            assert list(_ceilings_hold(session)) == []
        for order in held:
            release_holds(session, order)
        assert [row[0] for row in used(session)] in ([], [0])
    database.close()
