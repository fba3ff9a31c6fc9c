"""Every fault at every step of a purchase, before and after the other side recorded it: in the end the books agree."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from demo.companies import COMPANIES
from demo.faults import WIRE
from portal.billing import charges, refunds
from portal.checkout.books import EVER
from tests.checkout.faulty_world import faulty_world, now

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
NOBODY = next(siren for siren in COMPANIES if siren.endswith("7"))
"""A company of which the credit insurer has nothing to say, so that the purchase fails and is voided."""

DOCUMENT = ("registre-kbis", {"siren": SIREN})
SLOW = ("coface-rapport", {"siren": SIREN})
DATA = ("quidonc-inverse", {"phone": "01 42 00 00 01"})
NOTHING = ("coface-avis", {"siren": NOBODY})


@dataclass(frozen=True)
class Place:
    """Where a purchase breaks; `lost` is a step whose answer must be lost once before this one is taken at all.

    What only reads records nothing, so before and after are the same there.
    """

    side: str
    step: str
    basket: tuple[str, dict[str, str]] = DOCUMENT
    lost: str = ""
    refunded: bool = False

    @property
    def records(self) -> bool:
        """Whether something happens on the other side."""
        return self.step in {"prepare", "create", "confirm", "cancel", "refund", "order"}


PLACES = (
    Place("operator", "token"), Place("operator", "prepare"), Place("operator", "listing", lost="prepare"),
    Place("operator", "confirm"), Place("operator", "read", DATA),
    Place("operator", "cancel", NOTHING), Place("operator", "refund", refunded=True),
    Place("operator", "refunds", lost="refund", refunded=True), Place("merchants", "token", DATA),
    Place("merchants", "quote"), Place("merchants", "order"), Place("merchants", "order", SLOW),
    Place("merchants", "order", DATA), Place("merchants", "lookup", lost="order"),
    Place("merchants", "status", SLOW), Place("merchants", "document"),
)  # fmt: skip
ONE_STEP = (Place("operator", "token"), Place("operator", "create"), Place("operator", "listing", lost="create"))
"""Where an operator that cannot reserve breaks: it is asked once, after the delivery."""
ACCEPTING = (Place("operator", "token"), Place("operator", "prepare"))
"""Where one breaks whose absence stops nobody from buying."""


def on_the_wire(places):
    """Every fault at some places, each at every time that makes a difference."""
    return [
        (place, name, when)
        for place in places for name, times in WIRE.items() for when in (times if place.records else times[-1:])
    ]  # fmt: skip


MANNERS = [
    (Place("operator", "prepare"), "duplicate"), (Place("operator", "prepare", DATA), "processing"),
    (Place("operator", "prepare"), "expiring"), (Place("operator", "prepare", SLOW), "expiring"),
    (Place("operator", "listing", lost="prepare"), "lagging"), (Place("operator", "listing", lost="prepare"), "shifting"),
    (Place("operator", "refund", refunded=True), "duplicate"), (Place("operator", "refund", refunded=True), "processing"),
    (Place("operator", "refunds", lost="refund", refunded=True), "lagging"),
    (Place("merchants", "order"), "duplicate"), (Place("merchants", "order", DATA), "processing"),
    (Place("merchants", "lookup", lost="order"), "lagging"),
]  # fmt: skip


@contextmanager
def a_world(folder, operator=""):
    """Everything that tests have bought in one is compared once more, all together, when they have ended."""
    with faulty_world(folder, operator) as made:
        yield made
        states = [order.state for order in made.company.merchants.book.orders()]
        assert states.count("delivered") > len(states) / 2
        assert made.differences(EVER) == []


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("faulty")) as made:
        yield made


@pytest.fixture(scope="module")
def one_step_world(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("one-step"), "steps = 1\n") as made:
        yield made


@pytest.fixture(scope="module")
def accepting_world(tmp_path_factory):
    accepting = 'when_unreachable = "accept"\noffline_limit = "1000.00"\n'
    with a_world(tmp_path_factory.mktemp("accepting"), accepting) as made:
        yield made


def name_of(value):
    return "-".join(filter(None, (value.side, value.step, value.basket[0]))) if isinstance(value, Place) else value


@pytest.mark.parametrize(("place", "fault", "when"), on_the_wire(PLACES), ids=name_of)
def test_a_fault_of_the_wire(place, fault, when, world, later):
    go_through(world, later, place, fault, when)


@pytest.mark.parametrize(("place", "fault"), MANNERS, ids=name_of)
def test_a_bad_manner(place, fault, world, later):
    go_through(world, later, place, fault, "before")


@pytest.mark.parametrize(("place", "fault", "when"), on_the_wire(ONE_STEP), ids=name_of)
def test_a_fault_of_the_wire_at_an_operator_with_one_step(place, fault, when, one_step_world, later):
    go_through(one_step_world, later, place, fault, when)


@pytest.mark.parametrize("fault", ["duplicate", "processing"])
def test_a_bad_manner_of_an_operator_with_one_step(fault, one_step_world, later):
    go_through(one_step_world, later, Place("operator", "create"), fault, "before")


@pytest.mark.parametrize(("place", "fault", "when"), on_the_wire(ACCEPTING), ids=name_of)
def test_a_fault_of_the_wire_where_purchases_may_wait_for_the_operator(place, fault, when, accepting_world, later):
    go_through(accepting_world, later, place, fault, when)


LASTING = [("reset", "after"), ("html", "before"), ("unauthorized", "before")]
DAYS = ({"minutes": 11}, {"minutes": 65}, {"hours": 20}, {"hours": 55})
"""Past every deadline: of a reservation, of a merchant's answer, of a preparation and a settlement."""


