"""Refunds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base, State, UtcDateTime

STATES = ("asked", "disputed", "done", "denied")
OPEN = "state IN ('asked', 'disputed')"
LONGEST_REASON = 500


class Refund(Base):
    """One refund of a charge, in part or in full; `key` is minted once and is the operator's `clientCorrelator`."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", "state_known"),
        CheckConstraint(f"({OPEN}) = (ended_at IS NULL)", "ended_once"),
        CheckConstraint("amount_cents > 0", "amount_positive"),
        CheckConstraint("vat_cents BETWEEN 0 AND amount_cents", "vat_within_amount"),
        # One at a time for each charge, whoever asks.
        Index("uq_refunds_open", "charge_id", unique=True, sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    charge_id: Mapped[int] = mapped_column(ForeignKey("charges.id"), index=True)
    order_number: Mapped[str] = mapped_column(String(32), index=True)
    amount_cents: Mapped[int]
    vat_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str] = mapped_column(String(LONGEST_REASON))
    asked_by: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(State)
    operator_ref: Mapped[str] = mapped_column(String(200), default="")
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
