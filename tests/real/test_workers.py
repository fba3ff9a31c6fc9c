"""Two to four workers on one backlog, killed at random: nothing is sent twice unlooked, nothing is left, on either database."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select, update

from connectors.contract import Buyer
from demo.companies import COMPANIES
from portal import breakers, clock, outbox
from portal.billing import charges, refunds, settlement
from portal.billing.charges import Charge
from portal.billing.worker import work_once
from portal.catalog.offers import OfferRow
from portal.checkout.books import compare
from portal.checkout.confirmation import accept
from portal.checkout.orders import Order
from portal.checkout.purchase import advance, reserve_amount
from portal.checkout.quotes import ask_quote, find_quote
from portal.checkout.verification import verify
from portal.directory import accounts, sign_in
from portal.installation import Installation
from portal.outbox import OPERATOR, Lease, Task
from tests.conftest import Visitor
from tests.real import killed_worker

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
FOUND = ("registre-kbis", {"siren": SIREN})
NOTHING_FOUND = ("quidonc-inverse", {"phone": "01 23 45 67 99"})
STAGES = ("accepted", "reserved", "in doubt", "delivered", "failed", "refund")
EACH, KILLS = 10, 14
QUIET_S, LONGEST_QUIET_S = 0.5, 30
"""A real lease outlives its holder by up to a minute; what he sent has been heard by then, and after this, at the latest."""
CLOSE_WAIT = "08"
REFUND_CENTS = 120


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each test on either database."""
    if request.param == "sqlite":
        return "sqlite:///portal.db"
    server = request.getfixturevalue("postgres")
    return server.url(server.make())


