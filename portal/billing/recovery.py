"""Recovery: what is open is found, whatever the outbox knows, and every doubt is resolved by the operator's own list.

A round enqueues what nobody would do any more, reads the operator's list once for all doubts together, and takes
each open charge under its own lease through the functions that any worker uses. What a worker holds is left alone,
and a round that dies anywhere has done no harm: the next one goes on.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal, TypeVar, cast

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from connectors.contract import ConnectorError, NotFound, OperatorAdapter, OperatorCharge, OperatorOutcome
from portal import breakers, clock, logs, outbox
from portal.billing import orphans, turns
from portal.billing.charges import Charge, ChargeEvent
from portal.billing.settlement import LIST_LAG
from portal.billing.turns import Held, TurnLost
from portal.billing.worker import Handler, run_leased, worker_name
from portal.database import Database
from portal.outbox import Lease, LeaseLost, Task

log = logs.get(__name__)

NAME = "recovery"
LOOK_S = 30
EVERY = timedelta(minutes=5)
BUDGET_S = 15.0
"""How long a worker's own round goes on: a worker that is to stop must not be waited for longer."""
CLOCK_DIFFERENCE = timedelta(minutes=10)
CLOCK_SET_BACK = timedelta(days=2)
MOST_CASES = 10_000
AT_A_TIME = 500
CLAIMED = 20
"""How many are claimed in one transaction: what takes longer than its lease then is somebody else's, and left alone."""

Item = TypeVar("Item")
Why = Literal["answer", "not_shown_yet", "unreadable", "put_off"]
"""Why something is still open: by the operator's answer, its list may still show it, its list cannot be read, no time."""


@dataclass(frozen=True)
class Case:
    """A task that is open on a charge, as it stood before the operator's list was read.

    In doubt are those that were sent and of which the operator has given us no name: only its list knows.
    """

    kind: str
    order: str
    fence: int
    key: str
    sent_at: datetime | None
    last_sent: datetime | None
    in_doubt: bool


@dataclass(frozen=True)
class Waiting:
    """What could not be resolved: the order, what is to be done for it, and why that is not done."""

    order: str
    task: str
    why: Why
    detail: str = ""


@dataclass
class Findings:
    """What a round found and did; `settled` counts by the state that a charge came to, `enqueued` by task."""

    enqueued: dict[str, int] = field(default_factory=dict)
    payments: int = 0
    cases: int = 0
    doubts: int = 0
    settled: dict[str, int] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    busy: int = 0
    orphans: list[OperatorCharge] = field(default_factory=list)
    unreadable: str = ""
    whole: bool = True

    @property
    def all_is_well(self) -> bool:
        """Whether nothing is left that a person should know of."""
        wrong = self.orphans or self.unreadable or self.waiting or self.settled.get("disputed")
        return self.whole and not wrong