@pytest.mark.parametrize("place", PLACES, ids=name_of)
@pytest.mark.parametrize(("fault", "when"), LASTING)
def test_a_fault_that_lasts_beyond_every_deadline(place, fault, when, world, later):
    go_through(world, later, place, fault, when, lasting=DAYS)


def go_through(world, later, place, fault, when, lasting=()):
    """Buy while something is broken, mend it, work to the end, compare, decide, compare again."""
    world.begin()
    since = now()
    faults = getattr(world.company, place.side).faults
    if place.lost:
        faults.strike("reset", place.lost, "after", times=1)
    if not place.refunded:
        faults.strike(fault, place.step, when)
    number = buy(world, place)
    if place.refunded:
        world.finish(later)
        faults.strike(fault, place.step, when)
        with world.house.database.transaction() as session:
            refunds.ask(session, "test", charges.locked(session, number), 50, "broken")
    world.work()
    for span in ({"minutes": 2}, *lasting):
        later(**span)
        world.work()
    assert faults.befallen[place.step, fault], f"{fault} {when} {place.step} never happened"
    world.mend()
    world.finish(later)

    agree(world, since, number)
    if world.disputes():
        world.decide_all(later, random.Random(f"{place} {fault} {when}"))
        assert world.differences(since) == []


def buy(world, place):
    """The number of the order; a price that cannot be had for the fault is asked again once it is mended."""
    slug, inputs = place.basket
    token = world.buyer.ask_price(slug, **inputs)
    for _time in range(5):
        # The clients' time-outs are short here, and the machine may be busy.
        if not token and place.step not in {"quote", "token"}:
            token = world.buyer.ask_price(slug, **inputs)
    if not token:
        assert place.step in {"quote", "token"}, world.buyer.text
        assert world.buyer.status in {200, 409}
        world.mend()
        token = world.buyer.ask_price(slug, **inputs)
    number = world.buyer.confirm(token)
    assert number, world.buyer.text
    return number


def agree(world, since, number):
    """Final or a listed dispute; bought once, captured once at most, nothing captured undelivered; books that agree."""
    listed = {case.order.number for case in world.disputes()}
    state = world.state(number)
    assert state in {"delivered", "failed"} or (state == "disputed" and number in listed)
    bought = [order for order in world.company.merchants.book.orders() if order.po_number == number]
    paid = [
        line for line in world.company.operator.book.charges()
        if line.reference == number and line.state == "succeeded"
    ]  # fmt: skip
    assert len(bought) <= 1
    assert len(paid) <= 1
    assert state == "delivered" or not paid
    assert [breach for breach in world.differences(since) if breach.subject not in listed] == []
