"""Tasks of one kind that are many after an outage: taken and recorded in groups, put to the other side one by one.

Threads do nothing but ask; one more thread records what they were answered, all there is at a time, and takes new tasks
in the same transaction. Each task keeps a lease, a fence and evidence of its own, and one that hangs holds up one thread.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from portal import breakers, logs, outbox
from portal.billing.holding import Holding
from portal.database import Database
from portal.outbox import Choice, Lease, LeaseLost

log = logs.get(__name__)

SENDERS = 8
AHEAD_S = 0.5
"""For so long there is always something to ask, at the pace of the last answers, so that no sender waits for a commit."""
LEAST_AHEAD, MOST_AHEAD = 2, 32
"""Tasks taken for each sender."""
LINGER_S = 0.1
"""After a first answer so long is waited for more: the more are recorded together, the less each costs."""
IDLE_S = 0.5
STALE_S = outbox.LEASE_S / 4
"""What could not be asked within this time after it was taken is given back unasked."""

UNASKED, DONE = object(), object()
"""Instead of an answer: the task is given back as it was; its handler has done it."""


@dataclass(frozen=True)
class Drain:
    """What is done in groups with one kind of task.

    Attributes:
        read: what is asked about each of these, in the transaction that takes them; what is missing is done one by one.
        ask: the network's part, for one; it raises nothing that belongs to the other side.
        record: keep the answers to several, each under its fence, in one transaction. Raises `LeaseLost` or anything
            else when one of them cannot be kept; they are then recorded one by one.
    """

    kind: str
    read: Callable[[Session, Sequence[Lease]], dict[str, Any]]
    ask: Callable[[Any, Lease], Any]
    record: Callable[[Session, Sequence[tuple[Lease, Any, Any]]], None]
    senders: int = SENDERS


@dataclass(frozen=True)
class Taken:
    """A task in our hands: what it is about (None: to be done by its handler), and since when."""

    lease: Lease
    about: Any
    at: float


class Draining:
    """One drain at work."""

    def __init__(
        self, database: Database, drain: Drain, handler: Callable[[Lease], None], holding: Holding, owner: str
    ) -> None:
        self._database, self._drain, self._handler, self._holding = database, drain, handler, holding
        self._owner = owner
        self._to_ask: queue.SimpleQueue[Taken | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Taken, Any]] = queue.SimpleQueue()
        self._held = 0
        self._most = drain.senders * LEAST_AHEAD
        self._round_at = time.monotonic()
        self._stopped = False

    def work(self, stop: threading.Event, grace_s: float) -> None:
        """Take tasks until `stop` is set; what is being asked then is recorded, `grace_s` seconds at most, the rest handed back."""
        for number in range(self._drain.senders):
            threading.Thread(target=self._send, name=f"{self._drain.kind}-{number}", daemon=True).start()
        while not stop.is_set():
            if not self._go_round(self._gathered(), goes_on=True) and not self._held:
                stop.wait(IDLE_S)
        self._stopped, ends = True, time.monotonic() + grace_s
        self._give_up_unasked()
        for _ in range(self._drain.senders):
            self._to_ask.put(None)
        while self._held and time.monotonic() < ends:
            self._go_round(self._gathered(), goes_on=False)

    def _give_up_unasked(self) -> None:
        """Also while every sender hangs."""
        while True:
            try:
                taken = self._to_ask.get_nowait()
            except queue.Empty:
                return
            if taken:
                self._answers.put((taken, UNASKED))

    def _gathered(self) -> list[tuple[Taken, Any]]:
        """What has been answered, after a short wait in which more comes; nothing when nothing is asked."""
        if not self._held:
            return []
        answers = []
        try:
            answers.append(self._answers.get(timeout=IDLE_S))
            time.sleep(LINGER_S)
            while True:
                answers.append(self._answers.get_nowait())
        except queue.Empty:
            return answers

    def _go_round(self, answers: list[tuple[Taken, Any]], *, goes_on: bool) -> int:
        """Record and, while it goes on, take in one transaction; returns how many were taken."""
        self._held -= len(answers)
        self._keep_pace(len(answers))
        asked = [(taken.lease, taken.about, answer) for taken, answer in answers if answer not in (UNASKED, DONE)]
        unasked = [taken.lease for taken, answer in answers if answer is UNASKED]
        try:
            with self._database.transaction() as session:
                if asked:
                    self._drain.record(session, asked)
                if unasked:
                    outbox.hand_back(session, unasked)
                new = self._take(session) if goes_on else []
        except Exception as error:
            if not isinstance(error, LeaseLost):
                log.exception("group_failed", kind=self._drain.kind, tasks=len(asked))
            self._one_by_one(asked)
            new = []
            if not asked:
                time.sleep(IDLE_S)
        self._holding.leave([taken.lease for taken, _ in answers])
        self._holding.take([taken.lease for taken in new])
        self._held += len(new)
        for taken in new:
            self._to_ask.put(taken)
        return len(new)

    def _keep_pace(self, answered: int) -> None:
        now, senders = time.monotonic(), self._drain.senders
        wanted = int(answered / max(now - self._round_at, LINGER_S) * AHEAD_S)
        self._most, self._round_at = min(max(wanted, senders * LEAST_AHEAD), senders * MOST_AHEAD), now

    def _take(self, session: Session) -> list[Taken]:
        """As many as keep the senders busy; one at most while it is tried whether the other side is back."""
        most = self._most
        if self._held > most // 2:
            return []
        seen = breakers.look(session)
        lane = outbox.LANES[self._drain.kind]
        if lane in seen.trying:
            most = 1
        choice = Choice((self._drain.kind,), away=seen.away)
        leases = outbox.claim_many(session, self._owner, max(0, most - self._held), choice)
        about = self._drain.read(session, leases) if leases else {}
        now = time.monotonic()
        return [Taken(lease, about.get(lease.subject), now) for lease in leases]

    def _one_by_one(self, asked: Sequence[tuple[Lease, Any, Any]]) -> None:
        for each in asked:
            lease = each[0]
            try:
                with self._database.transaction() as session:
                    self._drain.record(session, [each])
            except LeaseLost:
                log.warning("lease_lost", kind=lease.kind, subject=lease.subject)
            except Exception as error:
                log.exception("task_failed", kind=lease.kind, subject=lease.subject)
                self._put_back(lease, f"{type(error).__name__}: {error}")

    def _put_back(self, lease: Lease, detail: str) -> None:
        try:
            with self._database.transaction() as session:
                outbox.postpone(session, lease, outbox.back_off_s(lease.attempts), detail)
        except (LeaseLost, SQLAlchemyError):
            # Its lease runs out, and somebody takes it up again.
            log.warning("not_put_back", kind=lease.kind, subject=lease.subject)

    def _send(self) -> None:
        while taken := self._to_ask.get():
            self._answers.put((taken, self._answer(taken)))

    def _answer(self, taken: Taken) -> Any:
        if self._stopped or time.monotonic() - taken.at > STALE_S:
            return UNASKED
        try:
            if taken.about is not None:
                return self._drain.ask(taken.about, taken.lease)
            self._handler(taken.lease)
        except LeaseLost:
            log.warning("lease_lost", kind=taken.lease.kind, subject=taken.lease.subject)
        except Exception as error:
            log.exception("task_failed", kind=taken.lease.kind, subject=taken.lease.subject)
            self._put_back(taken.lease, f"{type(error).__name__}: {error}")
        return DONE
