"""The outbox: work that must happen once its transaction is committed, whoever crashes.

A task is claimed by one conditional update with a lease and an owner. Every claim raises the task's
fence; whatever its holder writes later is conditional on that fence, so a worker that wakes up late
cannot act on a lease it has lost.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import clock
from portal.database import Base, UtcDateTime

LEASE_S = 60
"""Longer than any single step may take: one call to a merchant or the operator ends within 30 s."""
LONGEST_WAIT_S = 300
LONGEST_DELAY_S = 3600
"""However long the other side asks us to wait."""
CLOCKS_DIFFER_S = 600
"""A lease or a wait that ends later than any could by more than this was begun by a clock since set back."""


class Task(Base):
    """One thing to do: `purchase` an order further, `capture`, `void` or `refund` a charge, or send a `mail`."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("kind", "subject"),
        CheckConstraint("kind IN ('purchase', 'capture', 'void', 'refund', 'mail')", "kind_known"),
        Index("ix_tasks_due", "done_at", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str] = mapped_column(String(64), default="")
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_detail: Mapped[str] = mapped_column(String(500), default="")
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Lease:
    """The right to work on a task for a while; `fence` is what later writes are conditional on."""

    task_id: int
    kind: str
    subject: str
    fence: int
    attempts: int


class LeaseLost(Exception):
    """Somebody else has the task now: stop, and write nothing."""


def enqueue(session: Session, kind: str, subject: str, *, leased_to: str = "") -> Lease:
    """Add a task within the caller's transaction; with `leased_to` it is claimed at once by its maker."""
    at = clock.now()
    task = session.scalar(select(Task).where(Task.kind == kind, Task.subject == subject))
    if task is None:
        task = Task(kind=kind, subject=subject, attempts=0, fence=0, owner="", last_detail="")
        session.add(task)
    task.due_at, task.done_at = at, None
    if leased_to:
        task.owner, task.fence = leased_to, task.fence + 1
        task.lease_until = at + timedelta(seconds=LEASE_S)
    session.flush()
    return Lease(task.id, kind, subject, task.fence, task.attempts)


def claim(session: Session, owner: str, *, kind: str = "", subject: str = "") -> Lease | None:
    """Take the task that has been due longest, or a named one, if nobody holds it."""
    at = clock.now()
    free = or_(Task.lease_until.is_(None), Task.lease_until < at, Task.lease_until > _latest(at, LEASE_S))
    ripe = or_(Task.due_at <= at, Task.due_at > _latest(at, LONGEST_DELAY_S))
    due = select(Task.id).where(Task.done_at.is_(None), free)
    due = due.where(Task.kind == kind, Task.subject == subject) if subject else due.where(ripe)
    chosen = due.order_by(Task.due_at).limit(1).with_for_update(skip_locked=True).scalar_subquery()
    row = session.execute(
        update(Task)
        .where(Task.id == chosen)
        .values(
            owner=owner, fence=Task.fence + 1, attempts=Task.attempts + 1, lease_until=at + timedelta(seconds=LEASE_S)
        )
        .returning(Task.id, Task.kind, Task.subject, Task.fence, Task.attempts)
        .execution_options(synchronize_session=False)
    ).first()
    return Lease(*row) if row else None


def regain(session: Session, kind: str, subject: str, owner: str) -> Lease | None:
    """A lease that its holder took in a transaction whose answer was lost, if it still is his."""
    asked = select(Task).where(Task.kind == kind, Task.subject == subject, Task.owner == owner, Task.done_at.is_(None))
    task = session.scalar(asked.where(Task.lease_until >= clock.now()).with_for_update())
    return Lease(task.id, kind, subject, task.fence, task.attempts) if task else None


def renew(session: Session, lease: Lease) -> None:
    """Keep a task for another lease, before a step that takes time. Raises `LeaseLost`."""
    _write(session, lease, lease_until=clock.now() + timedelta(seconds=LEASE_S))


def finish(session: Session, lease: Lease) -> None:
    """The task is done. Raises `LeaseLost`."""
    _write(session, lease, done_at=clock.now(), lease_until=None, owner="")


def postpone(session: Session, lease: Lease, delay_s: float, detail: str = "") -> None:
    """Give the task back, to be taken up again in `delay_s` seconds, an hour at most. Raises `LeaseLost`."""
    due = clock.now() + timedelta(seconds=min(max(delay_s, 0), LONGEST_DELAY_S))
    _write(session, lease, due_at=due, lease_until=None, owner="", last_detail=detail[:500])


def open_subjects(session: Session) -> set[str]:
    """The order numbers something is still to be done for."""
    return set(session.scalars(select(Task.subject).where(Task.done_at.is_(None))))


def back_off_s(attempts: int) -> float:
    """How long to wait after so many attempts: 1, 2, 4 … 300 seconds, a quarter of it at random."""
    wait = min(LONGEST_WAIT_S, 2.0 ** min(attempts, 9) / 2)
    return wait * (0.75 + random.random() / 2)  # noqa: S311 - jitter, not a secret


def _latest(at: datetime, longest_s: float) -> datetime:
    return at + timedelta(seconds=longest_s + CLOCKS_DIFFER_S)


def _write(session: Session, lease: Lease, **values: object) -> None:
    written = session.execute(
        update(Task)
        .where(Task.id == lease.task_id, Task.fence == lease.fence, Task.done_at.is_(None))
        .values(**values)
        .returning(Task.id)
        .execution_options(synchronize_session=False)
    ).first()
    if written is None:
        raise LeaseLost(f"{lease.kind} {lease.subject}")
