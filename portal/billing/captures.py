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
from portal.billing.operators import Operators
from portal.billing.reservation import evidence_of
from portal.outbox import Lease
from portal.rights import holds

log = logs.get(__name__)

Asked = tuple[Charge, OperatorAdapter]
Answered = tuple[Lease, Asked, OperatorOutcome | NotFound]


def drain(operators: Operators) -> Drain:
    """How a worker captures charges in groups."""
    return Drain("capture", partial(read, operators), ask, record)


def read(operators: Operators, session: Session, leases: Sequence[Lease]) -> dict[str, Asked]:
    """The charges of the operator in force that wait for nothing but their capture, by order number.

    The others go one by one. Nobody chooses another operator while these are open.
    """
    numbers, adapter = [lease.subject for lease in leases], operators.in_force(session).adapter
    wanted = (Charge.order_number.in_(numbers), Charge.state == "reserved", Charge.operator.in_(["", adapter.identity]))
    return {charge.order_number: (charge, adapter) for charge in session.scalars(select(Charge).where(*wanted))}


def ask(asked: Asked, lease: Lease) -> OperatorOutcome | NotFound:
    """The network's part of one capture."""
    charge, operator = asked
    return settlement.asked_to_capture(operator, charge, lease)


def record(session: Session, answered: Sequence[Answered]) -> None:
    """Keep what the operator has answered, each under its own fence and with its own evidence. Raises `LeaseLost`."""
    plain = [(lease, charge, outcome) for lease, (charge, _), outcome in answered if _is_plain(charge, outcome)]
    if plain:
        outbox.finish_many(session, [lease for lease, _, _ in plain])
        charges.capture_many(session, [(charge, evidence_of(found)) for _, charge, found in plain])
        holds.capture_many(session, [charge.order_number for _, charge, _ in plain])
        log.info("charges_captured", orders=[charge.order_number for _, charge, _ in plain])
    for lease, (charge, _), outcome in answered:
        if not _is_plain(charge, outcome):
            settlement.record_capture(session, lease, outcome)


def _is_plain(charge: Charge, outcome: OperatorOutcome | NotFound) -> bool:
    return (
        isinstance(outcome, OperatorCharge)
        and outcome.state == "captured"
        and (outcome.amount_cents, outcome.currency) == (charge.amount_cents, charge.currency)
    )
