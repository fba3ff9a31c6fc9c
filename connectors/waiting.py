"""How the other side is waited for: the wait it asks for itself, what is known of whether it answers, and by how many."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from connectors.contract import Unavailable

LONGEST_DIGITS = 6
SEATS = 2
"""So many of a process's threads may wait for one other side: whoever hangs holds these, and not all there are."""
PATIENCE_S = 2.0
"""How long somebody waits for a seat, while those who have one have not been waiting longer than this themselves."""


class Breaker(Protocol):
    """What is known, beyond this process, of whether the other side answers."""

    def before(self) -> None:
        """An exchange is about to begin. Raises `Unavailable` while the other side is known to be away."""

    def answered(self) -> None:
        """The other side answered, whatever it said."""

    def failed(self, detail: str, retry_after_s: int | None = None) -> None:
        """It did not answer, or is out of order (5xx), or asked for a wait (429; seconds)."""


class Full(Unavailable):
    """Nobody was asked: enough wait for this other side already."""


class Seats:
    """Who of this process waits for one other side while a person waits for him; safe to use from several threads."""

    def __init__(self, seats: int = SEATS) -> None:
        self._seats = seats
        self._taken: list[float] = []
        self._changed = threading.Condition()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A block that waits for the other side. Raises `Full` when all seats are taken, and for long."""
        seat = self.take()
        if seat is None:
            raise Full("it keeps others waiting at this moment", retry_after_s=1)
        try:
            yield
        finally:
            self.leave(seat)

    def take(self) -> float | None:
        """A seat, to be given back by `leave`; None when there is none and it is of no use to wait for one."""
        gives_up = time.monotonic() + PATIENCE_S
        with self._changed:
            while len(self._taken) >= self._seats:
                now = time.monotonic()
                # Whoever answers quickly has a seat free again at once; whoever hangs has not.
                left = min(gives_up, min(self._taken) + PATIENCE_S) - now
                if left <= 0:
                    return None
                self._changed.wait(left)
            seat = time.monotonic()
            self._taken.append(seat)
            return seat

    def leave(self, seat: float) -> None:
        """Give a seat back."""
        with self._changed:
            self._taken.remove(seat)
            self._changed.notify()


def seconds(retry_after: str) -> int | None:
    """What a `Retry-After` asks for: seconds, or the time the wait ends (RFC 9110, 10.2.3); None when it says neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return int(text) if len(text) <= LONGEST_DIGITS else None
    try:
        at = parsedate_to_datetime(text)
        # HTTP dates are in GMT, whether they say so or not.
        left = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)
    except (ValueError, OverflowError):
        return None
    # A time that has passed asks for nothing.
    return min(math.ceil(left.total_seconds()), 10**LONGEST_DIGITS - 1) if left.total_seconds() > 0 else None
