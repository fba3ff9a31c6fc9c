"""Captures in groups: what many delivered orders need of the database after an outage, in a few statements.

What the operator says yes to as it was asked for is recorded together; anything else goes the way of a single capture.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.contract import NotFound, OperatorAdapter, OperatorCharge, OperatorOutcome
from portal import logs, outbox
from portal.billing import charges, settlement
from portal.billing.charges import Charge
from portal.billing.drain import Drain
from portal.billing.reservation import evidence_of
from portal.outbox import Lease
from portal.rights import holds

log = logs.get(__name__)

Answered = tuple[Lease, Charge, OperatorOutcome | NotFound]


def drain(operator: OperatorAdapter) -> Drain:
    """How a worker captures charges in groups."""
    return Drain("capture", read, partial(settlement.asked_to_capture, operator), record)


def read(session: Session, leases: Sequence[Lease]) -> dict[str, Charge]:
    """The charges that wait for nothing but their capture, by order number; the others go one by one."""
    numbers = [lease.subject for lease in leases]
    found = session.scalars(select(Charge).where(Charge.order_number.in_(numbers), Charge.state == "reserved"))
    return {charge.order_number: charge for charge in found}


def record(session: Session, answered: Sequence[Answered]) -> None:
    """Keep what the operator has answered, each under its own fence and with its own evidence. Raises `LeaseLost`."""
    plain = [each for each in answered if _is_plain(*each)]
    if plain:
        outbox.finish_many(session, [lease for lease, _, _ in plain])
        charges.capture_many(session, [(charge, evidence_of(found)) for _, charge, found in plain])
        holds.capture_many(session, [charge.order_number for _, charge, _ in plain])
        log.info("charges_captured", orders=[charge.order_number for _, charge, _ in plain])
    for lease, charge, outcome in answered:
        if not _is_plain(lease, charge, outcome):
            settlement.record_capture(session, lease, outcome)


def _is_plain(_lease: Lease, charge: Charge, outcome: OperatorOutcome | NotFound) -> bool:
    return (
        isinstance(outcome, OperatorCharge)
        and outcome.state == "captured"
        and (outcome.amount_cents, outcome.currency) == (charge.amount_cents, charge.currency)
    )
