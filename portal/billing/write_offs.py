"""Write-offs: what was delivered and can never be charged, as a line everybody can see.

Only where the operator has certainly not put it on the invoice: whoever writes off what was charged after
all would hide money. The employee's ceilings get back what was held, because nobody pays it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit, logs
from portal.billing import charges, disputes, ledger, refunds
from portal.billing.charges import Charge, ChargeEvent
from portal.refusals import Refused
from portal.rights import holds
from portal.rights.ceilings import Price

log = logs.get(__name__)

LONGEST_REASON = 500


def write_off(session: Session, actor: str, charge: Charge, reason: str) -> None:
    """Write off the charge of a delivered order.

    Args:
        actor: who decides, as the journal names him; the caller has made sure that he may.
        charge: as `charges.locked` gives it, so that nobody else decides at the same moment.

    Raises:
        Refused: `reason_missing`, `write_off_undelivered`, `write_off_charged` (the operator has or may have it) or
            `write_off_impossible` (also of what was refunded in part); nothing was changed.
    """
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if not reason:
        raise Refused("reason_missing")
    if (charge.state, "written_off") not in charges.MOVES or charge.refunded_cents or _is_refund(session, charge):
        raise Refused("write_off_impossible")
    if not charges.was_delivered(session, charge):
        raise Refused("write_off_undelivered")
    if charge.state == "disputed" and not disputes.certainly_not_charged(disputes.last_word(session, charge)):
        raise Refused("write_off_charged")
    said = {"amount_cents": charge.amount_cents, "currency": charge.currency, "reason": reason, "by": actor}
    lines = ledger.written_off(charge.amount_cents)
    if charge.captured_at:
        # It was on its way to the invoice, and the operator has refused it since.
        lines |= ledger.given_back(charge.whole)
        holds.give_back(
            session, charge.order_number, Price(charge.amount_cents - charge.vat_cents, charge.amount_cents)
        )
    charges.move(session, charge, "written_off", said, lines)
    holds.release_holds(session, charge.order_number)
    audit.record(session, actor, "written_off", charge.order_number, after=said)
    log.info("written_off", order=charge.order_number, cents=charge.amount_cents)


def _is_refund(session: Session, charge: Charge) -> bool:
    """Whether the dispute is about a refund: the charge itself stands."""
    return refunds.running(session, charge) is not None


def reasons(session: Session) -> dict[str, dict[str, Any]]:
    """What was said of every write-off, by order: its reason, and who decided."""
    query = (
        select(Charge.order_number, ChargeEvent.evidence)
        .join(Charge, Charge.id == ChargeEvent.charge_id)
        .where(ChargeEvent.event == "written_off")
    )
    return {row.order_number: row.evidence for row in session.execute(query)}
