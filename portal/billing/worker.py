"""The worker: takes due tasks and hands each to what knows how to do it, so that nobody who is waited for holds up others."""

from __future__ import annotations

import os
import queue
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from portal import breakers, logs, outbox
from portal.billing.drain import Drain, Draining
from portal.billing.holding import Holding
from portal.billing.rounds import Round, start_rounds
from portal.database import Database, unusable
from portal.outbox import Choice, Lease, LeaseLost

log = logs.get(__name__)

Handler = Callable[[Lease], None]
IDLE_S = 0.5
THREADS = 8
"""They wait for others most of the time; more of them bring nothing on a machine of two cores."""
GRACE_S = 20
"""How long what is being worked on may take once the worker is to end; any exchange is over by then."""


def worker_name() -> str:
    """Who holds a lease: machine, process and a random part."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"


def work_once(database: Database, owner: str, handlers: Mapping[str, Handler]) -> bool:
    """Do one due task; False when nothing is due. A task that fails is put back, never lost."""
    with database.transaction() as session:
        lease = outbox.claim(session, owner, choice=Choice(away=breakers.look(session).away))
    if lease is None:
        return False
    run_leased(database, handlers, lease)
    return True


def run_leased(database: Database, handlers: Mapping[str, Handler], lease: Lease) -> None:
    """Do a task already claimed; whatever goes wrong is logged and the task is put back."""
    try:
        handlers[lease.kind](lease)
    except LeaseLost:
        log.warning("lease_lost", kind=lease.kind, subject=lease.subject)
    except Exception as error:
        log.exception("task_failed", kind=lease.kind, subject=lease.subject)
        _put_back(database, lease, f"{type(error).__name__}: {error}")


def run_worker(
    database: Database, handlers: Mapping[str, Handler], stop: threading.Event, threads: int = THREADS,
    rounds: Sequence[Round] = (), drains: Sequence[Drain] = (), grace_s: float = GRACE_S,
) -> None:  # fmt: skip
    """Work until `stop` is set; what is being worked on is then done within `grace_s` seconds, or handed back."""
    holding = Holding(database)
    draining = [Draining(database, drain, handlers[drain.kind], holding, worker_name()) for drain in drains]
    others = {kind: handler for kind, handler in handlers.items() if kind not in {drain.kind for drain in drains}}
    crew = Crew(database, others, threads, holding)
    going = [threading.Thread(target=each.work, args=(stop, grace_s), name="drain") for each in draining]
    going += start_rounds(rounds, stop)
    for thread in going[: len(draining)]:
        thread.start()
    crew.work(stop)
    holding.end(grace_s)
    for thread in going:
        thread.join()


class Crew:
    """Threads that do tasks of any kind. A lane gets as many of them as stay free at most.

    One lane that hangs so leaves half of the threads to others, two leave a third, and so on; the last is never a merchant's.
    """

    def __init__(self, database: Database, handlers: Mapping[str, Handler], threads: int, holding: Holding) -> None:
        self._database, self._handlers, self._threads, self._holding = database, handlers, threads, holding
        self._owner = worker_name()
        self._at: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._given: queue.SimpleQueue[Lease | None] = queue.SimpleQueue()

    def work(self, stop: threading.Event) -> None:
        """Take tasks until `stop` is set."""
        for number in range(self._threads):
            threading.Thread(target=self._do, name=f"worker-{number}", daemon=True).start()
        while not stop.is_set():
            try:
                taken = self._take()
            except SQLAlchemyError:
                log.exception("database_unavailable")
                taken = False
            with self._changed:
                if not taken:
                    self._changed.wait(IDLE_S)
        for _ in range(self._threads):
            self._given.put(None)

    def _take(self) -> bool:
        """Claim what there is room for, in one transaction."""
        if not self._handlers or not self.free:
            return False
        taken: list[Lease] = []
        with self._database.transaction() as session:
            seen = breakers.look(session)
            for _ in range(self.free):
                lanes = self._lanes(taken)
                full = self.full(lanes) | {lane for lane in seen.trying if lanes[lane]}
                choice = Choice(self._kinds(lanes), full, seen.away)
                lease = outbox.claim(session, self._owner, choice=choice)
                if lease is None:
                    break
                taken.append(lease)
        self._holding.take(taken)
        with self._changed:
            self._at.update(lease.lane for lease in taken)
        for lease in taken:
            self._given.put(lease)
        return bool(taken)

    @property
    def free(self) -> int:
        """How many threads have nothing to do."""
        with self._changed:
            return self._threads - self._at.total()

    def full(self, lanes: Counter[str]) -> set[str]:
        """The lanes that hold as many threads as are free."""
        free = self._threads - lanes.total()
        return {lane for lane, held in lanes.items() if held >= free}

    def _kinds(self, lanes: Counter[str]) -> list[str]:
        """The last free thread is not for purchases: there may be more merchants that hang than threads."""
        is_last = self._threads - lanes.total() == 1 < self._threads
        return [kind for kind in self._handlers if not (is_last and kind == "purchase")]

    def _lanes(self, taken: Sequence[Lease]) -> Counter[str]:
        with self._changed:
            return self._at + Counter(lease.lane for lease in taken)

    def _do(self) -> None:
        while lease := self._given.get():
            try:
                run_leased(self._database, self._handlers, lease)
            finally:
                self._holding.leave([lease])
                with self._changed:
                    self._at[lease.lane] -= 1
                    self._changed.notify_all()


def _put_back(database: Database, lease: Lease, detail: str) -> None:
    try:
        with database.transaction() as session:
            outbox.postpone(session, lease, outbox.back_off_s(lease.attempts), detail)
    except LeaseLost:
        log.warning("lease_lost", kind=lease.kind, subject=lease.subject)
    except SQLAlchemyError as error:
        # Its lease runs out, and it is taken up again.
        log.error("task_not_put_back", kind=lease.kind, subject=lease.subject, detail=unusable(error))
