"""Files that came with their purchase, kept until the core asks for them, which it does at once and in the same process.

Elsewhere, later, or for a second time the bookshelf has them: nothing here has to last.
"""

from __future__ import annotations

import threading
import time

MOST_BYTES = 20_000_000
"""In all. A longer file is had from the bookshelf, and when several together are longer the oldest is."""
LIVES_S = 60
"""Of an order that nobody goes on with (another price was charged than confirmed), the file is not asked for."""


class Brought:
    """One publisher's; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, bytes]] = {}

    def keep(self, name: str, body: bytes) -> None:
        """Keep a file under a name that is one purchase's alone."""
        with self._lock:
            self._kept[name] = (time.monotonic(), body)
            while sum(len(kept) for _at, kept in self._kept.values()) > MOST_BYTES:
                del self._kept[next(iter(self._kept))]

    def take(self, name: str) -> bytes | None:
        """A file, once; None when it has to be fetched."""
        self.forget_old()
        with self._lock:
            return self._kept.pop(name, (0.0, None))[1]

    def forget_old(self) -> None:
        """Give back the memory of what nobody has asked for."""
        now = time.monotonic()
        with self._lock:
            self._kept = {name: kept for name, kept in self._kept.items() if now - kept[0] < LIVES_S}
