"""Bring a charge to its end at the operator: capture what was delivered, void what was not.

Both run from the outbox and can be repeated: after a first attempt they look before they send. What
nobody can decide within `DEADLINE` of being wanted becomes a dispute, with its evidence.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from connectors.contract import NotFound, OperatorAdapter, OperatorCharge, OperatorOutcome, Refused
from portal import clock, logs, outbox
from portal.billing import charges
from portal.billing.charges import Charge
from portal.billing.reservation import InDoubt, are_credentials, evidence_of, reserve
from portal.database import Database
from portal.outbox import Lease
from portal.rights import holds

log = logs.get(__name__)

DEADLINE = timedelta(hours=72)
LIST_LAG = timedelta(minutes=15)
"""How long a payment may take to show in the operator's list before its absence is believed."""
SHORTEST_RESERVATION = timedelta(hours=1)
"""No operator lets a reservation run out sooner: one that is gone before was cancelled, and that is a dispute."""
MOST_RESERVATIONS = 3
"""How often a reservation is made again before a person looks into it."""


def capture(database: Database, operator: OperatorAdapter, line: str, lease: Lease) -> None:
    """Put a delivered order on the invoice, reserved anew where its reservation expired. Raises `LeaseLost`."""
    charge = _held_charge(database, lease)
    if charge.state == "new":
        reservation = reserve(database, operator, line, lease.subject, lease, delivered=True)
        if isinstance(reservation, InDoubt):
            return _wait_for(database, lease, reservation.outcome)
        charge = _held_charge(database, lease)
    if charge.state != "reserved":
        return _close(database, lease, charge)
    outcome = asked_to_capture(operator, charge, lease)
    with database.transaction() as session:
        return record_capture(session, lease, outcome)


def asked_to_capture(operator: OperatorAdapter, charge: Charge, lease: Lease) -> OperatorOutcome | NotFound:
    """What the operator says of a reserved charge that it is asked to capture; after a first attempt it looks first."""
    outcome: OperatorOutcome | NotFound | None = None
    if lease.attempts > 1:
        outcome = operator.status(charge.operator_ref)
    if outcome is None or (isinstance(outcome, OperatorCharge) and outcome.state == "reserved"):
        outcome = operator.confirm(charge.operator_ref)
    return _looked_up(operator, charge) if _is_unknown_there(outcome) else outcome


def record_capture(session: Session, lease: Lease, outcome: OperatorOutcome | NotFound) -> None:
    """Keep what the operator has answered, and end the task or put it back. Raises `LeaseLost`."""
    outbox.renew(session, lease)
    return _record_capture(session, lease, charges.of_order(session, lease.subject), outcome)


def _record_capture(session: Session, lease: Lease, charge: Charge, outcome: OperatorOutcome | NotFound) -> None:
    if isinstance(outcome, OperatorCharge) and outcome.state == "captured":
        return _captured(session, lease, charge, outcome)
    gone = isinstance(outcome, NotFound) or (isinstance(outcome, OperatorCharge) and outcome.state == "voided")
    if gone and _may_have_expired(session, charge):
        return _reserve_anew(session, lease, charge, outcome)
    refused = isinstance(outcome, Refused) and not are_credentials(outcome)
    if gone or refused or (isinstance(outcome, OperatorCharge) and outcome.state == "denied"):
        return _dispute(session, lease, charge, outcome)
    return _wait(session, lease, charge, outcome)


def _may_have_expired(session: Session, charge: Charge) -> bool:
    """Whether a reservation that is gone ran out, rather than was cancelled by somebody else."""
    since, times = charges.reserved_since(session, charge)
    return clock.now() - since > SHORTEST_RESERVATION and times <= MOST_RESERVATIONS


def _reserve_anew(session: Session, lease: Lease, charge: Charge, outcome: OperatorOutcome | NotFound) -> None:
    """The operator keeps one payment for one key, so the next reservation needs another; the old one stays as evidence."""
    charges.renew_key(session, charge, evidence_of(outcome))
    log.warning("reservation_expired", order=charge.order_number)
    outbox.postpone(session, lease, 0, "the reservation expired and is made again")


