"""Purchases accepted while the operator cannot be reached: up to a total, and charged when it answers again.

Only what the operator has certainly never heard of is accepted so; a lost reply stays a doubt (`reservation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal import clock, logs
from portal.billing import charges
from portal.billing.charges import Charge
from portal.database import one_at_a_time

log = logs.get(__name__)

UNPAID = Charge.offline_at.is_not(None) & Charge.state.in_(["new", "disputed"]) & Charge.captured_at.is_(None)


@dataclass(frozen=True)
class Offline:
    """What was accepted so and is not reserved at the operator yet, in cents, and since when."""

    count: int
    cents: int
    oldest: datetime | None


def outstanding(session: Session) -> Offline:
    """How much of the limit is taken now."""
    row = session.execute(
        select(func.count(), func.sum(Charge.amount_cents), func.min(Charge.offline_at)).where(UNPAID)
    ).one()
    return Offline(row[0], row[1] or 0, row[2])


def accept(session: Session, charge: Charge, limit_cents: int, detail: str) -> bool:
    """Let a charge wait for the operator, when all that waits so, with it, stays within `limit_cents`.

    Args:
        detail: why the operator could not be reached, as evidence.
    """
    if limit_cents <= 0:
        return False
    # Two purchases must not both take the last of it.
    one_at_a_time(session.connection(), "offline")
    others = select(func.sum(Charge.amount_cents)).where(UNPAID, Charge.id != charge.id)
    if (session.scalar(others) or 0) + charge.amount_cents > limit_cents:
        return False
    charge.offline_at = charge.offline_at or clock.now()
    # It never heard of this one: the next attempt is the first.
    charge.sent_at, charge.operator = None, ""
    charges.note(session, charge, "accepted_offline", {"detail": detail[:500], "limit_cents": limit_cents})
    log.warning("charge_offline", order=charge.order_number, cents=charge.amount_cents, detail=detail)
    return True