@dataclass(frozen=True)
class Recovery:
    """What a round works with.

    Args:
        handlers: what a worker does with each kind of task, over the operator it is given; a purchase goes no further
            than the operator's part, so that no merchant holds a round up.
        enqueue_missing: put up to so many tasks that are needed and not there into the outbox; how many, by kind.
    """

    database: Database
    operator: OperatorAdapter
    handlers: Callable[[OperatorAdapter], Mapping[str, Handler]]
    enqueue_missing: Callable[[Session, int], Mapping[str, int]]

    def at_intervals(self, started: datetime) -> None:
        """A round, if none was done since a time and within `EVERY`, and nobody is at it.

        What is in no doubt is left until it is due: the operator may have asked for the delay.
        """
        turn = turns.take(self.database, NAME, worker_name(), done_before=max(started, clock.now() - EVERY))
        if turn:
            found = self._go(turn, BUDGET_S)
            log.info(
                "recovery_round", enqueued=sum(found.enqueued.values()), payments=found.payments, open=found.cases,
                doubts=found.doubts, settled=found.settled, waiting=len(found.waiting), unknown=len(found.orphans),
            )  # fmt: skip

    def now(self, step: Callable[[int, int], None] = lambda _done, _all: None) -> Findings | None:
        """A whole round; None when somebody else is at it. `step` is told how many charges of how many are done.

        A person asks for it, so whoever is known to be away is asked all the same.
        """
        turn = turns.take(self.database, NAME, worker_name())
        with breakers.asking_anyway():
            return self._go(turn, None, step) if turn else None

    def _go(
        self, turn: Held, budget_s: float | None, step: Callable[[int, int], None] = lambda _done, _all: None
    ) -> Findings:
        found = Findings()
        try:
            with turn.kept():
                self._do(turn, found, math.inf if budget_s is None else time.monotonic() + budget_s, step)
            turn.end(done=found.whole)
        except TurnLost:
            found.whole = False
            log.warning("recovery_turn_lost", owner=turn.owner)
        return found

    def _do(self, turn: Held, found: Findings, ends: float, step: Callable[[int, int], None]) -> None:
        self._enqueue(turn, found)
        began = clock.now()
        cases, found.busy, since = self._cases(began, turn.reached, only_due=ends < math.inf)
        found.cases, found.doubts = len(cases), sum(case.in_doubt for case in cases)
        found.whole = len(cases) < MOST_CASES
        try:
            listed = self._read(turn, cases, since, found)
        except ConnectorError as error:
            found.unreadable = f"{type(error).__name__}: {error.detail}"
            found.waiting = [Waiting(case.order, case.kind, "unreadable") for case in cases]
            log.warning("recovery_list_unreadable", detail=found.unreadable, open=len(cases))
            return
        turn.reach(began)
        why: dict[Case, Why] = dict.fromkeys(cases, "put_off")
        tried = 0
        for some in _batches(cases, CLAIMED):
            if time.monotonic() > ends:
                break
            turn.keep()
            ready = [case for case in some if not self._may_still_show(case, listed, began)]
            why |= {case: "answer" if case in ready else "not_shown_yet" for case in some}
            for case, lease in self._claimed(ready, turn.owner):
                if time.monotonic() > ends:
                    why[case] = "put_off"
                    self._hand_back(lease)
                else:
                    self._resolve(case, lease, listed)
            tried += len(some)
            step(tried, len(cases))
        found.whole = found.whole and "put_off" not in why.values()
        self._look_back(why, found)

    def _enqueue(self, turn: Held, found: Findings) -> None:
        made: Counter[str] = Counter()
        while True:
            with self.database.transaction() as session:
                some = self.enqueue_missing(session, AT_A_TIME)
            made.update(some)
            if not some:
                break
            turn.keep()
        found.enqueued = dict(made)
        if made:
            log.warning("tasks_were_missing", **made)

    def _cases(self, at: datetime, reached: datetime | None, *, only_due: bool) -> tuple[list[Case], int, datetime]:
        """Every open charge that nobody is at, how many somebody is at, and since when the list must be read."""
        last_sent = (
            select(func.max(ChargeEvent.at))
            .where(ChargeEvent.charge_id == Charge.id, ChargeEvent.event == "sending").scalar_subquery()
        )  # fmt: skip
        sent = and_(Task.kind == "purchase", Charge.state == "new", Charge.sent_at.is_not(None))
        wanted = (Task.done_at.is_(None), or_(Task.kind.in_(["capture", "void", "refund"]), sent))
        held = Task.lease_until >= at
        in_doubt = and_(Charge.state == "new", Charge.operator_ref == "", Charge.sent_at.is_not(None))
        columns = (Task.kind, Charge.order_number, Task.fence, Charge.key, Charge.sent_at, last_sent, in_doubt)
        query = select(*columns).join(Task, Task.subject == Charge.order_number).where(*wanted)
        free = query.where(or_(Task.lease_until.is_(None), ~held)).order_by(Task.due_at).limit(MOST_CASES)
        free = free.where(or_(Task.due_at <= at, in_doubt)) if only_due else free
        with self.database.reading() as session:
            cases = [Case(*row) for row in session.execute(free)]
            busy = session.scalar(select(func.count()).select_from(query.where(held).subquery())) or 0
            newest = session.scalar(select(ChargeEvent.at).order_by(ChargeEvent.id.desc()).limit(1))
        # What the round before may have been too early for is looked at again; the first begins where our book ends.
        since = min(at, reached or newest or at) - LIST_LAG
        if reached and reached > at:
            # Our clock was set back: what came meanwhile has an earlier time than what was seen.
            since -= CLOCK_SET_BACK
        # A look-up that finds nothing is believed, so it goes as far back as the adapters' own.
        since = min([since, *(case.sent_at - CLOCK_SET_BACK for case in cases if case.in_doubt and case.sent_at)])
        return cases, busy, since - CLOCK_DIFFERENCE

    def _read(self, turn: Held, cases: list[Case], since: datetime, found: Findings) -> dict[str, OperatorCharge]:
        """The one reading of the list: what it has of our doubts by key. Raises `ConnectorError`."""
        doubts, listed = {case.key for case in cases if case.in_doubt}, {}
        for some in _batches(self.operator.list_charges(since)):
            turn.keep()
            found.payments += len(some)
            listed.update({payment.key: payment for payment in some if payment.key in doubts})
            with self.database.reading() as session:
                unknown = orphans.among(session, some)
            if unknown:
                with self.database.transaction() as session:
                    orphans.journal(session, unknown)
                found.orphans += unknown
        return listed

    def _by_list(self, case: Case) -> bool:
        return case.in_doubt and self.operator.finds_in_list

    def _may_still_show(self, case: Case, listed: Mapping[str, OperatorCharge], began: datetime) -> bool:
        young = began - (case.last_sent or began) <= LIST_LAG
        return young and self._by_list(case) and case.key not in listed

    def _claimed(self, cases: list[Case], owner: str) -> list[tuple[Case, Lease]]:
        """Those that nobody else has taken since they were looked at."""
        with self.database.transaction() as session:
            leases = [outbox.claim(session, owner, kind=case.kind, subject=case.order) for case in cases]
        return [(case, lease) for case, lease in zip(cases, leases, strict=True) if lease]

    def _hand_back(self, lease: Lease) -> None:
        with contextlib.suppress(LeaseLost), self.database.transaction() as session:
            outbox.postpone(session, lease, 0)

    def _resolve(self, case: Case, lease: Lease, listed: Mapping[str, OperatorCharge]) -> None:
        operator = self.operator
        if self._by_list(case) and lease.fence == case.fence + 1:
            operator = cast(OperatorAdapter, _Remembering(operator, case.key, listed.get(case.key, NotFound())))
        # Otherwise somebody was at it since the list was read, and may have sent again: it is looked up anew.
        run_leased(self.database, self.handlers(operator), lease)

    def _look_back(self, cases: Mapping[Case, Why], found: Findings) -> None:
        settled: Counter[str] = Counter()
        for some in _batches(cases):
            asked = {(case.kind, case.order): cases[case] for case in some}
            query = (
                select(Task.kind, Charge.order_number, Charge.state, Task.done_at, Task.last_detail)
                .join(Task, Task.subject == Charge.order_number)
                .where(Charge.order_number.in_([case.order for case in some]))
            )  # fmt: skip
            with self.database.reading() as session:
                for kind, order, state, done_at, detail in session.execute(query):
                    if done_at or (kind == "purchase" and state != "new"):
                        settled[state] += (kind, order) in asked
                    elif (kind, order) in asked:
                        found.waiting.append(Waiting(order, kind, asked[kind, order], detail))
        found.settled = dict(+settled)


def _batches(items: Iterable[Item], size: int = AT_A_TIME) -> Iterator[list[Item]]:
    source = iter(items)
    while some := list(islice(source, size)):
        yield some


class _Remembering:
    """The operator, of whom one look-up has been answered already: the first for a key is told what the list had."""

    def __init__(self, operator: OperatorAdapter, key: str, seen: OperatorCharge | NotFound) -> None:
        self._operator, self._key, self._seen = operator, key, seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operator, name)

    def find(self, charge_key: str, since: datetime) -> OperatorOutcome | NotFound:
        """Once from the list; afterwards something may have been sent, and the operator is asked."""
        if charge_key != self._key:
            return self._operator.find(charge_key, since)
        self._key = ""
        return self._seen
