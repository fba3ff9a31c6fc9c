"""Circuit breakers: who does not answer, known to every worker and web process through the database.

A breaker belongs to a lane (`operator`, `merchant:KEY`). It hears every exchange from the guarded client: when
several in a row found the other side away, nothing is sent there for a while, nor before it wishes; then one exchange tries, and the first answer closes it and makes the tasks of its lane due.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, case, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.contract import Unavailable
from portal import clock, logs, outbox
from portal.database import Base, Database, UtcDateTime, insert_missing

log = logs.get(__name__)

THRESHOLD = 5
"""So many exchanges in a row without an answer, and the other side is away."""
FIRST_WAIT_S = 5
LONGEST_WAIT_S = 300
LONGEST_WISH_S = outbox.LONGEST_DELAY_S
"""However long the other side asks us to wait."""
PROBE_S = 30
"""Longer than one exchange; then another may try, should whoever tried have died."""
MEMORY_S = 0.5
"""So long a process believes what it last read of the breakers."""


_ANYWAY: ContextVar[bool] = ContextVar("anyway", default=False)


@contextmanager
def asking_anyway() -> Iterator[None]:
    """A block in which a person wants to know how things are now: whoever is known to be away is asked all the same."""
    token = _ANYWAY.set(True)
    try:
        yield
    finally:
        _ANYWAY.reset(token)


class Breaker(Base):
    """What the last exchanges with one other side were like. Closed while `openings` is zero."""

    __tablename__ = "breakers"

    lane: Mapped[str] = mapped_column(String(80), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    openings: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    open_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    probe_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_detail: Mapped[str] = mapped_column(String(500), default="")


@dataclass(frozen=True)
class Standing:
    """One other side that is away: since when, when it is asked again (UTC), and what was seen last."""

    lane: str
    since: datetime
    next_attempt: datetime
    detail: str


@dataclass(frozen=True)
class Seen:
    """The lanes that are away now, and those of which one exchange may find out."""

    away: frozenset[str]
    trying: frozenset[str]


def standing(session: Session) -> list[Standing]:
    """Every other side that is known to be away, the longest first."""
    rows = session.scalars(select(Breaker).where(Breaker.openings > 0).order_by(Breaker.since))
    return [
        Standing(row.lane, row.since, row.open_until, row.last_detail) for row in rows if row.since and row.open_until
    ]


def forget(session: Session, lane: str) -> None:
    """Somebody else stands there now: what was seen of a lane no longer counts."""
    session.execute(delete(Breaker).where(Breaker.lane == lane))
    outbox.release(session, lane)


def look(session: Session) -> Seen:
    """Which lanes a worker must leave alone now."""
    if _ANYWAY.get():
        return Seen(frozenset(), frozenset())
    at = clock.now()
    rows = session.scalars(select(Breaker).where(Breaker.openings > 0)).all()
    away = frozenset(row.lane for row in rows if _is_away(row, at))
    return Seen(away, frozenset(row.lane for row in rows) - away)


def _is_away(row: Breaker, at: datetime) -> bool:
    return _is_ahead(row.open_until, at, LONGEST_WISH_S) or _is_ahead(row.probe_until, at, PROBE_S)


def _is_ahead(until: datetime | None, at: datetime, longest_s: float) -> bool:
    """Whether a time is yet to come, and not only because a clock was set back since it was written."""
    return until is not None and at < until <= at + timedelta(seconds=longest_s + outbox.CLOCKS_DIFFER_S)


class Breakers:
    """The breakers as one process sees them; safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[str, Breaker] = {}
        self._read_at = float("-inf")

    def of(self, lane: str) -> LaneBreaker:
        """What the guarded client of one other side asks and tells."""
        return LaneBreaker(self, lane)

    def known(self, lane: str) -> Breaker | None:
        """What is known of a lane, at most `MEMORY_S` old; None also while the database cannot be read."""
        with self._lock:
            if time.monotonic() - self._read_at > MEMORY_S:
                self._read()
            return self._known.get(lane)

    def _read(self) -> None:
        self._read_at = time.monotonic()
        try:
            with self._database.reading() as session:
                self._known = {row.lane: row for row in session.scalars(select(Breaker).where(Breaker.failures > 0))}
        except SQLAlchemyError:
            log.exception("breakers_unread")
            self._known = {}

    def write(self, change: Callable[[Session], None]) -> None:
        """Change a breaker in a transaction of its own; what cannot be written is only logged, since nothing depends on it."""
        try:
            with self._database.transaction() as session:
                change(session)
        except SQLAlchemyError:
            log.exception("breaker_unwritten")
        with self._lock:
            self._read_at = float("-inf")


