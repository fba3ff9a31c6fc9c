"""What a worker does at intervals, besides the tasks of the outbox; each round can be repeated at any time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from portal import logs

log = logs.get(__name__)


@dataclass(frozen=True)
class Round:
    """Something done every so many seconds, beginning at once; `end` is called when the worker is to end."""

    name: str
    every_s: float
    work: Callable[[], None]
    end: Callable[[], None] = lambda: None


def start_rounds(rounds: Sequence[Round], stop: threading.Event) -> list[threading.Thread]:
    """A thread for each; they end after the round they are in once `stop` is set."""
    threads = [threading.Thread(target=_go, args=(each, stop), name=f"round-{each.name}") for each in rounds]
    for thread in threads:
        thread.start()
    return threads


def _go(each: Round, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            each.work()
        except Exception:
            log.exception("round_failed", name=each.name)
        stop.wait(each.every_s)
    each.end()
