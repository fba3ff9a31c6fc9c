"""The outbox: work that must happen once its transaction is committed, whoever crashes.

A task is claimed by one conditional update with a lease and an owner. Every claim raises the task's
fence; whatever its holder writes later is conditional on that fence, so a worker that wakes up late
cannot act on a lease it has lost. Each task has a lane, which says whom it waits for: the operator,
a merchant or the mail server.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Executable,
    Index,
    Select,
    String,
    UniqueConstraint,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    update,
)
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
OPERATOR = "operator"
LANES = {"capture": OPERATOR, "void": OPERATOR, "refund": OPERATOR, "purchase": OPERATOR}
"""Whom a new task waits for; any other kind is a lane of its own."""
OVERDUE_S = {"purchase": 300, "": 6 * 3600}
"""How long a task is left alone while its lane is away: then it is taken up all the same, so that its deadline is seen."""
RELEASE_SPREAD_S = 5


class Task(Base):
    """One thing to do: `purchase` an order further, `capture`, `void` or `refund` a charge, or send a `mail`."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("kind", "subject"),
        CheckConstraint("kind IN ('purchase', 'capture', 'void', 'refund', 'mail')", "kind_known"),
        Index("ix_tasks_due", "done_at", "due_at"),
        Index("ix_tasks_kind", "kind", "done_at", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64))
    lane: Mapped[str] = mapped_column(String(80))
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
    lane: str = ""


@dataclass(frozen=True)
class Choice:
    """Which tasks a worker takes now: of some kinds (None: any), none of lanes that are full, and of lanes that are away only what is overdue."""

    kinds: Collection[str] | None = None
    full: Collection[str] = ()
    away: Collection[str] = ()


ANY = Choice()


def merchant_lane(key: str) -> str:
    """The lane of what waits for a merchant of this site."""
    return f"merchant:{key}"


class LeaseLost(Exception):
    """Somebody else has the task now: stop, and write nothing."""


def enqueue(session: Session, kind: str, subject: str, *, leased_to: str = "", lane: str = "") -> Lease:
    """Add a task within the caller's transaction; with `leased_to` it is claimed at once by its maker."""
    at = clock.now()
    task = session.scalar(select(Task).where(Task.kind == kind, Task.subject == subject))
    if task is None:
        task = Task(kind=kind, subject=subject, attempts=0, fence=0, owner="", last_detail="")
        session.add(task)
    elif task.done_at is None:
        # Whoever is at it, or about to end it, finds its lease gone: what is wanted now was not known to him.
        task.owner, task.fence, task.lease_until = "", task.fence + 1, None
    task.due_at, task.done_at, task.lane = at, None, lane or LANES.get(kind, kind)
    if leased_to:
        task.owner, task.fence = leased_to, task.fence + 1
        task.lease_until = at + timedelta(seconds=LEASE_S)
    session.flush()
    return Lease(task.id, kind, subject, task.fence, task.attempts, task.lane)


def claim(session: Session, owner: str, *, kind: str = "", subject: str = "", choice: Choice = ANY) -> Lease | None:
    """Take the task that has been due longest, or a named one, if nobody holds it."""
    if subject:
        named = select(Task.id).where(Task.kind == kind, Task.subject == subject)
        return next(iter(_claim(session, owner, named, 1)), None)
    return next(iter(claim_many(session, owner, 1, choice)), None)


def claim_many(session: Session, owner: str, most: int, choice: Choice = ANY) -> list[Lease]:
    """Take the tasks that have been due longest, `most` at most, those due longest first."""
    at = clock.now()
    taken = _claim(session, owner, _due(Task.due_at <= at, choice, at), most)
    # Otherwise what a clock that was set back since has put off for longer than anything may wait.
    return taken or _claim(session, owner, _due(Task.due_at > _latest(at, LONGEST_DELAY_S), choice, at), most)


def _due(due_at: ColumnElement[bool], choice: Choice, at: datetime) -> Select[int]:
    due = select(Task.id).where(due_at)
    if choice.kinds is not None:
        due = due.where(Task.kind.in_(choice.kinds))
    first: ColumnElement[datetime] = Task.due_at.expression
    if choice.kinds and len(choice.kinds) > 1:
        # As an expression, or SQLite would go through all that is due in this order, also of the other kinds.
        first = func.coalesce(Task.due_at, Task.due_at)
    if choice.full:
        due = due.where(Task.lane.not_in(choice.full))
    if choice.away:
        urgent, other = (at - timedelta(seconds=OVERDUE_S[kind]) for kind in ("purchase", ""))
        overdue = or_((Task.kind == "purchase") & (Task.due_at <= urgent), Task.due_at <= other)
        due = due.where(or_(Task.lane.not_in(choice.away), overdue))
    return due.order_by(first)


