"""Steps 2 to 4 of a purchase: reserve at the operator, fulfil by the merchant, deliver.

Each step is committed before the next and looks up before it sends again, so that a restart at any
instruction loses nothing and doubles nothing (invariant 8). The same function serves the request
that confirmed and the worker that carries on.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from portal import clock, logs, outbox
from portal.billing import charges
from portal.billing.reservation import InDoubt, NotReserved, Reservation, reserve
from portal.checkout import orders
from portal.checkout.fulfilment import collect, deadline_of, fulfil, is_late, merchant_of
from portal.checkout.steps import Ended, Means, Step, Wait, doubt, fail
from portal.outbox import Lease, LeaseLost
from portal.refusals import Reason

log = logs.get(__name__)

RESERVE_DEADLINE = timedelta(minutes=10)


def advance(means: Means, number: str, lease: Lease) -> None:
    """Take an order as far as it goes now, then end its task or put it back. Raises `LeaseLost`."""
    while True:
        with means.database.reading() as session:
            state = orders.by_number(session, number).state
        step = STEPS.get(state)
        if step is None:
            with means.database.transaction() as session:
                outbox.finish(session, lease)
            return
        try:
            wait = step(means, number, lease)
        except Exception as error:
            if state == "accepted" or _passes(error):
                raise
            wait = _stuck(means, number, lease, error)
        if isinstance(wait, Ended):
            return
        if wait:
            return _put_back(means, number, lease, wait)


def resolve(means: Means, number: str, lease: Lease) -> None:
    """What the operator has of an order in doubt, and no further: a worker goes on with it. Raises `LeaseLost`."""
    with means.database.reading() as session:
        state = orders.by_number(session, number).state
    wait = reserve_amount(means, number, lease) if state == "accepted" else None
    if wait:
        return _put_back(means, number, lease, wait)
    with means.database.transaction() as session:
        return outbox.postpone(session, lease, 0)


def _passes(error: Exception) -> bool:
    """A database that is away comes back, and a lost lease is somebody else's; a value that is not taken stays what it is."""
    return isinstance(error, LeaseLost | SQLAlchemyError) and not isinstance(error, DataError | IntegrityError)


def _stuck(means: Means, number: str, lease: Lease, error: Exception) -> Wait | None:
    """What nobody foresaw happened to an order the merchant has: tried again, and in the end an administrator's to decide."""
    log.exception("step_failed", order=number)
    detail = f"{type(error).__name__}: {error}"[:500]
    merchant = merchant_of(means, number)
    with means.database.transaction() as session:
        outbox.renew(session, lease)
        order = orders.by_number(session, number)
        if merchant and is_late(order, deadline_of(order, merchant)):
            doubt(session, order, "merchant_unclear", {"detail": detail})
            return None
    return Wait(detail)


def _put_back(means: Means, number: str, lease: Lease, wait: Wait) -> None:
    # A wish of no time at all is none: it must not make a loop.
    delay = wait.delay_s or outbox.back_off_s(lease.attempts)
    with means.database.transaction() as session:
        outbox.postpone(session, lease, delay, wait.detail)
    log.info("order_waits", order=number, delay_s=round(delay, 1), detail=wait.detail)


def reserve_amount(means: Means, number: str, lease: Lease) -> Wait | None:
    """Step 2: the operator keeps the amount."""
    waits: Wait | None = None

    def settle(session: Session, reservation: Reservation) -> None:
        nonlocal waits
        waits = _settle(session, number, lease, reservation)

    reserve(
        means.database, means.operator, means.line, number, lease, offline_cents=means.offline_cents, then=settle
    )  # fmt: skip
    return waits


def _settle(session: Session, number: str, lease: Lease, reservation: Reservation) -> Wait | None:
    """What the reservation means for the order, kept with it."""
    order = orders.by_number(session, number)
    if isinstance(reservation, NotReserved):
        charge = charges.of_order(session, number)
        if charge.state == "disputed":
            doubt(session, order, reservation.code, {})
        else:
            fail(session, order, Reason(reservation.code), {}, void=charge.state == "new")
    elif isinstance(reservation, InDoubt):
        if clock.now() - order.created_at < RESERVE_DEADLINE:
            return Wait(reservation.detail, reservation.retry_after_s)
        fail(session, order, Reason("operator_silent"), {"detail": reservation.detail})
    else:
        orders.move(session, order, "reserved", {})
        outbox.renew(session, lease, lane=outbox.merchant_lane(order.merchant))
    return None


STEPS: dict[str, Step] = {"accepted": reserve_amount, "fulfilling": fulfil, "preparing": collect}
