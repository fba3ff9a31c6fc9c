"""A small company for the rules of a purchase: a real database, two employees, one shared ceiling, processes that die."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from connectors.contract import Offer
from portal import clock, outbox
from portal.billing import charges, disputes, refunds, write_offs
from portal.billing.charges import Charge
from portal.billing.recovery import Recovery
from portal.billing.refunding import refund
from portal.billing.settlement import capture, void
from portal.billing.worker import run_leased, work_once
from portal.catalog.merchants import Merchants
from portal.catalog.offers import store
from portal.checkout.confirmation import accept
from portal.checkout.orders import Order
from portal.checkout.purchase import advance, resolve
from portal.checkout.quotes import QuoteRow, find_quote, keep_quote
from portal.checkout.recovery import enqueue_forgotten
from portal.checkout.steps import Means
from portal.checkout.storage import Storage
from portal.checkout.verification import verify
from portal.database import Database
from portal.directory.accounts import Account
from portal.directory.answers import Group
from portal.migrations import schema
from portal.outbox import Lease, LeaseLost, Task
from portal.refusals import Refused
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.holds import CeilingUse
from portal.rights.rules import Rule, add_rule, remove_rule
from portal.rights.scopes import Scope
from tests.checkout.other_sides import Crash, Merchant, Operator, loaded, quoted
from tests.real.postgres import Postgres

GROUP = "cn=buyers,dc=acme,dc=example"
BUYERS = Group(GROUP)
ZONE = ZoneInfo("Europe/Paris")
LIMIT_CENTS = 3_000
WORDS = {"fr": "Offre", "en": "Offer"}
START = datetime(2026, 10, 20, 9, 0, tzinfo=UTC)
STALL = timedelta(seconds=outbox.LEASE_S + 30)
CHARGED = {"captured", "refunding", "refunded", "disputed", "written_off"}
Result = TypeVar("Result")


class MortalDatabase(Database):
    """A database whose user can be told to die at one of its next commits, just before or just after."""

    commits_left: int | None = None
    after = False
    armed = False

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        dies = self.armed and self.commits_left == 0
        if self.armed and self.commits_left is not None:
            self.commits_left = None if dies else self.commits_left - 1
        with super().transaction() as session:
            yield session
            if dies and not self.after:
                raise Crash
        if dies:
            raise Crash


def made_database(path: Path) -> Path:
    """A furnished database, to be copied: migrating one anew for each example takes too long."""
    database = Database(f"sqlite:///{path}")
    furnish(database)
    database.close()
    return path


def furnish(database: Database) -> None:
    """Our tables, one offer, two employees who may buy it, and the ceiling they share."""
    schema.upgrade(database)
    offer = Offer("o", WORDS, WORDS, "legal", 1000, 2000, 200, 1200, "EUR", "data")
    with patch.object(clock, "now", lambda: START), database.transaction() as session:
        session.add(store(None, "m", "Merchant", False, offer, 1, START))
        for number in (1, 2):
            session.add(Account(
                id=number, directory_id=str(number), dn="", login=f"login{number}", name="", mail="", department="",
                cost_centre="", language="fr", groups=[BUYERS.as_dict()], login_key=f"login{number}", manager="", groups_read_at=START, created_at=START,
            ))  # fmt: skip
        session.flush()
        add_ceiling(session, "test", BUYERS, Terms("shared", Scope("all"), "week", LIMIT_CENTS))
        add_rule(session, "test", BUYERS, Scope("all"), "buy", "allow")


@dataclass
class PostgresTemplate:
    """A furnished database of a PostgreSQL, to be copied."""

    server: Postgres
    name: str

    def copy(self, around: ExitStack) -> str:
        """The URL of a copy, dropped when `around` ends."""
        name = self.server.make(self.name)
        around.callback(self.server.drop, name)
        return self.server.url(name)


class World:
    """Everything a purchase touches, at a time that only moves when told."""

    def __init__(
        self, template: Path | PostgresTemplate, folder: Path, *, idempotent: bool = True, document: bool = False
    ) -> None:
        self.at = START
        self.around = ExitStack()
        if isinstance(template, PostgresTemplate):
            url = template.copy(self.around)
        else:
            url = f"sqlite:///{shutil.copy(template, folder / 'portal.db')}"
        self.around.enter_context(patch.object(clock, "now", lambda: self.at))
        # Drawing a traceback for every fault we make would take most of the time.
        self.around.enter_context(capture_logs())
        self.database = MortalDatabase(url)
        self.operator, self.merchant = Operator(), Merchant(idempotent, document)
        self.operator.faults.meanwhile = self.merchant.faults.meanwhile = self.others_go_on
        self.merchant.heard = self.merchant_heard
        self.loaded = loaded(self.merchant)
        self.means = Means(self.database, Merchants({"m": self.loaded}), self.operator, "+33100000000", Storage(folder))
        self.handlers = self.handlers_over(self.operator)
        self.prices: dict[str, int] = {}
        self.numbers: dict[str, str] = {}
        self.clicked: list[tuple[str, int]] = []
        self.wrong: list[str] = []
        self.stalled = False
        self.touched = self.allowed = True

    def close(self) -> None:
        """Give everything back."""
        self.database.close()
        self.around.close()

    # --- What people and processes do -----------------------------------------------------------------

    def allow(self, allowed: bool) -> None:
        """An administrator makes the one rule, or removes it."""
        if allowed == self.allowed:
            return
        self.allowed = allowed
        with self.database.transaction() as session:
            if allowed:
                add_rule(session, "test", BUYERS, Scope("all"), "buy", "allow")
            else:
                remove_rule(session, "test", session.scalars(select(Rule)).one())

    def ask_price(self, account: int, net_cents: int) -> str:
        """The first click; returns the confirmation token."""
        with self.database.transaction() as session:
            quote = keep_quote(session, account, 1, {}, quoted(net_cents))
        self.prices[quote.token] = quote.gross_cents
        return quote.token

    def confirm(self, token: str, account: int) -> str:
        """The second click, carried on by the process that serves it; returns the order number or why not."""
        with self.database.reading() as session:
            quote = find_quote(session, token, account)
            assert quote
            assert quote.offer
            person = session.get_one(Account, account)
            expected = self._expected(session, quote)
        self.clicked.append((token, account))
        try:
            accepted = self.alive(lambda: accept(self.database, quote, person, self.loaded, ZONE, "web"))
        except Refused as refusal:
            accepted = refusal.reason.code
        if accepted is None:
            return "the process died"
        if isinstance(accepted, str):
            assert accepted == expected
            return accepted
        assert expected in {"accepted", accepted.number}
        assert self.numbers.setdefault(token, accepted.number) == accepted.number
        if accepted.lease:
            assert expected == "accepted"
            self.alive(lambda: run_leased(self.database, self.handlers, accepted.lease))
        return accepted.number

    def ask_refund(self, number: str, cents: int | None) -> str:
        """Somebody of finance asks for a refund; returns why not, "" when it is asked for."""
        try:
            self.alive(lambda: self._ask_refund(number, cents))
        except Refused as refusal:
            return refusal.reason.code
        return ""

    def _ask_refund(self, number: str, cents: int | None) -> None:
        with self.database.transaction() as session:
            refunds.ask(session, "account 9", charges.of_order(session, number), cents, "broken")

    def cancel_there(self) -> None:
        """Somebody at the operator cancels whatever waits for its capture."""
        waiting = {number for number, ends in self.ends().items() if ends == ("delivered", "reserved")}
        for theirs in [*self.operator.book.values()]:
            if theirs.reference in waiting and theirs.state == "reserved":
                self.operator.void_by_hand(theirs.ref)

    def decide_dispute(self, which: int) -> None:
        """Somebody looks at the oldest dispute and makes one of the choices that are said to be safe."""
        with self.database.reading() as session:
            waiting = disputes.open_disputes(session)
        if waiting:
            self.alive(lambda: self._decide_dispute(waiting[0].order_number, which))

    def _decide_dispute(self, number: str, which: int) -> None:
        disputes.look(self.database, self.operator, number)
        with self.database.transaction() as session:
            charge = charges.locked(session, number)
            assert charge
            possible = [choice for choice in disputes.choices(session, charge) if choice != "look"]
            chosen = possible[which % len(possible)] if possible else ""
            if chosen == "write_off":
                write_offs.write_off(session, "account 9", charge, "decided")
            elif chosen:
                disputes.decide(session, "account 9", charge, chosen, "decided")

    def pass_time(self, seconds: int) -> None:
        """Time goes by, and nobody does anything."""
        self.at += timedelta(seconds=seconds)

    def work(self) -> bool:
        """A worker does one due task, or dies of it."""
        return self.alive(lambda: work_once(self.database, "worker", self.handlers)) is not False

    def recover(self) -> None:
        """A round of recovery, by a process that may die of it."""
        around = Recovery(
            self.database, self.operator,
            lambda there: self.handlers_over(there) | {
                "purchase": self._noticing(lambda lease: resolve(replace(self.means, operator=there), lease.subject, lease))
            },
            enqueue_forgotten,
        )  # fmt: skip
        self.alive(around.now)

    def lose_tasks(self, *, ended: bool) -> None:
        """Tasks of purchases are lost, or called done, as nothing that we know of can do."""
        lost = [Task.kind != "mail", Task.done_at.is_(None)]
        with self.database.transaction() as session:
            session.execute(update(Task).where(*lost).values(done_at=self.at) if ended else delete(Task).where(*lost))

    def handlers_over(self, there: Any) -> dict[str, Callable[[Lease], None]]:
        """What workers do with each kind of task, over an operator."""
        means = replace(self.means, operator=there)
        return {
            "purchase": self._noticing(lambda lease: advance(means, lease.subject, lease)),
            "capture": self._noticing(lambda lease: capture(self.database, there, means.line, lease)),
            "void": self._noticing(lambda lease: void(self.database, there, lease)),
            "refund": self._noticing(lambda lease: refund(self.database, there, lease)),
        }

    def alive(self, work: Callable[[], Result]) -> Result | None:
        """Run something as a process of its own; None when it died."""
        outer, self.database.armed, self.touched = self.database.armed, True, True
        try:
            return work()
        except Crash:
            return None
        finally:
            self.database.armed = outer

    def others_go_on(self) -> None:
        """A process stalls for longer than its lease: the employee clicks again, and other workers take over."""
        if self.stalled:
            return
        self.stalled, armed, self.database.armed = True, self.database.armed, False
        self.at += STALL
        try:
            if self.clicked:
                self.confirm(*self.clicked[-1])
            for _ in range(5):
                self.work()
        except AssertionError as error:
            # The stalled process's own caller would take it for a failed task and go on.
            self.wrong.append(f"during a stall: {error!r}")
        finally:
            self.stalled, self.database.armed = False, armed

    def merchant_heard(self, number: str) -> None:
        """The merchant makes an order: its price must be reserved at this moment."""
        if self.operator.of_order(number) != "reserved":
            self.wrong.append(
                f"{number} ordered while the operator has it {self.operator.of_order(number) or 'not at all'}"
            )

    def _noticing(self, work: Callable[[Lease], None]) -> Callable[[Lease], None]:
        def run(lease: Lease) -> None:
            try:
                work(lease)
            except LeaseLost:
                raise
            except Exception as error:
                # A task that fails is put back and tried again, which would hide its mistake.
                self.wrong.append(f"{lease.kind} raised {error!r}")
                raise

        return run

    # --- What must be so ------------------------------------------------------------------------------

    def _expected(self, session: Session, quote: QuoteRow) -> str:
        """What a confirmation must answer now, reckoned from orders alone and not from any counter."""
        if made := session.scalar(select(Order.number).where(Order.token == quote.token)):
            return made
        if self.at >= quote.created_at + timedelta(hours=1):
            return "quote_expired"
        if not self.allowed:
            return "no_rule"
        room = LIMIT_CENTS - self._spent(session).get(_week(self.at), 0)
        return "accepted" if self.prices[quote.token] <= room else "over_ceiling"

    def _spent(self, session: Session) -> dict[tuple[int, int], int]:
        """What both employees together have bought or may still have to pay, in cents by week."""
        spent: dict[tuple[int, int], int] = {}
        kept = select(Order, Charge).join(Charge, Charge.order_number == Order.number).where(Order.state != "failed")
        for order, charge in session.execute(kept):
            cents = 0 if charge.state == "written_off" else order.gross_cents - charge.refunded_cents
            spent[_week(order.created_at)] = spent.get(_week(order.created_at), 0) + cents
        return spent

    def broken(self) -> list[str]:
        """Every invariant that does not hold at this moment, by our own reckoning."""
        if not self.touched:
            return self.wrong
        self.touched = False
        wrong = [*self.wrong]
        with self.database.reading() as session:
            orders = {order.number: order for order in session.scalars(select(Order))}
            every = list(session.scalars(select(Charge)))
            live = {(task.kind, task.subject) for task in session.scalars(select(Task).where(Task.done_at.is_(None)))}
            spent = self._spent(session)
            full = session.scalars(
                select(CeilingUse).where(CeilingUse.held_cents + CeilingUse.captured_cents > LIMIT_CENTS)
            )
            wrong += [f"2: {use.held_cents} held + {use.captured_cents} captured" for use in full]
        if len({order.token for order in orders.values()}) < len(orders):
            wrong.append("1: a token has made two orders")
        wrong += [f"2: {cents} in {week}" for week, cents in spent.items() if cents > LIMIT_CENTS]
        if sorted(orders) != sorted(charge.order_number for charge in every):
            wrong.append("3: orders and charges are not one to one")
        for charge in every:
            order, number = orders[charge.order_number], charge.order_number
            if order.is_open and ("purchase", number) not in live:
                wrong.append(f"8: {number} is {order.state}, and nobody will carry it on")
            on_its_way = charge.state in {"new", "reserved"} and ("capture", number) in live
            if order.state == "delivered" and not (on_its_way or charge.state in CHARGED):
                wrong.append(f"3: {number} is delivered, its charge is {charge.state}")
            if charge.state == "captured" and order.state != "delivered":
                wrong.append(f"4: {number} is captured, but {order.state}")
            if charge.state == "written_off" and self.operator.of_order(number, "captured"):
                wrong.append(f"3: {number} is written off, and charged")
            if charge.state == "refunding" and ("refund", number) not in live:
                wrong.append(f"8: {number} is being refunded, and nobody will carry it on")
            if charge.refunded_cents > self.operator.given_back(charge.operator_ref):
                wrong.append(f"6: {number} is refunded here and not there")
            if max(charge.amount_cents, order.gross_cents) > self.prices[order.token]:
                wrong.append(f"5: {number} costs more than was confirmed")
        for theirs in self.operator.book.values():
            order = orders[theirs.reference]
            if theirs.state == "captured" and order.state != "delivered":
                wrong.append(f"4: {order.number} is captured at the operator, but {order.state}")
            if theirs.amount_cents > self.prices[order.token]:
                wrong.append(f"5: the operator has {theirs.amount_cents} for {order.number}")
        for theirs in self.operator.book.values():
            if self.operator.given_back(theirs.ref) > theirs.amount_cents:
                wrong.append(f"5: more than {theirs.reference} cost was given back")
        keys = [made.key for made in self.merchant.made]
        if len(keys) > len(set(keys)):
            wrong.append("8: a merchant was made to deliver twice")
        return wrong

    def be_quiet(self) -> None:
        """Nothing that was to go wrong and has not yet will."""
        self.operator.faults.coming.clear()
        self.merchant.faults.coming.clear()
        self.database.commits_left = None

    def settle(self) -> None:
        """Faults end, workers go on, time passes: everything comes to rest, or this raises."""
        self.be_quiet()
        for _ in range(2_000):
            if self.work():
                continue
            with self.database.reading() as session:
                if not outbox.open_subjects(session):
                    assert verify(self.database, self.means.storage) == []
                    return
            self.at += timedelta(seconds=100)
        raise AssertionError("the outbox does not run empty")

    def ends(self) -> dict[str, tuple[str, str]]:
        """Order and charge state by order number."""
        with self.database.reading() as session:
            pairs = select(Order.number, Order.state, Charge.state).join(Charge, Charge.order_number == Order.number)
            return {number: (order, charge) for number, order, charge in session.execute(pairs)}

    def new_prices(self) -> list[tuple[str, int]]:
        """Confirmations the employee is offered because a price has changed, and whose they are."""
        with self.database.reading() as session:
            tokens = session.scalars(select(Order.next_token).where(Order.next_token != "")).all()
            quotes = session.scalars(select(QuoteRow).where(QuoteRow.token.in_(tokens))).all()
        self.prices |= {quote.token: quote.gross_cents for quote in quotes}
        return [(quote.token, quote.account_id) for quote in quotes]


def _week(at: datetime) -> tuple[int, int]:
    day = at.astimezone(ZONE).isocalendar()
    return day.year, day.week