def void(database: Database, operator: OperatorAdapter, lease: Lease) -> None:
    """Give back whatever a failed order may have reserved. Raises `LeaseLost`."""
    charge = _held_charge(database, lease)
    if charge.state not in {"new", "reserved"}:
        return _close(database, lease, charge)
    outcome: OperatorOutcome | NotFound = NotFound()
    if charge.operator_ref:
        # Processing too: what the operator has not decided yet is not wanted any more.
        before = operator.status(charge.operator_ref) if lease.attempts > 1 else None
        is_open = isinstance(before, OperatorCharge) and before.state in {"reserved", "processing"}
        outcome = operator.cancel(charge.operator_ref) if before is None or is_open else before
        if _is_unknown_there(outcome):
            outcome = _looked_up(operator, charge)
    elif charge.sent_at:
        outcome = operator.find(charge.key, charge.sent_at)
        if isinstance(outcome, OperatorCharge) and outcome.state in {"reserved", "processing"}:
            outcome = operator.cancel(outcome.ref)
    with database.transaction() as session:
        outbox.renew(session, lease)
        charge = charges.of_order(session, lease.subject)
        sent_at = charges.last_sent(session, charge)
        absent = isinstance(outcome, NotFound) and (sent_at is None or clock.now() - sent_at > LIST_LAG)
        if absent or (isinstance(outcome, OperatorCharge) and outcome.state in {"voided", "denied"}):
            charges.move(session, charge, "voided", evidence_of(outcome))
            return outbox.finish(session, lease)
        if isinstance(outcome, OperatorCharge) and outcome.state == "captured":
            return _dispute(session, lease, charge, outcome)
        return _wait(session, lease, charge, outcome)


def _is_unknown_there(outcome: OperatorOutcome | NotFound) -> bool:
    return isinstance(outcome, Refused) and outcome.code == "expired"


def _looked_up(operator: OperatorAdapter, charge: Charge) -> OperatorOutcome | NotFound:
    """The operator does not know a payment by its reference any more: what does its list say of the key?"""
    return operator.find(charge.key, charge.sent_at or charge.created_at)


def _held_charge(database: Database, lease: Lease) -> Charge:
    with database.transaction() as session:
        outbox.renew(session, lease)
        return charges.of_order(session, lease.subject)


def _close(database: Database, lease: Lease, charge: Charge) -> None:
    log.info("charge_already_settled", order=charge.order_number, state=charge.state)
    with database.transaction() as session:
        outbox.finish(session, lease)


def _captured(session: Session, lease: Lease, charge: Charge, found: OperatorCharge) -> None:
    if (found.amount_cents, found.currency) != (charge.amount_cents, charge.currency):
        return _dispute(session, lease, charge, found)
    charges.move(session, charge, "captured", evidence_of(found))
    holds.capture_holds(session, charge.order_number)
    log.info("charge_captured", order=charge.order_number, cents=charge.amount_cents)
    return outbox.finish(session, lease)


def _dispute(session: Session, lease: Lease, charge: Charge, outcome: OperatorOutcome | NotFound) -> None:
    charges.move(session, charge, "doubted", evidence_of(outcome))
    log.error("charge_disputed", order=charge.order_number, **evidence_of(outcome))
    outbox.finish(session, lease)


def _wait_for(database: Database, lease: Lease, outcome: OperatorOutcome | NotFound) -> None:
    """A reservation is in doubt: `reserve` has noted what the operator really said."""
    with database.transaction() as session:
        charge = charges.of_order(session, lease.subject)
        _wait(session, lease, charge, outcome, noted=True)


def _wait(
    session: Session, lease: Lease, charge: Charge, outcome: OperatorOutcome | NotFound, *, noted: bool = False
) -> None:
    evidence = evidence_of(outcome)
    late = clock.now() - charges.settling_since(session, charge) > DEADLINE
    if late and not are_credentials(outcome):
        return _dispute(session, lease, charge, outcome)
    if not noted:
        charges.note(session, charge, "unanswered", evidence)
    delay = getattr(outcome, "retry_after_s", None) or outbox.back_off_s(lease.attempts)
    log.warning("charge_waits", order=charge.order_number, delay_s=round(delay), **evidence)
    return outbox.postpone(session, lease, delay, str(evidence))
