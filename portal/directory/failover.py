"""Which server is asked next, and how long it may take (T13): our own failover within one time budget."""

from __future__ import annotations

import time
from collections.abc import Sequence

COOL_DOWN_S = 20


class Failover:
    """The servers of one site; one that failed rests for a while."""

    def __init__(self, urls: Sequence[str], cool_down_s: float = COOL_DOWN_S) -> None:
        self.urls, self._cool_down_s = tuple(urls), cool_down_s
        self._resting: dict[str, float] = {}

    def rest(self, url: str) -> None:
        """A server failed: it is asked last for a while."""
        self._resting[url] = time.monotonic() + self._cool_down_s

    def answered(self, url: str) -> None:
        """A server answers: it need not rest."""
        self._resting.pop(url, None)

    @property
    def all_rest(self) -> bool:
        """Whether every server has failed a moment ago."""
        return all(self.rests(url) for url in self.urls)

    def next(self, tried: set[str]) -> str | None:
        """The next server for a question that has tried some; those that rest come last."""
        left = [url for url in self.urls if url not in tried]
        return next((url for url in left if not self.rests(url)), left[0] if left else None)

    def share(self, tried: set[str], deadline: float) -> float:
        """The moment until which the next server may take its time, so that those after it keep theirs."""
        awake = sum(not self.rests(url) for url in self.urls if url not in tried)
        now = time.monotonic()
        return now + max(0.0, deadline - now) / max(1, awake)

    def rests(self, url: str) -> bool:
        """Whether a server failed a moment ago."""
        return self._resting.get(url, 0) > time.monotonic()
