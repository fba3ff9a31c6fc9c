"""The leases a process works on: renewed while it does, and handed back when it must end before they are done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from portal import logs, outbox
from portal.database import Database
from portal.outbox import LEASE_S, Lease

log = logs.get(__name__)

BEAT_S = LEASE_S / 3
LONGEST_S = 600
"""What takes longer has gone wrong: its lease runs out, and somebody else looks."""


@dataclass
class Holding:
    """Which tasks this process is at; safe to use from several threads."""

    database: Database
    _since: dict[Lease, float] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _beating: bool = False

    @contextmanager
    def at(self, lease: Lease) -> Iterator[None]:
        """A block that works on a task."""
        self.take([lease])
        try:
            yield
        finally:
            self.leave([lease])

    def take(self, leases: Iterable[Lease]) -> None:
        """These are ours from now on."""
        with self._changed:
            self._since |= dict.fromkeys(leases, time.monotonic())
            if self._since and not self._beating:
                self._beating = True
                threading.Thread(target=self._beat, name="leases", daemon=True).start()

    def leave(self, leases: Iterable[Lease]) -> None:
        """These are done, or put back."""
        with self._changed:
            for lease in leases:
                self._since.pop(lease, None)
            self._changed.notify_all()

    def end(self, grace_s: float) -> None:
        """Let what is being worked on be done for a while, then hand the rest back to whoever comes first."""
        with self._changed:
            self._changed.wait_for(lambda: not self._since, grace_s)
            left = list(self._since)
        if not left:
            return
        try:
            with self.database.transaction() as session:
                outbox.hand_back(session, left, begun=True)
            log.warning("handed_back", tasks=[f"{lease.kind} {lease.subject}" for lease in left])
        except SQLAlchemyError:
            log.exception("not_handed_back")

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT_S)
            with self._changed:
                if not self._since:
                    self._beating = False
                    return
                young = [lease for lease, since in self._since.items() if time.monotonic() - since < LONGEST_S]
            try:
                with self.database.transaction() as session:
                    outbox.renew_many(session, young)
            except SQLAlchemyError:
                log.exception("leases_not_renewed")
