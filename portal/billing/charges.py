"""Charges: what the operator is asked to put on the invoice, and the only moves a charge can make."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.contract import ChargeRequest
from portal import clock, outbox
from portal.billing import ledger
from portal.billing.ledger import About, Amount
from portal.database import Base, State, UtcDateTime, beside_others

MOVES: dict[tuple[str, str], str] = {
    ("new", "reserved"): "reserved",
    ("new", "nothing_due"): "free",
    ("new", "voided"): "voided",
    ("new", "doubted"): "disputed",
    ("reserved", "captured"): "captured",
    ("reserved", "voided"): "voided",
    ("reserved", "expired"): "new",
    ("reserved", "doubted"): "disputed",
    ("captured", "refund_asked"): "refunding",
    ("captured", "doubted"): "disputed",
    ("refunding", "refunded"): "refunded",
    ("refunding", "refunded_in_part"): "captured",
    ("refunding", "refund_denied"): "captured",
    ("refunding", "doubted"): "disputed",
    ("disputed", "reserve_again"): "new",
    ("disputed", "capture_again"): "reserved",
    ("disputed", "void_again"): "reserved",
    ("disputed", "refund_again"): "refunding",
    ("disputed", "captured"): "captured",
    ("disputed", "kept"): "captured",
    ("disputed", "voided"): "voided",
    ("disputed", "written_off"): "written_off",
    ("voided", "written_off"): "written_off",
}
"""`{(state, event): next state}`; the drawing in the documentation is made from this table."""

STATES = ("new", "reserved", "captured", "voided", "refunding", "refunded", "disputed", "written_off", "free")
OPEN = ("new", "reserved", "refunding", "disputed")
"""States that an operator, or a person, has yet to end."""
ONCE = {"opened", "nothing_due", "captured", "voided", "written_off"}
"""Moves a charge makes at most once: the ledger's own constraint forbids a second."""


class MoveForbidden(Exception):
    """An event that cannot happen in this state."""


class Charge(Base):
    """One charge for one order.

    `key` is the operator's `clientCorrelator`, minted once for each reservation: one that expired at the
    operator is made again under a key of its own. `refunded_cents` counts what the operator has confirmed.
    A charge of nothing is `free` at once: it is the record that nothing is due, and no operator hears of it.
    `operator` is who was asked to reserve it (`sfr/camara`, `operators.py`): nobody else is ever asked about it.
    """

    __tablename__ = "charges"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", "state_known"),
        CheckConstraint("amount_cents >= 0", "amount_not_negative"),
        CheckConstraint("amount_cents > 0 OR state IN ('new', 'free')", "nothing_is_free"),
        CheckConstraint("vat_cents >= 0 AND vat_cents <= amount_cents", "vat_within_amount"),
        CheckConstraint("refunded_cents BETWEEN 0 AND amount_cents", "refunded_within_amount"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    order_number: Mapped[str] = mapped_column(String(32), unique=True)
    state: Mapped[str] = mapped_column(State, index=True)
    amount_cents: Mapped[int]
    vat_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    description: Mapped[str] = mapped_column(String(200))
    merchant_name: Mapped[str] = mapped_column(String(200))
    merchant_key: Mapped[str] = mapped_column(String(64))
    category: Mapped[str] = mapped_column(String(64))
    product: Mapped[str] = mapped_column(String(128))
    cost_centre: Mapped[str] = mapped_column(String(64), default="")
    refunded_cents: Mapped[int] = mapped_column(default=0)
    operator_ref: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    captured_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    offline_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    operator: Mapped[str] = mapped_column(String(64), default="")

    @property
    def whole(self) -> Amount:
        """What it is about, VAT apart."""
        return Amount(self.amount_cents, self.vat_cents)

    @property
    def about(self) -> About:
        """Whose ledger lines it makes."""
        return About(self.order_number, self.cost_centre, self.currency)

    def request(self, line: str) -> ChargeRequest:
        """The charge as the operator's adapter is asked for it, on the company's line (E.164)."""
        return ChargeRequest(
            key=self.key, reference=self.order_number, line=line, amount_cents=self.amount_cents,
            vat_cents=self.vat_cents, currency=self.currency, description=self.description,
            merchant_name=self.merchant_name, merchant_id=self.merchant_key, category=self.category,
            product_id=self.product,
        )  # fmt: skip


class ChargeEvent(Base):
    """One thing that happened to a charge, with its evidence; never rewritten."""

    __tablename__ = "charge_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    charge_id: Mapped[int] = mapped_column(ForeignKey("charges.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    event: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(State)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)


