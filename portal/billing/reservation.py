"""Reserve an order's amount at the operator, before the merchant is asked for anything.

When the operator cannot be reached the purchase is refused and nothing is charged; when its reply is
lost, the reservation is looked up by the charge's key before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from connectors.contract import (
    NotFound,
    OperatorAdapter,
    OperatorCharge,
    OperatorOutcome,
    OperatorRefund,
    RefundOutcome,
    Refused,
    Unknown,
    Unreachable,
)
from portal import clock, logs, outbox
from portal.billing import charges, offline
from portal.billing.charges import Charge
from portal.database import Database
from portal.outbox import Lease

log = logs.get(__name__)


@dataclass(frozen=True)
class Reserved:
    """The amount is kept at the operator, or may wait for it (`offline.py`)."""


@dataclass(frozen=True)
class NotReserved:
    """The purchase cannot go on; `code` says why.

    The charge's own state says the rest: `voided` when certainly nothing is reserved, `disputed` when an
    admin must look, and still `new` when an earlier request may have been recorded, so that it must be voided.
    """

    code: str


@dataclass(frozen=True)
class InDoubt:
    """Nobody can say yet; look up again."""

    outcome: OperatorOutcome | NotFound

    @property
    def detail(self) -> str:
        """Why, as evidence."""
        return getattr(self.outcome, "detail", "")

    @property
    def retry_after_s(self) -> int | None:
        """How long the operator asks us to wait."""
        return getattr(self.outcome, "retry_after_s", None)


Reservation = Reserved | NotReserved | InDoubt
Then = Callable[[Session, Reservation], None]


def reserve(
    database: Database, operator: OperatorAdapter, line: str, order_number: str, lease: Lease, *,
    delivered: bool = False, offline_cents: int = 0, then: Then = lambda _session, _reservation: None,
) -> Reservation:  # fmt: skip
    """One attempt to reserve, safe to repeat after any crash.

    Args:
        delivered: the order was delivered, and its reservation expired: what refuses it is a dispute.
        offline_cents: up to how much, in all, may wait for an operator that cannot be reached.
        then: what follows from the outcome, in the transaction that keeps it.

    Raises:
        LeaseLost: somebody else has the task now.
    """
    with database.transaction() as session:
        outbox.renew(session, lease)
        charge = charges.of_order(session, order_number)
        if charge.state != "new":
            known = Reserved() if charge.state in {"reserved", "free"} else NotReserved("operator_denied")
            then(session, known)
            return known
        first = charge.sent_at is None
        if first:
            # Stored before the first byte leaves: whoever resumes knows that a look-up comes first.
            charge.sent_at, charge.operator = clock.now(), operator.identity
            charges.note(session, charge, "sending", {})
        request, ref = charge.request(line), charge.operator_ref
    outcome: OperatorOutcome | NotFound = NotFound()
    if not first:
        outcome = operator.status(ref) if ref else operator.find(charge.key, charge.sent_at or charge.created_at)
    if isinstance(outcome, NotFound):
        if not first:
            _note_sending_again(database, lease, order_number)
        # The operator keeps one payment for one correlator, so the same key never reserves twice.
        outcome = operator.prepare(request)
    with database.transaction() as session:
        outbox.renew(session, lease)
        charge = charges.of_order(session, order_number)
        reservation: Reservation
        unheard = outcome.detail if first and isinstance(outcome, Unreachable) else None
        if delivered:
            reservation = _record_again(session, charge, outcome, first=first)
        elif unheard is not None and offline.accept(session, charge, offline_cents, unheard):
            reservation = Reserved()
        else:
            reservation = _record(session, charge, outcome, first=first)
        then(session, reservation)
        return reservation


def _note_sending_again(database: Database, lease: Lease, order_number: str) -> None:
    """Stored before the first byte leaves again: nobody may believe the payment absent until long after this moment."""
    with database.transaction() as session:
        outbox.renew(session, lease)
        charges.note(session, charges.of_order(session, order_number), "sending", {"again": True})


def _record(session: Session, charge: Charge, outcome: OperatorOutcome, *, first: bool) -> Reservation:
    evidence = evidence_of(outcome)
    if isinstance(outcome, OperatorCharge):
        return _record_found(session, charge, outcome, evidence)
    if isinstance(outcome, Refused):
        if first:
            charges.move(session, charge, "voided", evidence)
        else:
            # The earlier request, whose reply was lost, may have been recorded: the charge stays open to be voided.
            charges.note(session, charge, "refused_later", evidence)
        log.warning("charge_refused", order=charge.order_number, code=outcome.code, detail=outcome.detail)
        return NotReserved(f"operator_{outcome.code}")
    if isinstance(outcome, Unreachable) and first:
        charges.move(session, charge, "voided", evidence)
        log.error("operator_unreachable", order=charge.order_number, detail=outcome.detail)
        return NotReserved("operator_unreachable")
    charges.note(session, charge, "unanswered", evidence)
    return InDoubt(outcome)


def _record_again(session: Session, charge: Charge, outcome: OperatorOutcome | NotFound, *, first: bool) -> Reservation:
    """The merchant has delivered: only the operator's certain yes or no ends the wait, and a no is for a person."""
    if isinstance(outcome, OperatorCharge) and outcome.state in {"reserved", "processing"}:
        return _record_found(session, charge, outcome, evidence_of(outcome))
    denied = isinstance(outcome, OperatorCharge)
    if denied or (isinstance(outcome, Refused) and not are_credentials(outcome)):
        charges.move(session, charge, "doubted", evidence_of(outcome))
        log.error("charge_disputed", order=charge.order_number, **evidence_of(outcome))
        return NotReserved("operator_denied")
    if first and isinstance(outcome, Unreachable):
        # Certainly never heard: the next attempt is the first.
        charge.sent_at, charge.operator = None, ""
    charges.note(session, charge, "unanswered", evidence_of(outcome))
    return InDoubt(outcome)