def _claim(session: Session, owner: str, due: Select[int], most: int) -> list[Lease]:
    at = clock.now()
    free = or_(Task.lease_until.is_(None), Task.lease_until < at, Task.lease_until > _latest(at, LEASE_S))
    due = due.where(Task.done_at.is_(None), free)
    # Materialised, or PostgreSQL could run it again for each row and take more than it may.
    chosen = due.limit(most).with_for_update(skip_locked=True).cte("chosen")
    chosen = chosen.prefix_with("MATERIALIZED", dialect="postgresql")
    until = at + timedelta(seconds=LEASE_S)
    rows = session.execute(
        update(Task)
        .where(Task.id.in_(select(chosen.c.id)))
        .values(owner=owner, fence=Task.fence + 1, attempts=Task.attempts + 1, lease_until=until)
        .returning(Task.id, Task.kind, Task.subject, Task.fence, Task.attempts, Task.lane, Task.due_at)
        .execution_options(synchronize_session=False)
    ).all()
    return [Lease(*row[:-1]) for row in sorted(rows, key=lambda row: row.due_at)]


def regain(session: Session, kind: str, subject: str, owner: str) -> Lease | None:
    """A lease that its holder took in a transaction whose answer was lost, if it still is his."""
    asked = select(Task).where(Task.kind == kind, Task.subject == subject, Task.owner == owner, Task.done_at.is_(None))
    task = session.scalar(asked.where(Task.lease_until >= clock.now()).with_for_update())
    return Lease(task.id, kind, subject, task.fence, task.attempts, task.lane) if task else None


def renew(session: Session, lease: Lease, *, lane: str = "") -> None:
    """Keep a task for another lease, before a step that takes time; `lane` when it waits for somebody else now.

    Raises:
        LeaseLost: somebody else has it.
    """
    values: dict[str, object] = {"lane": lane} if lane else {}
    _write(session, lease, lease_until=clock.now() + timedelta(seconds=LEASE_S), **values)


def renew_many(session: Session, leases: Sequence[Lease]) -> list[Lease]:
    """Keep several tasks for another lease; returns those that are still ours."""
    # One that was put back since is nobody's until it is claimed.
    until = clock.now() + timedelta(seconds=LEASE_S)
    kept = _write_many(session, leases, Task.lease_until.is_not(None), lease_until=until)
    return [lease for lease in leases if lease.task_id in kept]


def finish_many(session: Session, leases: Sequence[Lease]) -> None:
    """Several tasks are done. Raises `LeaseLost` when one of them is not ours any more."""
    if len(_write_many(session, leases, done_at=clock.now(), lease_until=None, owner="")) < len(leases):
        raise LeaseLost(f"one of {len(leases)}")


def hand_back(session: Session, leases: Sequence[Lease], *, begun: bool = False) -> None:
    """Give tasks back at once to whoever comes first; what we still do with them writes nothing (fence).

    Args:
        begun: something may have been sent for them, so that the next attempt looks before it sends.
    """
    fewer = 0 if begun else 1
    _write_many(
        session, leases, due_at=clock.now(), lease_until=None, owner="", fence=Task.fence + 1,
        attempts=Task.attempts - fewer,
    )  # fmt: skip


def release(session: Session, lane: str) -> None:
    """Whoever a lane waits for is back: what waits there is due now, spread over a few seconds."""
    at = clock.now()
    for slot in range(RELEASE_SPREAD_S * 2):
        due = at + timedelta(seconds=slot / 2)
        session.execute(
            update(Task)
            .where(Task.lane == lane, Task.done_at.is_(None), Task.due_at > due, Task.id % (RELEASE_SPREAD_S * 2) == slot)
            .values(due_at=due)
            .execution_options(synchronize_session=False)
        )  # fmt: skip


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


def _write_many(
    session: Session, leases: Sequence[Lease], *more: ColumnElement[bool], **values: object
) -> set[int]:  # fmt: skip
    ids = [lease.task_id for lease in leases]
    held = [(lease.task_id, lease.fence) for lease in leases]
    return set(
        session.scalars(
            update(Task)
            # The first condition is for the primary key's index, which SQLite does not use for pairs.
            .where(Task.id.in_(ids), tuple_(Task.id, Task.fence).in_(held), Task.done_at.is_(None), *more)
            .values(**values)
            .returning(Task.id)
            .execution_options(synchronize_session=False)
        )
    )


def _write(session: Session, lease: Lease, **values: object) -> None:
    columns = tuple(sorted(values))
    if columns not in _WRITES:
        _WRITES[columns] = _write_statement(columns)
    asked = {"the_task": lease.task_id, "the_fence": lease.fence} | {f"the_{name}": values[name] for name in columns}
    if session.connection().execute(_WRITES[columns], asked).first() is None:
        raise LeaseLost(f"{lease.kind} {lease.subject}")


def _write_statement(columns: tuple[str, ...]) -> Executable:
    table = Task.__table__
    held = (table.c.id == bindparam("the_task")) & (table.c.fence == bindparam("the_fence")) & table.c.done_at.is_(None)
    new = {name: bindparam(f"the_{name}", type_=table.c[name].type) for name in columns}
    return update(Task).where(held).values(new).returning(table.c.id)


_WRITES: dict[tuple[str, ...], Executable] = {}
"""Built once for each set of columns: making such a statement anew takes longer than the database needs for it."""