@pytest.fixture
def seed() -> int:
    """Another one each time; `GUICHET_SEED` repeats one."""
    return int(os.environ.get("GUICHET_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


class Backlog:
    """Purchases brought to a stage and left there, as an outage leaves them."""

    def __init__(self, house: Installation, company, buyer: Visitor) -> None:
        self.house, self.company = house, company
        buyer.get("/")
        with house.database.reading() as session:
            person = accounts.find(session, "chloe.lefevre")
            self.offers = {offer.slug: offer for offer in session.scalars(select(OfferRow))}
        self.account = sign_in.confirmed_account(house.database, house.directory, person)

    def add(self, stage: str) -> None:
        lease = self._accept(*(NOTHING_FOUND if stage == "failed" else FOUND))
        number, means = lease.subject, self.house.means
        if stage == "in doubt":
            self.company.operator.fault_once("cut_reply")
        if stage in {"reserved", "in doubt"}:
            reserve_amount(means, number, lease)
        if stage in {"accepted", "reserved", "in doubt"}:
            with self.house.database.transaction() as session:
                outbox.postpone(session, lease, 0)
            return
        advance(means, number, lease)
        if stage == "refund":
            with self.house.database.transaction() as session:
                wanted = outbox.claim(session, "outage", kind="capture", subject=number)
            settlement.capture(self.house.database, means.operator, means.line, wanted)
            with self.house.database.transaction() as session:
                refunds.ask(session, "test", charges.of_order(session, number), REFUND_CENTS, "broken")

    def _accept(self, slug: str, inputs: dict[str, str]) -> Lease:
        house, offer, buyer = self.house, self.offers[slug], Buyer("Acme SA", "fr", "")
        made = ask_quote(house.database, house.merchants, self.account.id, offer, inputs, buyer)
        with house.database.reading() as session:
            quote = find_quote(session, made.token, self.account.id)
            assert quote.offer
        merchant, zone = house.merchants.merchant(offer.merchant), house.settings.portal.zone
        return accept(house.database, quote, self.account, merchant, zone, house.owner).lease


@dataclass
class Fleet:
    """Workers that are killed and replaced; the leases of the dead run out as they do, only sooner."""

    house: Installation
    ports: set[int]
    random: random.Random
    alive: list[ForkServerProcess] = field(default_factory=list)
    dead: list[tuple[float, int]] = field(default_factory=list)
    killed: int = 0

    def start(self, *, mortal: bool) -> None:
        """One more; a mortal one may have its hour fixed."""
        point = self.random.randint(2, 60) if mortal and self.random.random() < 0.5 else 0
        folder = self.house.settings.folder
        worker = CONTEXT.Process(
            target=killed_worker.work,
            args=(str(folder / "portal.toml"), str(folder / "workers.log"), point),
            daemon=True,
        )
        worker.start()
        self.alive.append(worker)

    def kill_one(self) -> None:
        """SIGKILL, whatever it is doing."""
        self.random.choice(self.alive).kill()

    def bury(self) -> None:
        """Notice who has died, and let the leases end of those who died a while ago."""
        for worker in [*self.alive]:
            if worker.exitcode is not None:
                self.alive.remove(worker)
                self.dead.append((time.monotonic(), worker.pid))
                assert worker.exitcode == -9, (self.house.settings.folder / "workers.log").read_text()[-3000:]
                self.killed += 1
        quiet_s = LONGEST_QUIET_S if is_unheard(self.ports) else QUIET_S
        gone = [pid for at, pid in self.dead if time.monotonic() - at > quiet_s]
        self.dead = [(at, pid) for at, pid in self.dead if pid not in gone]
        past = clock.now() - timedelta(seconds=1)
        for pid in gone:
            with self.house.database.transaction() as session:
                session.execute(
                    update(Task)
                    .where(Task.owner.contains(f":{pid}:"), Task.lease_until > past)
                    .values(lease_until=past)
                )

    def stop(self) -> None:
        """The end of the test is a kill too."""
        for worker in self.alive:
            worker.kill()
        for worker in self.alive:
            worker.join()
        while self.alive or self.dead:
            self.bury()
            time.sleep(0.05)


CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.real.killed_worker"])


@pytest.fixture
def fleet(installation: Installation, company, seed: int) -> Iterator[Fleet]:
    ports = {urlsplit(server.url).port or 0 for server in (company.operator, company.merchants)}
    made = Fleet(installation, ports, random.Random(seed))
    yield made
    made.stop()


def is_unheard(ports: set[int]) -> bool:
    """Whether a client of these has gone, and what it sent last may not have been read yet."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(line[3] == CLOSE_WAIT and int(line[1].rpartition(":")[2], 16) in ports for line in lines)


def is_at_rest(house: Installation) -> bool:
    """Whether no task is due or held; what waits for its time does not count."""
    with house.database.reading() as session:
        waits = select(func.count()).where(Task.done_at.is_(None))
        busy = (Task.due_at <= clock.now()) | Task.lease_until.is_not(None)
        return session.scalar(waits.where(busy)) == 0


def test_killed_at_random_nothing_is_sent_twice_or_left(installation, company, buyer, fleet, seed, later):
    print("seed", seed)
    backlog = Backlog(installation, company, buyer)
    stages = [*STAGES] * EACH
    fleet.random.shuffle(stages)
    for stage in stages:
        # Five lost answers in a row, as chance may have it, would keep the rest of the backlog from being made.
        with installation.database.transaction() as session:
            breakers.forget(session, OPERATOR)
        backlog.add(stage)

    size = fleet.random.randint(2, 4)
    give_up = time.monotonic() + 300
    while time.monotonic() < give_up and not (fleet.killed >= KILLS and is_at_rest(installation)):
        if len(fleet.alive) < size:
            fleet.start(mortal=fleet.killed < KILLS)
        time.sleep(fleet.random.uniform(0.02, 0.2))
        fleet.bury()
        if fleet.killed < KILLS and fleet.alive and fleet.random.random() < 0.4:
            fleet.kill_one()
    assert fleet.killed >= KILLS
    fleet.stop()
    finish(installation, later)

    assert ends(installation) == Counter({
        ("delivered", "captured", 0): 4 * EACH, ("failed", "voided", 0): EACH,
        ("delivered", "captured", REFUND_CENTS): EACH,
    })  # fmt: skip
    assert operator_ends(company) == Counter(
        {("succeeded", 0): 4 * EACH, ("cancelled", 0): EACH, ("succeeded", REFUND_CENTS): EACH}
    )
    assert unlooked(company) == []
    assert len({line.reference for line in company.operator.book.charges()}) == len(stages)
    assert len({order.key for order in company.merchants.book.orders()}) == len(stages)
    installation.storage.sweep()
    assert [path.name for path in installation.storage.folder.glob("incoming-*")] == []
    assert compare(installation.means).differences == []
    assert verify(installation.database, installation.storage) == []


def finish(house: Installation, later) -> None:
    """Workers go on until nothing waits any more."""
    for _ in range(4):
        later(minutes=20)
        while work_once(house.database, "after", house.handlers):
            pass
    with house.database.reading() as session:
        assert outbox.open_subjects(session) == set()


def ends(house: Installation) -> Counter[tuple[str, str, int]]:
    """How many purchases ended how: order, charge, cents given back."""
    with house.database.reading() as session:
        pairs = select(Order.state, Charge.state, Charge.refunded_cents).join(
            Charge, Charge.order_number == Order.number
        )
        return Counter(tuple(row) for row in session.execute(pairs))


def operator_ends(company) -> Counter[tuple[str, int]]:
    return Counter((line.state, line.refunded_cents) for line in company.operator.book.charges())


def unlooked(company) -> list[str]:
    """What was sent a second time with no look-up in between, by the other sides' own journals."""
    return [
        *unlooked_at_operator(company.operator.book.journal()),
        *unlooked_at_merchants(company.merchants.book.journal),
    ]


def unlooked_at_operator(journal) -> list[str]:
    found, sent = [], set()
    for line in journal:
        folder, _, last = line.path.rpartition("/")
        if line.method == "GET" and "/carrier-billing" in line.path:
            # The list of payments looks up every reservation; anything else, its own payment.
            sent = {
                each for each in sent if each[0] not in ({"prepare"} if last == "payments" else {line.path, folder})
            }
        elif line.method == "POST" and "/carrier-billing" in line.path:
            about = "prepare" if line.key and last == "prepare" else line.path if last == "refunds" else folder
            what = (about, line.key or last)
            if what in sent and line.status < 500:
                found.append(f"{line.path} {line.key}")
            sent.add(what)
    return found


def unlooked_at_merchants(journal) -> list[str]:
    found, sent = [], set()
    for line in journal:
        if line.method == "GET":
            sent.discard(line.key)
        else:
            found += [f"{line.merchant} {line.key}"] if line.key in sent else []
            sent.add(line.key)
    return found