def _record_found(session: Session, charge: Charge, found: OperatorCharge, evidence: dict[str, Any]) -> Reservation:
    charge.operator_ref = found.ref
    if (found.amount_cents, found.currency) != (charge.amount_cents, charge.currency):
        charges.move(session, charge, "doubted", evidence)
        return NotReserved("operator_mismatch")
    if found.state == "reserved":
        charges.move(session, charge, "reserved", evidence)
        return Reserved()
    if found.state == "processing":
        charges.note(session, charge, "processing", evidence)
        return InDoubt(Unknown("the operator is still deciding", 1))
    # Captured before anything was delivered can only be somebody else's doing: an admin must see it.
    charges.move(session, charge, "voided" if found.state in {"denied", "voided"} else "doubted", evidence)
    return NotReserved("operator_denied")


def are_credentials(outcome: OperatorOutcome | RefundOutcome | NotFound) -> bool:
    """An administrator mends them, however late: no charge that is due meanwhile is given up, or doubted, for it."""
    return isinstance(outcome, Refused) and outcome.code == "credentials"


def evidence_of(outcome: OperatorOutcome | RefundOutcome | NotFound) -> dict[str, Any]:
    """An outcome as it is kept with a charge: no secret is ever part of one."""
    content = {"outcome": type(outcome).__name__}
    if isinstance(outcome, OperatorCharge | OperatorRefund):
        content |= {"ref": outcome.ref, "state": outcome.state, "amount_cents": str(outcome.amount_cents)}
        content |= {"key": outcome.key, "currency": outcome.currency, "created_at": outcome.created_at.isoformat()}
    elif isinstance(outcome, Refused):
        content |= {"code": outcome.code, "detail": outcome.detail[:500]}
    elif isinstance(outcome, Unreachable | Unknown):
        content |= {"detail": outcome.detail[:500]}
    return content
