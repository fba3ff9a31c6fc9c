"""Payments of the operator's list that no charge of ours made: they are named, and nothing else is done with them.

They show after a backup was put back, when another installation uses the same account, or when a charge was deleted
by hand. Which of these it is no program can tell, so none is captured, cancelled or refunded here (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.contract import OperatorCharge
from portal import audit, logs
from portal.audit import AuditEntry
from portal.billing.charges import Charge, ChargeEvent

log = logs.get(__name__)

ACTION = "payment_unknown"
ENDED = ("voided", "denied")
"""What neither is, nor can come, on the invoice."""


def among(session: Session, payments: Sequence[OperatorCharge]) -> list[OperatorCharge]:
    """Those that are charged, or may be, under a key that is no charge's; read after the payments were."""
    live = [payment for payment in payments if payment.state not in ENDED]
    known = set(session.scalars(select(Charge.key).where(Charge.key.in_([payment.key for payment in live]))))
    strange = [payment for payment in live if payment.key not in known]
    return [payment for payment in strange if payment.state == "captured" or not _was_replaced(session, payment)]


def _was_replaced(session: Session, payment: OperatorCharge) -> bool:
    """Whether it is a reservation of ours that ran out and was made again under another key."""
    told = select(ChargeEvent.evidence).join(Charge, Charge.id == ChargeEvent.charge_id)
    expired = told.where(Charge.order_number == payment.reference, ChargeEvent.event == "expired")
    return any(said.get("before", {}).get("key") == payment.key for said in session.scalars(expired))


def journal(session: Session, payments: Sequence[OperatorCharge]) -> None:
    """Put each into the journal and the log, once for each state it is seen in."""
    for payment in payments:
        subject = (payment.reference or payment.ref)[:200]
        said = {
            "ref": payment.ref, "key": payment.key, "state": payment.state, "amount_cents": payment.amount_cents,
            "currency": payment.currency, "created_at": payment.created_at.isoformat(),
        }  # fmt: skip
        told = select(AuditEntry.after).where(AuditEntry.action == ACTION, AuditEntry.subject == subject)
        if said not in session.scalars(told).all():
            audit.record(session, "operator", ACTION, subject, after=said)
            log.error(ACTION, order=subject, **said)