@dataclass(frozen=True)
class Billable:
    """What a new charge is made from; amounts in cents, VAT included in `amount_cents`."""

    order_number: str
    amount_cents: int
    vat_cents: int
    currency: str
    description: str
    merchant_name: str
    merchant_key: str
    category: str
    product: str
    cost_centre: str = ""


def open_charge(session: Session, billable: Billable) -> Charge:
    """The one charge of an order, its key minted: state `new`, or `free` when it costs nothing."""
    charge = Charge(
        **vars(billable), key=str(uuid.uuid4()), state="new", created_at=clock.now(), operator_ref="", refunded_cents=0,
        operator="",
    )  # fmt: skip
    # While a charge is open its operator stays: it opens before another is chosen, or after (`operators.py`).
    beside_others(session.connection(), "operator")
    session.add(charge)
    session.flush()
    begins = ledger.commitment("", ledger.counterpart("new", captured=False), charge.amount_cents)
    ledger.post(session, _posting(session, charge, "opened"), charge.about, begins)
    note(session, charge, "opened", {"amount_cents": charge.amount_cents})
    if not charge.amount_cents:
        move(session, charge, "nothing_due", {})
    return charge


def of_order(session: Session, order_number: str) -> Charge:
    """The charge of an order, which always exists."""
    return session.scalars(select(Charge).where(Charge.order_number == order_number)).one()


def locked(session: Session, order_number: str) -> Charge | None:
    """The charge of an order as it stands now; nobody else moves it before this transaction ends."""
    asked = select(Charge).where(Charge.order_number == order_number).with_for_update()
    return session.scalar(asked.execution_options(populate_existing=True))


def move(
    session: Session, charge: Charge, event: str, evidence: dict[str, Any], lines: Mapping[str, int] | None = None,
    named: str = "",
) -> None:  # fmt: skip
    """Move a charge by the table, and book the move.

    Args:
        lines: what the ledger is told beyond the commitment (a refund, a write-off).
        named: what the posting is named after, when its event alone is not enough (a refund's key).

    Raises:
        MoveForbidden: the event cannot happen in this state.
    """
    target = MOVES.get((charge.state, event))
    if target is None or (event == "captured" and charge.captured_at):
        raise MoveForbidden(f"charge {charge.key}: {event} in state {charge.state}")
    before = ledger.counterpart(charge.state, captured=bool(charge.captured_at))
    charge.state = target
    more = dict(lines or {})
    if event == "captured":
        charge.captured_at = clock.now()
        more = ledger.charged(charge.whole)
    after = ledger.counterpart(target, captured=bool(charge.captured_at))
    goes_on = ledger.commitment(before, after, charge.amount_cents)
    if goes_on or more:
        ledger.post(session, _posting(session, charge, event, named), charge.about, goes_on, more)
    note(session, charge, event, evidence)


