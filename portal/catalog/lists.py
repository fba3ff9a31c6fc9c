"""Each merchant's list, read by one process at a time: by a worker at intervals, or at once for a person.

Each reading has a thread of its own, so that a merchant who hangs delays nobody else's list. Where a reading was
interrupted the next one goes on; what was on sale stays on sale meanwhile.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from portal import breakers, clock, logs
from portal.billing import turns
from portal.billing.turns import Held, TurnLost
from portal.billing.worker import worker_name
from portal.catalog import consent, facets, synchronisation
from portal.catalog.merchants import Merchants
from portal.catalog.runs import RunRow
from portal.catalog.synchronisation import Halted, Progress, Synchronised
from portal.database import Database

log = logs.get(__name__)

LOOK_S = 15
"""How often a worker looks which list is due."""
FIRST_WAIT = timedelta(minutes=2)
"""After a failure; doubled by each that follows, up to the merchant's own interval."""
SPREAD = 0.1
"""So much of an interval, either way, is left to chance, so that lists do not all come at one moment."""
REST_S = 0.03
"""What a worker leaves to others between two parts of a list: whoever buys writes into the same database."""
GRACE_S = 8.0
"""How long a worker that is to end waits for its readings; whoever hangs in a request is left behind."""
ASK_S = 0.5
WAIT_S = 900.0
"""How long a person's reading waits for a worker's."""
BUSY = "another process is still reading this list"
ON_HOLD = "on hold until an administrator agrees to what has changed"


@dataclass(frozen=True)
class Standing:
    """Where a merchant's list stands; times in UTC. `is_read_now` while a process is at it."""

    merchant: str
    read_at: datetime | None
    offers: int
    refused: int
    refusals: tuple[str, ...]
    problem: str
    failures: int
    next_at: datetime | None
    is_read_now: bool
    is_on_hold: bool


@dataclass
class Lists:
    """The lists of a site's merchants; `every` is the interval between two readings of one.

    One is made by each worker and lives as long as it.
    """

    database: Database
    merchants: Merchants
    every: Callable[[str], timedelta]
    _stop: threading.Event = field(default_factory=threading.Event)
    _readings: dict[str, threading.Thread] = field(default_factory=dict)
    _turns: dict[str, Held] = field(default_factory=dict)

    def look(self) -> None:
        """Begin to read whatever is due, and come back at once."""
        self._readings = {key: thread for key, thread in self._readings.items() if thread.is_alive()}
        loaded = self.merchants.loaded
        held = {key for key, merchant in loaded.items() if consent.notice(self.database, key, merchant)}
        with self.database.reading() as session:
            rows = {row.merchant: row for row in session.scalars(select(RunRow))}
        for key in loaded:
            if key not in held and key not in self._readings and self._is_due(rows.get(key), key):
                thread = threading.Thread(target=self._at_its_time, args=(key,), name=f"list {key}", daemon=True)
                self._readings[key] = thread
                thread.start()

    def end(self) -> None:
        """The worker ends: every reading stops at its next offer."""
        self._stop.set()
        ends = time.monotonic() + GRACE_S
        for key, thread in self._readings.items():
            thread.join(max(0.0, ends - time.monotonic()))
            turn = self._turns.get(key)
            if thread.is_alive() and turn:
                # It writes nothing any more, so nobody has to wait until its lease runs out.
                _give_back(turn, done=False)

    def now(self, key: str, progress: Progress, waiting: Callable[[], None] = lambda: None) -> Synchronised:
        """Read one list for a person; `waiting` is called while another process is at it."""
        ends = time.monotonic() + WAIT_S
        if consent.notice(self.database, key, self.merchants.loaded[key]):
            return Synchronised(key, problem=ON_HOLD)
        while (turn := self._turn(key)) is None:
            if time.monotonic() > ends:
                return Synchronised(key, problem=BUSY)
            waiting()
            time.sleep(ASK_S)
        with breakers.asking_anyway():
            return self._read(key, turn, progress, rest_s=0)

    def standing(self) -> list[Standing]:
        """Every list, in the order of the configuration."""
        with self.database.reading() as session:
            rows = {row.merchant: row for row in session.scalars(select(RunRow))}
            held = consent.merchants_on_hold(session)
            busy = turns.held(session, [_turn_of(key) for key in self.merchants.loaded])
            offers = {key: facets.on_sale(session, key) for key in self.merchants.loaded}
        return [self._standing(key, rows.get(key), offers[key], key in held, _turn_of(key) in busy) for key in offers]

    def _standing(self, key: str, row: RunRow | None, offers: int, is_on_hold: bool, is_read_now: bool) -> Standing:
        if row is None:
            return Standing(key, None, offers, 0, (), "", 0, None, is_read_now, is_on_hold)
        next_at = row.next_at or (row.good_at and row.good_at + self.every(key))
        return Standing(
            key, row.good_at, offers, row.refused, tuple(row.refusals), row.problem, row.failures,
            None if is_on_hold else next_at, is_read_now, is_on_hold,
        )  # fmt: skip

    def _is_due(self, row: RunRow | None, key: str) -> bool:
        return row is None or row.is_due(self.every(key))

    def _turn(self, key: str) -> Held | None:
        return turns.take(self.database, _turn_of(key), worker_name())

    def _at_its_time(self, key: str) -> None:
        try:
            turn = self._turn(key)
            if turn is None:
                return
            with self.database.reading() as session:
                # Whoever had the turn before may just have read it.
                is_due = self._is_due(session.get(RunRow, key), key)
            if is_due:
                self._read(key, turn, lambda _key, _read: None, rest_s=REST_S)
            else:
                turn.end(done=False)
        except (Halted, TurnLost):
            log.info("list_left", merchant=key)
        except Exception:
            log.exception("list_not_read", merchant=key)

    def _read(self, key: str, turn: Held, progress: Progress, rest_s: float) -> Synchronised:
        def go_on() -> None:
            if self._stop.is_set():
                raise Halted

        def stored(merchant: str, offers: int) -> None:
            turn.keep()
            progress(merchant, offers)
            self._stop.wait(rest_s)

        done, self._turns[key] = False, turn
        try:
            with turn.kept():
                found = synchronisation.read(self.database, self.merchants, key, stored, go_on)
                with self.database.transaction() as session:
                    self._plan(session.get(RunRow, key), key)
            done = not found.problem
            return found
        finally:
            _give_back(turn, done=done)

    def _plan(self, row: RunRow | None, key: str) -> None:
        """When it is read next: after its interval, or sooner after a failure."""
        if row is None:
            return
        every = self.every(key)
        wait = min(FIRST_WAIT * 2 ** min(row.failures - 1, 20), every) if row.failures else every
        row.next_at = clock.now() + wait * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - no secret


def _give_back(turn: Held, *, done: bool) -> None:
    with contextlib.suppress(TurnLost, SQLAlchemyError):
        turn.end(done=done)


def _turn_of(key: str) -> str:
    return f"list {key}"
