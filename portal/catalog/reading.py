"""One merchant's list, read at somebody's wish: he waits a moment, and what takes longer goes on without him."""

from __future__ import annotations

import threading

from portal import logs
from portal.catalog.lists import Lists
from portal.catalog.synchronisation import Synchronised

log = logs.get(__name__)


def read_beside(lists: Lists, key: str, patience_s: float) -> Synchronised | None:
    """Read a list in a thread of this process; None when it takes longer than `patience_s` seconds, or failed.

    Should the process end meanwhile, the next reading goes on from the last checkpoint.
    """
    done: list[Synchronised] = []

    def read() -> None:
        try:
            done.append(lists.now(key, lambda _merchant, _read: None))
        except Exception:
            log.exception("catalogue_reading_failed", merchant=key)

    thread = threading.Thread(target=read, name=f"list of {key}", daemon=True)
    thread.start()
    thread.join(patience_s)
    return done[0] if done else None