def capture_many(session: Session, captured: Sequence[tuple[Charge, dict[str, Any]]]) -> None:
    """Move reserved charges to `captured` and book it, as `move` does for one; each with its own evidence.

    Raises:
        MoveForbidden: one of them is not `reserved` any more.
    """
    at, ids = clock.now(), [charge.id for charge, _ in captured]
    reserved = (Charge.state == "reserved") & Charge.captured_at.is_(None)
    moved = session.scalars(
        update(Charge).where(Charge.id.in_(ids), reserved).values(state="captured", captured_at=at)
        .returning(Charge.id).execution_options(synchronize_session=False)
    ).all()  # fmt: skip
    if len(moved) < len(ids):
        raise MoveForbidden(f"captured: {sorted(set(ids) - set(moved))} are not reserved")
    ledger.post_many(
        session,
        [
            (f"{charge.order_number} captured", charge.about,
             [ledger.commitment("reserved", "", charge.amount_cents), ledger.charged(charge.whole)])
            for charge, _ in captured
        ],
    )  # fmt: skip
    events = [
        {"charge_id": charge.id, "at": at, "event": "captured", "state": "captured", "evidence": evidence}
        for charge, evidence in captured
    ]
    session.execute(insert(ChargeEvent), events)


def _posting(session: Session, charge: Charge, event: str, named: str = "") -> str:
    if event in ONCE:
        return f"{charge.order_number} {event}"
    if named or event == "reserved":
        return f"{charge.order_number} {event} {named or charge.key}"
    return f"{charge.order_number} {event} {ledger.times_posted(session, charge.order_number, event) + 1}"


def note(session: Session, charge: Charge, event: str, evidence: dict[str, Any]) -> None:
    """Keep evidence of what happened to a charge."""
    session.add(ChargeEvent(charge_id=charge.id, at=clock.now(), event=event, state=charge.state, evidence=evidence))


def want_capture(session: Session, order_number: str) -> None:
    """The order was delivered: capture its charge, at any later time, by any worker; what is free has nothing to capture."""
    charge = of_order(session, order_number)
    if charge.state == "free":
        return
    note(session, charge, "capture_wanted", {})
    outbox.enqueue(session, "capture", order_number)


def want_void(session: Session, order_number: str) -> None:
    """The order failed: nothing may stay reserved at the operator, where what is free never was."""
    charge = of_order(session, order_number)
    if charge.state == "free":
        return
    note(session, charge, "void_wanted", {})
    outbox.enqueue(session, "void", order_number)


def last_sent(session: Session, charge: Charge) -> datetime | None:
    """When the operator was last asked to reserve; None when it never was."""
    sent = select(func.max(ChargeEvent.at)).where(ChargeEvent.charge_id == charge.id, ChargeEvent.event == "sending")
    return session.scalar(sent)


def reserved_since(session: Session, charge: Charge) -> tuple[datetime, int]:
    """When the operator last reserved, and how often it has."""
    reserved = select(func.max(ChargeEvent.at), func.count()).where(
        ChargeEvent.charge_id == charge.id, ChargeEvent.event == "reserved"
    )
    since, times = session.execute(reserved).one()
    return since or charge.created_at, times


def renew_key(session: Session, charge: Charge, evidence: dict[str, Any]) -> None:
    """The reservation expired: the next one gets a key of its own, and the old key and reference stay as evidence."""
    before = {"key": charge.key, "ref": charge.operator_ref}
    charge.key, charge.operator_ref, charge.sent_at = str(uuid.uuid4()), "", None
    move(session, charge, "expired", {**evidence, "before": before, "key": charge.key})


def was_delivered(session: Session, charge: Charge) -> bool:
    """Whether its order was delivered, so that it was wanted on the invoice."""
    wanted = select(ChargeEvent.id).where(ChargeEvent.charge_id == charge.id, ChargeEvent.event == "capture_wanted")
    return session.scalar(wanted.limit(1)) is not None


def settling_since(session: Session, charge: Charge, *events: str) -> datetime:
    """When it was last wanted that a charge be settled: a long preparation is no operator's silence."""
    asked = events or ("capture_wanted", "void_wanted")
    wanted = select(func.max(ChargeEvent.at)).where(ChargeEvent.charge_id == charge.id, ChargeEvent.event.in_(asked))
    return session.scalar(wanted) or charge.created_at
