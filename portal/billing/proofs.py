"""What the books of billing must prove about themselves: the ledger, the refunds, and the history of every charge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.billing import ledger
from portal.billing.charges import MOVES, Charge, ChargeEvent
from portal.billing.ledger import Amount
from portal.billing.refunds import Refund

Finding = tuple[int, str, str]
"""An invariant's number, what it is about, and the facts."""
AT_A_TIME = 2000


def ledger_agrees(session: Session) -> Iterator[Finding]:
    """Every posting sums to zero, and what the accounts hold for each charge is what the charge says."""
    for posting, cents in ledger.unbalanced(session):
        yield 6, posting, f"the lines of this posting sum to {cents}, not to zero"
    held = ledger.balances_by_order(session)
    columns = (
        Charge.order_number, Charge.state, Charge.amount_cents, Charge.vat_cents, Charge.refunded_cents,
        Charge.captured_at,
    )  # fmt: skip
    for number, state, cents, vat, refunded, captured_at in session.execute(select(*columns)):
        should = ledger.expected(state, Amount(cents, vat), refunded, captured=captured_at is not None)
        has = held.pop(number, None)
        if has is None and cents:
            yield 7, number, "the ledger has no line of its charge"
        elif (has or {}) != should:
            yield 6, number, f"the ledger has {_written(has or {})}, the charge says {_written(should)}"
    for number in sorted(held):
        yield 7, number, "the ledger has lines of a charge that is missing"


def refunds_agree(session: Session) -> Iterator[Finding]:
    """What was refunded is the sum of its refunds, never more than was captured, and a running refund is one."""
    done = func.coalesce(func.sum(Refund.amount_cents).filter(Refund.state == "done"), 0)
    vat = func.coalesce(func.sum(Refund.vat_cents).filter(Refund.state == "done"), 0)
    waiting = func.count().filter(Refund.state == "asked")
    query = select(Refund.charge_id, done, vat, waiting).group_by(Refund.charge_id)
    sums = {charge_id: (int(cents), int(tax), count) for charge_id, cents, tax, count in session.execute(query)}
    touched = (Charge.refunded_cents != 0) | (Charge.state.in_(["refunding", "refunded"])) | Charge.id.in_(sums)
    charges = session.scalars(select(Charge).where(touched)).all()
    for charge in charges:
        cents, tax, count = sums.pop(charge.id, (0, 0, 0))
        if charge.refunded_cents != cents:
            yield 6, charge.order_number, f"its refunds sum to {cents}, the charge says {charge.refunded_cents}"
        if cents > (charge.amount_cents if charge.captured_at else 0):
            yield 5, charge.order_number, f"{cents} refunded of {charge.amount_cents} captured"
        if tax != ledger.vat_within(charge.whole, min(cents, charge.amount_cents)):
            yield 6, charge.order_number, f"{tax} of VAT refunded with {cents}"
        if (charge.state == "refunding") != (count == 1) or count > 1:
            yield 8, charge.order_number, f"the charge is {charge.state}, and {count} refunds wait for the operator"
    for charge_id in sorted(sums):
        yield 7, f"charge {charge_id}", "it is missing, and has refunds"


def history_of_charges(session: Session) -> Iterator[Finding]:
    """Every charge got where it is by moves of the table, each with its event."""
    standing = {row.id: (row.order_number, row.state) for row in session.execute(
        select(Charge.id, Charge.order_number, Charge.state)
    )}  # fmt: skip
    events = session.execute(
        select(ChargeEvent.charge_id, ChargeEvent.event, ChargeEvent.state)
        .order_by(ChargeEvent.charge_id, ChargeEvent.id).execution_options(yield_per=AT_A_TIME)
    )  # fmt: skip
    yield from retold("charge", events, ("opened", "new"), MOVES, standing)


def retold(
    what: str, events: Iterable[Any], first: tuple[str, str], moves: Mapping[tuple[str, str], str],
    standing: dict[int, tuple[str, str]],
) -> Iterator[Finding]:  # fmt: skip
    """Tell the history of each thing again from its events: what does not follow, or ends elsewhere, was tampered with.

    Args:
        events: (id of the thing, event, state after it), by thing and time.
        first: the event and state everything begins with.
        standing: name and present state by id.
    """
    for thing, told in groupby(events, key=lambda row: row[0]):
        name, present = standing.pop(thing, ("", ""))
        if not name:
            yield 7, f"{what} {thing}", f"it is missing, and has events: {', '.join(row[1] for row in told)}"
            continue
        state = ""
        for _thing, event, after in told:
            state = first[1] if not state and event == first[0] else moves.get((state, event), state)
            if state != after:
                yield 7, name, f"a part of its history is missing or changed before “{event}” of the {what}"
                break
        else:
            if state != present:
                yield 7, name, f"by its history the {what} is {state}, not {present}"
    for name, _present in standing.values():
        yield 7, name, f"the {what} has no history"


def _written(lines: Mapping[str, int]) -> str:
    return ", ".join(f"{account} {cents}" for account, cents in sorted(lines.items())) or "nothing"
