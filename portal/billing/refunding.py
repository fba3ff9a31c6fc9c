"""Put a refund to the operator, and end it: confirmed, denied, or shown to a person at its deadline.

Runs from the outbox and can be repeated: after a first attempt it looks before it sends, and sends again,
under the same key, only once the operator's list has had its time to show the refund and does not.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from connectors.contract import NotFound, OperatorAdapter, OperatorRefund, RefundOutcome, Refused, Unreachable
from portal import audit, clock, logs, outbox
from portal.billing import charges, ledger, refunds
from portal.billing.charges import Charge
from portal.billing.refunds import Refund
from portal.billing.reservation import are_credentials, evidence_of
from portal.billing.settlement import DEADLINE, LIST_LAG
from portal.database import Database
from portal.outbox import Lease
from portal.rights import holds
from portal.rights.ceilings import Price

log = logs.get(__name__)

ACTOR = "operator"


def refund(database: Database, operator: OperatorAdapter, lease: Lease) -> None:
    """One attempt to end the refund that runs for an order. Raises `LeaseLost`."""
    with database.transaction() as session:
        outbox.renew(session, lease)
        charge = charges.of_order(session, lease.subject)
        wanted = refunds.running(session, charge)
        if wanted is None or charge.state != "refunding":
            log.info("refund_already_settled", order=charge.order_number, state=charge.state)
            return outbox.finish(session, lease)
        first = wanted.sent_at is None
        if first:
            _note_sending(session, charge, wanted)
    sent, outcome = first, _outcome(operator, charge, wanted, first=first)
    if isinstance(outcome, NotFound) and clock.now() - (wanted.sent_at or wanted.asked_at) > LIST_LAG:
        with database.transaction() as session:
            outbox.renew(session, lease)
            current = refunds.running(session, charge)
            if current is None or current.key != wanted.key:
                return outbox.finish(session, lease)
            _note_sending(session, charge, current)
        sent, outcome = True, operator.refund(charge.operator_ref, wanted.amount_cents, wanted.key)
    with database.transaction() as session:
        outbox.renew(session, lease)
        charge = charges.of_order(session, lease.subject)
        current = refunds.running(session, charge)
        if current is None or current.key != wanted.key or charge.state != "refunding":
            return outbox.finish(session, lease)
        return _record(session, lease, charge, current, outcome, sent=sent, first=first)


def _outcome(operator: OperatorAdapter, charge: Charge, wanted: Refund, *, first: bool) -> RefundOutcome | NotFound:
    if first:
        return operator.refund(charge.operator_ref, wanted.amount_cents, wanted.key)
    return operator.find_refund(charge.operator_ref, wanted.key)


def _note_sending(session: Session, charge: Charge, wanted: Refund) -> None:
    """Stored before the first byte leaves: whoever resumes knows that a look-up comes first."""
    wanted.sent_at = clock.now()
    charges.note(session, charge, "refund_sending", {"key": wanted.key, "amount_cents": wanted.amount_cents})


def _record(
    session: Session, lease: Lease, charge: Charge, wanted: Refund, outcome: RefundOutcome | NotFound, *,
    sent: bool, first: bool,
) -> None:  # fmt: skip
    if isinstance(outcome, OperatorRefund):
        wanted.operator_ref = outcome.ref
        if (outcome.amount_cents, outcome.currency) != (wanted.amount_cents, wanted.currency):
            return _dispute(session, lease, charge, wanted, outcome)
        if outcome.state == "done":
            confirm(session, charge, wanted, evidence_of(outcome))
            return outbox.finish(session, lease)
        if outcome.state == "denied":
            deny(session, charge, wanted, evidence_of(outcome))
            return outbox.finish(session, lease)
    credentials = are_credentials(outcome)
    # What a look-up is refused for says nothing of the refund itself.
    if sent and isinstance(outcome, Refused) and not credentials:
        deny(session, charge, wanted, evidence_of(outcome))
        return outbox.finish(session, lease)
    if first and (credentials or isinstance(outcome, Unreachable)):
        # Certainly never heard: the next attempt is the first.
        wanted.sent_at = None
    return _wait(session, lease, charge, wanted, outcome)


def confirm(session: Session, charge: Charge, wanted: Refund, evidence: dict[str, Any], actor: str = ACTOR) -> None:
    """The operator has given it back: books, ceilings and the employee's view follow."""
    kept = session.execute(
        update(Charge)
        .where(Charge.id == charge.id, Charge.refunded_cents + wanted.amount_cents <= Charge.amount_cents)
        .values(refunded_cents=Charge.refunded_cents + wanted.amount_cents)
        .returning(Charge.refunded_cents)
        .execution_options(synchronize_session=False)
    ).scalar_one()
    session.refresh(charge, ["refunded_cents"])
    wanted.state, wanted.ended_at = "done", clock.now()
    event = "refunded" if kept == charge.amount_cents else "refunded_in_part"
    charges.move(session, charge, event, evidence, ledger.given_back(wanted.amount), wanted.key)
    net_cents = wanted.amount_cents - wanted.vat_cents
    holds.give_back(session, charge.order_number, Price(net_cents, wanted.amount_cents))
    _journal(session, charge, wanted, actor, "refund_confirmed")


def deny(session: Session, charge: Charge, wanted: Refund, evidence: dict[str, Any], actor: str = ACTOR) -> None:
    """The operator gives nothing back: everything stays as it was captured."""
    wanted.state, wanted.ended_at = "denied", clock.now()
    charges.move(session, charge, "refund_denied", evidence)
    _journal(session, charge, wanted, actor, "refund_denied")


def _dispute(session: Session, lease: Lease, charge: Charge, wanted: Refund, outcome: RefundOutcome | NotFound) -> None:
    wanted.state = "disputed"
    charges.move(session, charge, "doubted", {**evidence_of(outcome), "refund": wanted.key})
    _journal(session, charge, wanted, ACTOR, "refund_disputed")
    outbox.finish(session, lease)


def _journal(session: Session, charge: Charge, wanted: Refund, actor: str, action: str) -> None:
    said = {
        "amount_cents": wanted.amount_cents, "currency": wanted.currency, "key": wanted.key,
        "ref": wanted.operator_ref, "refunded_cents": charge.refunded_cents,
    }  # fmt: skip
    audit.record(session, actor, action, charge.order_number, after=said)
    log.info(action, order=charge.order_number, cents=wanted.amount_cents)


def _wait(session: Session, lease: Lease, charge: Charge, wanted: Refund, outcome: RefundOutcome | NotFound) -> None:
    evidence = evidence_of(outcome)
    late = clock.now() - charges.settling_since(session, charge, "refund_asked", "refund_again") > DEADLINE
    if late and not are_credentials(outcome):
        return _dispute(session, lease, charge, wanted, outcome)
    charges.note(session, charge, "refund_unanswered", evidence)
    delay = getattr(outcome, "retry_after_s", None) or outbox.back_off_s(lease.attempts)
    log.warning("refund_waits", order=charge.order_number, delay_s=round(delay), **evidence)
    return outbox.postpone(session, lease, delay, str(evidence))
