"""Captures in groups keep of each charge what a single capture keeps, and nothing of one that is somebody else's now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from connectors.contract import NotFound, Refused, Unknown
from portal import outbox
from portal.billing import captures, charges
from portal.billing.charges import Charge, ChargeEvent, MoveForbidden
from portal.billing.drain import Draining
from portal.billing.holding import Holding
from portal.billing.ledger import LedgerLine
from portal.billing.operators import Operators
from portal.checkout.verification import verify
from portal.outbox import Choice, LeaseLost, Task
from portal.rights.holds import CeilingUse, Hold
from tests.checkout.world import World, made_database

PRICE_CENTS = 300


@pytest.fixture
def world(tmp_path):
    made = World(made_database(tmp_path / "template.db"), tmp_path)
    for number in range(4):
        made.confirm(made.ask_price(1 + number % 2, PRICE_CENTS), 1 + number % 2)
    yield made
    made.close()


def drain_of(world):
    return captures.drain(Operators(world.database, "generic", lambda _name: world.operator))


@pytest.fixture
def drain(world):
    return drain_of(world)


def taken(world, drain, owner="me", most=10):
    with world.database.transaction() as session:
        leases = outbox.claim_many(session, owner, most, Choice(("capture",)))
        about = drain.read(session, leases)
    return [(lease, about[lease.subject]) for lease in leases]


def answered(world, drain, **how):
    return [(lease, charge, drain.ask(charge, lease)) for lease, charge in taken(world, drain, **how)]


def record(world, drain, group):
    with world.database.transaction() as session:
        drain.record(session, group)


def states(world):
    return sorted(charge for _order, charge in world.ends().values())


def kept(world):
    """Everything a capture leaves behind, by order, but for times and numbers of rows."""
    with world.database.reading() as session:
        events = select(Charge.order_number, ChargeEvent.event, ChargeEvent.state, ChargeEvent.evidence).join(Charge)
        lines = select(LedgerLine.posting, LedgerLine.account, LedgerLine.amount_cents, LedgerLine.cost_centre)
        spent = select(Hold.order_number, Hold.state, Hold.amount_cents)
        return {
            "events": sorted(map(repr, session.execute(events))), "lines": sorted(map(repr, session.execute(lines))),
            "holds": sorted(map(repr, session.execute(spent))),
            "uses": session.execute(select(CeilingUse.held_cents, CeilingUse.captured_cents)).all(),
            "charges": session.execute(select(Charge.order_number, Charge.state, Charge.captured_at)).all(),
            "open": session.scalars(select(Task.subject).where(Task.done_at.is_(None))).all(),
        }  # fmt: skip


def test_a_group_is_captured_and_its_books_agree(world, drain):
    group = answered(world, drain)
    assert len(group) == 4
    record(world, drain, group)
    as_group = kept(world)
    assert as_group["open"] == []
    assert as_group["uses"] == [(0, 4 * 360)]
    assert verify(world.database, world.means.storage) == []


def test_the_same_by_one_and_by_all(tmp_path):
    found = []
    for together in (True, False):
        folder = tmp_path / str(together)
        folder.mkdir()
        world = World(made_database(folder / "template.db"), folder)
        world.confirm(world.ask_price(1, PRICE_CENTS), 1)
        drain = drain_of(world)
        if together:
            record(world, drain, answered(world, drain))
        else:
            assert world.work()
        (number,) = world.ends()
        with world.database.reading() as session:
            charge = charges.of_order(session, number)
        text = repr(kept(world)).replace(number, "G").replace(charge.key, "K")
        found.append(text.replace(charge.operator_ref, "R"))
        world.close()

    assert found[0] == found[1]


def test_what_is_no_plain_yes_goes_its_own_way_beside_the_others(world, drain):
    one, two, three, four = answered(world, drain)
    group = [
        one,
        (*two[:2], Unknown("no answer", 7)),
        (*three[:2], replace(three[2], amount_cents=1)),
        (*four[:2], Refused("line", "closed")),
    ]
    record(world, drain, group)

    assert states(world) == ["captured", "disputed", "disputed", "reserved"]
    with world.database.reading() as session:
        (waiting,) = session.scalars(select(Task).where(Task.done_at.is_(None))).all()
    assert (waiting.subject, waiting.owner) == (two[0].subject, "")
    assert (waiting.due_at - world.at).total_seconds() == 7


@pytest.mark.parametrize("which", range(4))
def test_a_late_worker_keeps_nothing_of_the_one_it_lost(which, world, drain):
    group = answered(world, drain)
    world.pass_time(outbox.LEASE_S + 1)
    lost = group[which][0]
    with world.database.transaction() as session:
        again = outbox.claim(session, "another", kind="capture", subject=lost.subject)

    with pytest.raises(LeaseLost):
        record(world, drain, group)
    assert states(world) == ["reserved"] * 4
    for each in group:
        if each[0] != lost:
            record(world, drain, [each])

    assert states(world) == ["captured"] * 3 + ["reserved"]
    world.handlers["capture"](again)
    assert states(world) == ["captured"] * 4
    assert verify(world.database, world.means.storage) == []


@pytest.mark.parametrize("outcome", [Unknown("no answer"), Refused("line"), NotFound()])
def test_a_late_worker_writes_no_doubt_and_no_refusal_either(outcome, world, drain):
    ((lease, charge),) = taken(world, drain, most=1)
    world.pass_time(outbox.LEASE_S + 1)
    with world.database.transaction() as session:
        assert outbox.claim(session, "another", kind="capture", subject=lease.subject)
    before = kept(world)

    with pytest.raises(LeaseLost):
        record(world, drain, [(lease, charge, outcome)])
    assert kept(world) == before


def test_a_charge_that_was_moved_meanwhile_is_not_captured_again(world, drain):
    group = answered(world, drain)
    with world.database.transaction() as session:
        charges.move(session, charges.of_order(session, group[0][0].subject), "doubted", {})

    with pytest.raises(MoveForbidden):
        record(world, drain, group)
    assert states(world) == ["disputed", "reserved", "reserved", "reserved"]


def test_killed_between_the_answers_and_their_record_each_is_looked_up_and_charged_once(world, drain):
    answered(world, drain)
    world.pass_time(outbox.LEASE_S + 1)
    world.settle()

    assert states(world) == ["captured"] * 4
    assert sorted(theirs.state for theirs in world.operator.book.values()) == ["captured"] * 4


def test_a_drain_does_it_all(world, drain):
    draining = Draining(world.database, drain, world.handlers["capture"], Holding(world.database), "me")

    class Stop:
        rounds = 0

        def is_set(self):
            self.rounds += 1
            return self.rounds > 6

        def wait(self, _seconds):
            return None

    draining.work(Stop(), 10)

    assert states(world) == ["captured"] * 4
    assert verify(world.database, world.means.storage) == []


def test_a_charge_of_another_operator_is_in_no_group(world, drain):
    with world.database.transaction() as session:
        session.scalars(select(Charge).order_by(Charge.id)).first().operator = "sfr/camara"
        leases = outbox.claim_many(session, "me", 10, Choice(("capture",)))
        assert len(leases) == 4
        assert len(drain.read(session, leases)) == 3
