"""Refunds: what an administrator or somebody of finance asks the operator to give back, in part or in full.

A refund exists once it is asked for, and counts only once the operator has confirmed it: until then no
ceiling gets anything back and the employee sees nothing. Never more is refunded than was captured: what
is asked is added to what was given back in one conditional update, and one refund of a charge runs at a time.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal import audit, clock, logs, outbox
from portal.billing import charges, ledger
from portal.billing.charges import Charge
from portal.billing.ledger import Amount
from portal.database import Base, State, UtcDateTime
from portal.refusals import Refused

log = logs.get(__name__)

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

    @property
    def amount(self) -> Amount:
        """What is given back, VAT apart."""
        return Amount(self.amount_cents, self.vat_cents)


def ask(
    session: Session, actor: str, charge: Charge, amount_cents: int | None, reason: str, key: str = ""
) -> Refund:  # fmt: skip
    """Ask for a refund; a worker puts it to the operator.

    Args:
        actor: who asks, as the journal names him; the caller has made sure that he may.
        amount_cents: VAT included; None for all that is left.
        reason: why, for the journal and whoever reads the books.
        key: minted (`new_key`) when the question was shown, so that asking twice for want of an answer asks once.

    Raises:
        Refused: `reason_missing`, `not_an_amount`, `refund_impossible` (nothing is captured), `refund_running` or
            `refund_too_much`; nothing was changed.
    """
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if not reason:
        raise Refused("reason_missing")
    known = session.scalar(select(Refund).where(Refund.key == key, Refund.charge_id == charge.id)) if key else None
    if known:
        return known
    left = charge.amount_cents - charge.refunded_cents
    cents = left if amount_cents is None else amount_cents
    if cents <= 0 and charge.state == "captured":
        raise Refused("not_an_amount")
    before = _take(session, charge, cents)
    vat = ledger.vat_within(charge.whole, before + cents) - ledger.vat_within(charge.whole, before)
    made = Refund(
        key=_usable(key) or new_key(), charge_id=charge.id, order_number=charge.order_number, amount_cents=cents,
        vat_cents=vat, currency=charge.currency, reason=reason, asked_by=actor, state="asked", operator_ref="",
        asked_at=clock.now(),
    )  # fmt: skip
    session.add(made)
    said = {"amount_cents": cents, "key": made.key, "reason": reason, "by": actor}
    charges.note(session, charge, "refund_asked", said)
    audit.record(session, actor, "refund_asked", charge.order_number, after={**said, "currency": made.currency})
    outbox.enqueue(session, "refund", charge.order_number)
    log.info("refund_asked", order=charge.order_number, cents=cents)
    return made


def new_key() -> str:
    """What a refund is asked of the operator under."""
    return str(uuid.uuid4())


def _usable(key: str) -> str:
    """A key that came back from a form, in our own writing; "" for anything else."""
    try:
        return str(uuid.UUID(key))
    except ValueError:
        return ""


def _take(session: Session, charge: Charge, cents: int) -> int:
    """Make the charge one that is being refunded, if nothing stands in the way; what was refunded before, in cents."""
    taken = session.execute(
        update(Charge)
        .where(
            Charge.id == charge.id, Charge.state == "captured",
            Charge.refunded_cents + cents <= Charge.amount_cents,
        )
        .values(state=charges.MOVES["captured", "refund_asked"])
        .returning(Charge.refunded_cents)
        .execution_options(synchronize_session=False)
    ).first()  # fmt: skip
    session.refresh(charge)
    if taken is None:
        if charge.state == "refunding":
            raise Refused("refund_running")
        if charge.state != "captured":
            raise Refused("refund_impossible")
        left = charge.amount_cents - charge.refunded_cents
        raise Refused("refund_too_much", left_cents=left, currency=charge.currency)
    return int(taken[0])


def running(session: Session, charge: Charge) -> Refund | None:
    """The refund of a charge that waits for the operator, or for a person's decision."""
    return session.scalar(select(Refund).where(Refund.charge_id == charge.id, Refund.state.in_(["asked", "disputed"])))


def confirmed(session: Session, order_number: str) -> list[Refund]:
    """What the operator has given back for an order, oldest first: all that an employee sees."""
    done = select(Refund).where(Refund.order_number == order_number, Refund.state == "done")
    return list(session.scalars(done.order_by(Refund.id)))


def of_orders(session: Session) -> dict[str, list[Refund]]:
    """Every refund ever asked for, by order, oldest first."""
    found: dict[str, list[Refund]] = {}
    for refund in session.scalars(select(Refund).order_by(Refund.id)):
        found.setdefault(refund.order_number, []).append(refund)
    return found
