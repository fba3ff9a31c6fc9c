"""The processes of one connector in one process of the portal: as many as there are calls at a time, some at most, kept warm."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from connectors.apart.process import Code, Patience, Process

MOST = 4
WAIT_S = 10.0
WARM_S = 60.0
"""How long those beyond the first are kept once nobody needs them."""
OLD_S = 300.0
"""A process that has thought so long is replaced between two calls, far from the limit on its processor's time."""


class AllBusy(Exception):
    """Every process is busy, and stayed so."""


class Pool:
    """Lends processes; safe to use from several threads, and after a fork. With it, they end."""

    def __init__(self, code: Code, patience: Patience = Patience()) -> None:
        self._code, self._patience = code, patience
        self._free = threading.Condition()
        self._process_id = os.getpid()
        self._idle: list[tuple[float, Process]] = []
        self._lent = 0
        weakref.finalize(self, _end, self._idle, os.getpid())

    @contextmanager
    def lent(self) -> Iterator[Process]:
        """A process for one call; it is kept for the next if it lives and is silent.

        Raises:
            AllBusy: nobody gave one back in time. Gone: none can be started.
        """
        process = self._take()
        try:
            yield process
        finally:
            self._give_back(process)

    def close(self) -> None:
        """End those that nobody uses."""
        self._after_a_fork()
        with self._free:
            _end(self._idle, self._process_id)

    def _take(self) -> Process:
        self._after_a_fork()
        with self._free:
            if not self._free.wait_for(lambda: self._idle or self._lent < MOST, WAIT_S):
                raise AllBusy(f"its {MOST} processes have all been busy for {WAIT_S:.0f} s")
            self._lent += 1
            found = self._idle.pop()[1] if self._idle else None
        if found and found.idle and found.thought_s < OLD_S:
            return found
        try:
            if found:
                found.end()
            return Process(self._code, self._patience)
        except BaseException:
            with self._free:
                self._lent -= 1
                self._free.notify()
            raise

    def _give_back(self, process: Process) -> None:
        now, kept = time.monotonic(), process.idle
        with self._free:
            self._lent -= 1
            old = [each for since, each in self._idle if now - since > WARM_S]
            self._idle[:] = [(since, each) for since, each in self._idle if now - since <= WARM_S]
            if kept:
                self._idle.append((now, process))
            self._free.notify()
        for each in old if kept else [*old, process]:
            each.end()

    def _after_a_fork(self) -> None:
        if os.getpid() == self._process_id:
            return
        # Nobody else runs yet in a process that has just been forked, whatever its parent's lock says.
        self._free, self._lent, self._process_id = threading.Condition(), 0, os.getpid()
        for _since, process in self._idle:
            process.forget()
        self._idle.clear()


def _end(idle: list[tuple[float, Process]], process_id: int) -> None:
    """End those that nobody uses, where they were started."""
    while idle and os.getpid() == process_id:
        idle.pop()[1].end()
