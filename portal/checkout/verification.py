"""Prove the invariants of the design on the live database; each breach names what it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import AuditEntry
from portal.billing import proofs
from portal.billing.charges import Charge
from portal.checkout import packs
from portal.checkout.orders import MOVES, DeliveryRow, Order, OrderEvent
from portal.checkout.recovery import forgotten
from portal.checkout.storage import Storage
from portal.database import Database
from portal.mail.messages import Mail
from portal.outbox import Task
from portal.rights.ceilings import CeilingLimit
from portal.rights.holds import CeilingUse, Hold


@dataclass(frozen=True)
class Breach:
    """One broken promise: the invariant's number in the design, what it is about, the facts, and the code of why if that is known."""

    invariant: int
    subject: str
    detail: str
    because: str = ""


def verify(database: Database, storage: Storage) -> list[Breach]:
    """Check every invariant on our own books; those of the operator and the merchants are compared by `books`."""
    with database.reading() as session:
        return [
            *_one_order_a_token(session),
            *_ceilings_hold(session),
            *(Breach(2, *found) for found in packs.breaches(session)),
            *_deliveries_charged(session),
            *_nothing_charged_undelivered(session),
            *_confirmed_price_kept(session),
            *starmap(Breach, proofs.ledger_agrees(session)),
            *starmap(Breach, proofs.refunds_agree(session)),
            *_nothing_missing(session),
            *_history_intact(session, storage),
            *_nothing_forgotten(session),
        ]


def _one_order_a_token(session: Session) -> Iterator[Breach]:
    twice = session.execute(select(Order.token, func.count()).group_by(Order.token).having(func.count() > 1))
    for token, count in twice:
        yield Breach(1, f"token {token[:8]}…", f"{count} orders")


def _ceilings_hold(session: Session) -> Iterator[Breach]:
    kept = _kept(session)
    limits: dict[int, list[CeilingLimit]] = {}
    for limit in session.scalars(select(CeilingLimit).order_by(CeilingLimit.id)):
        limits.setdefault(limit.ceiling_id, []).append(limit)
    for use in session.scalars(select(CeilingUse)):
        subject = f"ceiling {use.ceiling_id}, {use.subject}, {use.period_start:%Y-%m-%d}"
        allowed = _highest(limits.get(use.ceiling_id, []), use.period_start) + use.extra_cents
        if use.used_cents > allowed:
            yield Breach(2, subject, f"{use.held_cents} held + {use.captured_cents} captured > {allowed}")
        if kept.get(use.id, (0, 0, 0)) != (use.held_cents, use.captured_cents, use.extra_cents):
            yield Breach(2, subject, "the counter is not the sum of its holds")


def _kept(session: Session) -> dict[int, tuple[int, int, int]]:
    """Held, captured and allowed beyond the limit, in cents by counter, from the holds themselves."""
    kept: dict[int, tuple[int, int, int]] = {}
    for hold in session.scalars(select(Hold).where(Hold.state != "released")):
        held, captured, extra = kept.get(hold.ceiling_use_id, (0, 0, 0))
        if hold.state == "held":
            held += hold.amount_cents
        else:
            captured += hold.amount_cents - hold.given_back_cents
        kept[hold.ceiling_use_id] = held, captured, extra + hold.extra_cents
    return kept


def _highest(limits: list[CeilingLimit], period_start: datetime) -> int:
    """The highest limit in force at any time since a period began: what was spent under it stays when it is lowered."""
    before = [limit.limit_cents for limit in limits if limit.since <= period_start][-1:]
    return max([*before, *(limit.limit_cents for limit in limits if limit.since > period_start)], default=0)


def _deliveries_charged(session: Session) -> Iterator[Breach]:
    delivered = (
        select(Order, Charge).outerjoin(Charge, Charge.order_number == Order.number).where(Order.state == "delivered")
    )
    for order, charge in session.execute(delivered):
        if charge is None:
            yield Breach(3, order.number, "delivered without a charge: it is missing")
        elif charge.state == "voided":
            yield Breach(3, order.number, f"delivered, but its charge is {charge.state} and not written off")
    for (number,) in session.execute(select(Order.number).where(Order.state == "delivered", ~Order.deliveries.any())):
        yield Breach(3, number, "delivered without a delivery")


def _nothing_charged_undelivered(session: Session) -> Iterator[Breach]:
    # What was refunded in full, or is about to be, has been set right.
    kept = Charge.captured_at.is_not(None) & Charge.state.not_in(["refunding", "refunded", "written_off"])
    captured = select(Charge, Order).outerjoin(Order, Charge.order_number == Order.number).where(kept)
    for charge, order in session.execute(captured):
        if order is None or order.state != "delivered":
            yield Breach(4, charge.order_number, f"captured, but the order is {order.state if order else 'missing'}")


def _confirmed_price_kept(session: Session) -> Iterator[Breach]:
    for order, charge in session.execute(select(Order, Charge).join(Charge, Charge.order_number == Order.number)):
        confirmed = order.quote.gross_cents
        if charge.amount_cents > confirmed or order.gross_cents != confirmed:
            yield Breach(
                5, order.number, f"confirmed {confirmed}, order {order.gross_cents}, charge {charge.amount_cents}"
            )


def _nothing_missing(session: Session) -> Iterator[Breach]:
    """Orders, charges, their events and the journal each know what the others tell of."""
    charged = {number for (number,) in session.execute(select(Charge.order_number))}
    ordered = {row.number: (row.id, row.state) for row in session.execute(select(Order.id, Order.number, Order.state))}
    journalled = set(session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "order_accepted")))
    for number in sorted(ordered.keys() - charged):
        yield Breach(7, number, f"the charge of this order ({ordered[number][1]}) is missing")
    for number in sorted(charged - ordered.keys()):
        yield Breach(7, number, "the order of this charge is missing")
    for number in sorted(journalled - ordered.keys()):
        yield Breach(7, number, "the journal tells of this order, and it is missing")
    for number in sorted(ordered.keys() - journalled):
        yield Breach(7, number, "the journal does not tell of this order")
    yield from starmap(Breach, proofs.history_of_charges(session))
    standing = {order_id: (number, state) for number, (order_id, state) in ordered.items()}
    events = session.execute(
        select(OrderEvent.order_id, OrderEvent.event, OrderEvent.state)
        .order_by(OrderEvent.order_id, OrderEvent.id).execution_options(yield_per=proofs.AT_A_TIME)
    )  # fmt: skip
    yield from starmap(Breach, proofs.retold("order", events, ("accepted", "accepted"), MOVES, standing))


def _history_intact(session: Session, storage: Storage) -> Iterator[Breach]:
    broken = audit.first_broken(session)
    if broken:
        yield Breach(7, f"audit entry {broken.id}", "its hash or its link to the entry before does not hold")
    for row in session.scalars(select(DeliveryRow).where(DeliveryRow.storage_name != "")):
        path = storage.path(row.storage_name)
        if not path.is_file():
            yield Breach(7, f"delivery {row.id}", f"{path.name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != row.sha256:
            yield Breach(7, f"delivery {row.id}", f"{path.name} is not what was delivered")


def _nothing_forgotten(session: Session) -> Iterator[Breach]:
    for order, charge, needed in session.execute(forgotten()):
        yield Breach(8, order.number, f"order {order.state}, charge {charge.state}, and nobody will {needed} it")
    live = set(session.scalars(select(Task.subject).where(Task.kind == "mail", Task.done_at.is_(None))))
    for key in session.scalars(select(Mail.key).where(Mail.state == "waiting")):
        if key not in live:
            yield Breach(8, f"mail {key}", "it waits, and nobody will send it")
