"""Any order of events, faults, stalls and deaths: invariants 1 to 5 hold at every moment, and in the end the books agree."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from portal.billing import charges
from portal.billing.charges import Charge
from portal.checkout import orders
from portal.checkout.books import compare
from portal.checkout.confirmation import Accepted, accept
from portal.checkout.orders import Order
from portal.checkout.quotes import find_quote
from portal.directory.accounts import Account
from portal.refusals import Refused
from tests.checkout.other_sides import ANYWHERE, MERCHANT_FAULTS, OPERATOR_FAULTS
from tests.checkout.world import LIMIT_CENTS, ZONE, World, made_database

ORDER_MOVES = """
accepted fulfilling, fulfilling delivered, fulfilling preparing, preparing delivered,
accepted failed, fulfilling failed, preparing failed,
accepted disputed, fulfilling disputed, preparing disputed,
disputed fulfilling, disputed preparing, disputed failed
"""
CHARGE_MOVES = """
new free, new reserved, reserved captured, captured refunding, refunding refunded, refunding captured,
reserved new, new voided, reserved voided,
new disputed, reserved disputed, captured disputed, refunding disputed,
disputed new, disputed reserved, disputed captured, disputed refunding, disputed voided,
disputed written_off, voided written_off
"""


DONE = ("delivered", "captured")
REFUNDED = ("delivered", "refunded")
WRITTEN_OFF = ("delivered", "written_off")


class Trouble(NamedTuple):
    """What will go wrong from now on: at the operator, at the merchant, and at which commit a process dies."""

    operator: list[str]
    merchant: list[str]
    dies: tuple[int, bool] | None


def some(possible: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(possible), max_size=3)


TROUBLE = st.builds(
    Trouble, some(OPERATOR_FAULTS), some(MERCHANT_FAULTS), st.none() | st.tuples(st.integers(0, 12), st.booleans())
)


class Purchases(RuleBasedStateMachine):
    """Two employees under one shared ceiling, one operator, one merchant, processes that stall and die."""

    template: Path
    tokens = Bundle("tokens")

    @initialize(idempotent=st.booleans(), document=st.booleans())
    def begin(self, idempotent: bool, document: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="guichet-test-"))
        self.world = World(self.template, self.folder, idempotent=idempotent, document=document)
        self.peaceful = True

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            assert_rest(self.world, peaceful=self.peaceful)
        finally:
            self.world.close()
            shutil.rmtree(self.folder)

    @rule(
        target=tokens, account=st.sampled_from((1, 2)), net=st.sampled_from((100, 500, 1000, 2000)),
        allowed=st.sampled_from((True, True, True, False)), hesitates=st.sampled_from((0, 0, 0, 4_000)), trouble=TROUBLE,
    )  # fmt: skip
    def buy(
        self, account: int, net: int, allowed: bool, hesitates: int, trouble: Trouble
    ) -> MultipleResults[tuple[str, int]]:
        confirmation = self.world.ask_price(account, net), account
        self.world.allow(allowed)
        self.world.pass_time(hesitates)
        self.expect(trouble)
        self.world.confirm(*confirmation)
        return multiple(confirmation, *self.world.new_prices())

    @rule(target=tokens, confirmation=tokens)
    def click_again(self, confirmation: tuple[str, int]) -> MultipleResults[tuple[str, int]]:
        self.world.confirm(*confirmation)
        return multiple(*self.world.new_prices())

    @rule(seconds=st.sampled_from((1, 61, 400, 4_000, 90_000, 300_000)), tasks=st.integers(0, 4), trouble=TROUBLE)
    def time_passes_and_workers_work(self, seconds: int, tasks: int, trouble: Trouble) -> None:
        self.world.pass_time(seconds)
        self.expect(trouble)
        for _ in range(tasks):
            self.world.work()

    @rule(which=st.integers(0, 9), cents=st.sampled_from((1, 240, 600, None)), trouble=TROUBLE)
    def somebody_asks_for_a_refund(self, which: int, cents: int | None, trouble: Trouble) -> None:
        numbers = sorted(self.world.ends())
        if not numbers:
            return
        self.expect(trouble)
        self.world.ask_refund(numbers[which % len(numbers)], cents)
        self.world.work()

    @rule()
    def somebody_cancels_at_the_operator(self) -> None:
        self.peaceful = False
        self.world.confirm(self.world.ask_price(1, 100), 1)
        self.world.cancel_there()
        for _ in range(2):
            self.world.work()

    @rule(which=st.integers(0, 5), trouble=TROUBLE)
    def somebody_decides_a_dispute(self, which: int, trouble: Trouble) -> None:
        self.expect(trouble)
        self.world.decide_dispute(which)

    @rule(lost=st.sampled_from((None, None, False, True)), trouble=TROUBLE)
    def a_round_of_recovery_goes(self, lost: bool | None, trouble: Trouble) -> None:
        if lost is None:
            self.expect(trouble)
        else:
            # What was lost is there again after one round that nothing troubles.
            self.world.be_quiet()
            self.world.pass_time(3_600)
            self.world.lose_tasks(ended=lost)
        self.world.recover()

    @invariant()
    def nothing_is_broken(self) -> None:
        if hasattr(self, "world"):
            assert self.world.broken() == []

    def expect(self, trouble: Trouble) -> None:
        self.world.operator.faults.coming += trouble.operator
        self.world.merchant.faults.coming += trouble.merchant
        if trouble.dies:
            self.world.database.commits_left, self.world.database.after = trouble.dies
        self.peaceful = self.peaceful and not any(trouble)


def assert_rest(world: World, *, peaceful: bool = False) -> None:
    """Everything comes to rest, and the three books agree on whatever is not shown to an admin as a dispute."""
    world.settle()
    assert world.broken() == []
    ends = world.ends()
    if peaceful:
        assert set(ends.values()) <= {DONE, REFUNDED}
    disputed = {number for number, states in ends.items() if "disputed" in states}
    assert {states for number, states in ends.items() if number not in disputed} <= {
        DONE, REFUNDED, WRITTEN_OFF, ("failed", "voided"),
    }  # fmt: skip
    assert {breach.subject for breach in compare(world.means).differences} <= disputed
    left = {charge.reference for charge in world.operator.book.values() if charge.state in {"processing", "reserved"}}
    assert left <= disputed, "an amount stays reserved for nothing"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_database(tmp_path_factory.mktemp("template") / "portal.db")


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Iterator[World]:
    made = World(template, tmp_path)
    yield made
    made.close()


def test_any_order_of_events_keeps_the_invariants(template):
    Purchases.template = template
    run_state_machine_as_test(Purchases, settings=settings(
        max_examples=80, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True,
    ))  # fmt: skip


@pytest.mark.parametrize(("fault", "end"), [
    *((fault, DONE) for fault in ANYWHERE),
    ("unreachable", ("failed", "voided")), ("refused", ("failed", "voided")), ("credentials", ("failed", "voided")),
    ("processing", DONE), ("processing denied", ("failed", "voided")), ("lost_after not_listed duplicate", DONE),
    ("lost_after not_listed credentials", ("failed", "voided")), ("expired", ("delivered", "disputed")),
])  # fmt: skip
def test_each_fault_of_the_operator_ends_as_it_must(fault, end, world):
    world.operator.faults.coming += fault.split()

    world.confirm(world.ask_price(1, 1_000), 1)
    for _ in range(3):
        world.pass_time(90)
        world.work()

    assert_rest(world)
    assert list(world.ends().values()) == [end]


def test_what_a_process_that_stalled_sends_late_is_given_back(world):
    """It looked the payment up, stalled, and others meanwhile gave the order up."""
    world.operator.faults.coming += ["lost_before"]
    world.confirm(world.ask_price(1, 1_000), 1)
    world.pass_time(4_000)
    world.operator.faults.coming += ["stall_before", "credentials", "processing"]
    world.work()

    assert_rest(world)
    assert list(world.ends().values()) == [("failed", "voided")]
    assert [charge.state for charge in world.operator.book.values()] in ([], ["voided"])


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("document", [True, False])
@pytest.mark.parametrize("fault", MERCHANT_FAULTS)
def test_each_fault_of_a_merchant_ends_as_it_must(fault, idempotent, document, template, tmp_path):
    world = World(template, tmp_path, idempotent=idempotent, document=document)
    world.merchant.faults.coming.append(fault)
    failed = {"unreachable", "refused", "price_changed"}
    # What may never have been heard is not repeated to a merchant who would make it twice: an admin looks at it.
    unsure = {"other_price"} if idempotent else {"other_price", "lost_before", "crash_before"}

    world.confirm(world.ask_price(1, 1_000), 1)

    assert_rest(world)
    end = ("failed", "voided") if fault in failed else ("disputed", "reserved") if fault in unsure else DONE
    assert list(world.ends().values()) == [end]
    world.close()


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("commits", range(14))
def test_a_death_at_any_commit_around_a_refusal_leaves_nothing_reserved(commits, after, world):
    world.operator.faults.coming += ["lost_before", "refused"]
    number = world.confirm(world.ask_price(1, 1_000), 1)
    world.database.commits_left, world.database.after = commits, after
    for _ in range(3):
        world.pass_time(90)
        world.work()

    assert_rest(world)
    assert world.ends()[number] in {DONE, ("failed", "voided")}


def test_what_expired_meanwhile_is_reserved_again_and_captured(world):
    number = world.confirm(world.ask_price(1, 1_000), 1)
    world.pass_time(4_000)
    world.operator.faults.coming += ["expired"]
    world.work()

    assert_rest(world)
    assert world.ends()[number] == DONE
    assert sorted(charge.state for charge in world.operator.book.values()) == ["captured", "voided"]


@pytest.mark.parametrize(("which", "end"), [(0, DONE), (1, WRITTEN_OFF)])
def test_what_was_cancelled_over_there_is_charged_again_or_written_off(which, end, world):
    number = world.confirm(world.ask_price(1, 1_000), 1)
    world.operator.faults.coming += ["expired"]
    world.work()
    assert world.ends()[number] == ("delivered", "disputed")

    world.pass_time(4_000)
    world.decide_dispute(which)

    assert_rest(world)
    assert world.ends()[number] == end


def test_wrong_credentials_delay_a_capture_and_never_dispute_it(world):
    number = world.confirm(world.ask_price(1, 1_000), 1)
    world.operator.faults.coming += ["credentials"] * 5
    for _ in range(5):
        world.work()
        world.pass_time(400)

    assert_rest(world)
    assert world.ends()[number] == DONE


def test_a_long_preparation_is_not_the_operators_silence(world):
    world.merchant.faults.coming.append("pending")
    number = world.confirm(world.ask_price(1, 1_000), 1)
    world.pass_time(80 * 3600)
    world.merchant.made[0].asked = 0
    world.work()
    world.operator.faults.coming.append("unreachable")

    world.work()

    assert world.ends()[number] == ("delivered", "reserved")
    assert_rest(world)
    assert world.ends()[number] == DONE


def test_eight_clicks_at_one_moment_make_one_order(world):
    token = world.ask_price(1, 500)

    answers = at_one_moment(world, [(token, 1)] * 8)

    assert len({answer.number for answer in answers if isinstance(answer, Accepted)}) == 1
    assert [bool(answer.lease) for answer in answers].count(True) == 1
    assert len(world.ends()) == 1


def test_two_employees_at_one_moment_never_pass_the_ceiling_they_share(world):
    gross_cents = 1_200
    clicks = [(world.ask_price(account, 1_000), account) for account in (1, 2) * 4]

    answers = at_one_moment(world, clicks)

    refused = [answer.reason.code for answer in answers if isinstance(answer, Refused)]
    assert len(world.ends()) == LIMIT_CENTS // gross_cents
    assert refused == ["over_ceiling"] * (len(clicks) - LIMIT_CENTS // gross_cents)


def at_one_moment(world: World, clicks: list[tuple[str, int]]) -> list[Accepted | Refused]:
    """Each click in a thread of its own, let go together."""
    start = Barrier(len(clicks))

    def click(token: str, account: int) -> Accepted | Refused:
        with world.database.reading() as session:
            quote, person = find_quote(session, token, account), session.get_one(Account, account)
            assert quote
            assert quote.offer
        start.wait()
        try:
            return accept(world.database, quote, person, world.loaded, ZONE, "web")
        except Refused as refusal:
            return refusal

    with ThreadPoolExecutor(len(clicks)) as pool:
        return list(pool.map(click, *zip(*clicks, strict=True)))


@pytest.mark.parametrize(("moves", "states", "design", "start"), [
    (orders.MOVES, orders.STATES, ORDER_MOVES, "accepted"), (charges.MOVES, charges.STATES, CHARGE_MOVES, "new"),
])  # fmt: skip
def test_the_tables_are_the_design_and_reach_every_state(moves, states, design, start):
    made = {(state, target) for (state, _event), target in moves.items()}
    assert made == {tuple(pair.split()) for pair in design.split(",")}

    reached = {start}
    for _ in states:
        reached |= {target for state, target in made if state in reached}
    assert reached == set(states)


@pytest.mark.parametrize(("room", "row"), [(orders, Order(number="G", id=1)), (charges, Charge(key="k", id=1))])
def test_any_other_move_is_forbidden_and_changes_nothing(room, row):
    events = {event for _state, event in room.MOVES} | {"no such event"}
    others = [(state, event) for state in room.STATES for event in sorted(events) if (state, event) not in room.MOVES]
    session = Session()

    for state, event in others:
        row.state = state
        with pytest.raises(room.MoveForbidden):
            room.move(session, row, event, {})
        assert (row.state, list(session.new)) == (state, [])
    assert others