@dataclass(frozen=True)
class LaneBreaker:
    """The breaker of one other side, as `connectors.http.Breaker` wants it."""

    breakers: Breakers
    lane: str

    def before(self) -> None:
        """An exchange is about to begin. Raises `Unavailable` while the other side is known to be away."""
        found = self.breakers.known(self.lane)
        if found is None or not found.openings or found.open_until is None or _ANYWAY.get():
            return
        at = clock.now()
        if not _is_away(found, at) and self._tries():
            return
        wait_s = max(1, int((found.open_until - at).total_seconds()) + 1)
        raise Unavailable(f"known to be away since {found.since:%Y-%m-%d %H:%M:%S} UTC", retry_after_s=wait_s)

    def _tries(self) -> bool:
        """Whether this exchange is the one that finds out; also when the database cannot say."""
        taken = [True]
        self.breakers.write(lambda session: taken.__setitem__(0, _take_probe(session, self.lane)))
        return taken[0]

    def answered(self) -> None:
        """The other side answered, whatever it said."""
        found = self.breakers.known(self.lane)
        if found is not None:
            self.breakers.write(lambda session: _close(session, self.lane))

    def failed(self, detail: str, retry_after_s: int | None = None) -> None:
        """The other side did not answer, or asked for a wait (seconds)."""
        self.breakers.write(lambda session: _count(session, self.lane, detail, retry_after_s))


def _take_probe(session: Session, lane: str) -> bool:
    at = clock.now()
    beyond = at + timedelta(seconds=PROBE_S + outbox.CLOCKS_DIFFER_S)
    free = or_(Breaker.probe_until.is_(None), Breaker.probe_until <= at, Breaker.probe_until > beyond)
    unheard_of = at + timedelta(seconds=LONGEST_WISH_S + outbox.CLOCKS_DIFFER_S)
    ripe = or_(Breaker.open_until.is_(None), Breaker.open_until <= at, Breaker.open_until > unheard_of)
    taken = session.execute(
        update(Breaker)
        .where(Breaker.lane == lane, free, ripe)
        .values(probe_until=at + timedelta(seconds=PROBE_S))
        .returning(Breaker.lane)
        .execution_options(synchronize_session=False)
    ).first()
    return taken is not None


def _close(session: Session, lane: str) -> None:
    row = session.scalar(select(Breaker).where(Breaker.lane == lane).with_for_update())
    if row is None or not row.failures:
        return
    if row.openings:
        log.info("breaker_closed", lane=lane, since=row.since, failures=row.failures)
        outbox.release(session, lane)
    row.failures, row.openings, row.since, row.open_until, row.probe_until = 0, 0, None, None, None


def _count(session: Session, lane: str, detail: str, retry_after_s: int | None) -> None:
    at = clock.now()
    nothing = {"failures": 0, "openings": 0, "last_detail": "", "since": None, "open_until": None, "probe_until": None}
    insert_missing(session, Breaker, {"lane": lane, **nothing})
    row = session.execute(
        update(Breaker)
        .where(Breaker.lane == lane)
        .values(failures=Breaker.failures + 1, since=case((Breaker.failures > 0, Breaker.since), else_=at),
                probe_until=None, last_detail=detail[:500])
        .returning(Breaker.failures, Breaker.openings, Breaker.open_until)
        .execution_options(synchronize_session=False)
    ).one()  # fmt: skip
    wish_s = float(min(max(retry_after_s or 0, 0), LONGEST_WISH_S))
    # Exchanges that were under way when it opened say nothing new.
    is_open = _is_ahead(row.open_until, at, LONGEST_WISH_S)
    openings, wait_s = row.openings, wish_s
    if not is_open and row.failures >= THRESHOLD:
        openings += 1
        usual_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(openings - 1, 9))
        # Several machines' clocks and workers must not all try at one moment.
        wait_s = max(wish_s, usual_s * (0.75 + random.random() / 2))  # noqa: S311 - jitter, not a secret
        log.warning("breaker_open", lane=lane, wait_s=round(wait_s), failures=row.failures, detail=detail)
    until = at + timedelta(seconds=wait_s)
    if openings > row.openings or (is_open and row.open_until and until > row.open_until):
        session.execute(
            update(Breaker).where(Breaker.lane == lane).values(openings=openings, open_until=until)
            .execution_options(synchronize_session=False)
        )  # fmt: skip
