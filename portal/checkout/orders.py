"""Orders: one purchase by one employee, and the only moves an order can make."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Select, String, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship, selectinload

from portal import clock
from portal.billing.charges import Charge
from portal.catalog.offers import OfferRow
from portal.checkout.quotes import QuoteRow
from portal.database import Base, State, UtcDateTime

MOVES: dict[tuple[str, str], str] = {
    ("accepted", "reserved"): "fulfilling",
    ("accepted", "refused"): "failed",
    ("accepted", "doubted"): "disputed",
    ("fulfilling", "delivered"): "delivered",
    ("fulfilling", "prepared"): "preparing",
    ("fulfilling", "refused"): "failed",
    ("fulfilling", "doubted"): "disputed",
    ("preparing", "delivered"): "delivered",
    ("preparing", "refused"): "failed",
    ("preparing", "doubted"): "disputed",
    ("disputed", "asked_again"): "fulfilling",
    ("disputed", "waited_for_again"): "preparing",
    ("disputed", "refused"): "failed",
}
"""`{(state, event): next state}`; the drawing in the documentation is made from this table."""

STATES = ("accepted", "fulfilling", "preparing", "delivered", "failed", "disputed")
OPEN_STATES = ("accepted", "fulfilling", "preparing")
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class MoveForbidden(Exception):
    """An event that cannot happen in this state."""


class Order(Base):
    """One purchase. What was shown and agreed is copied here, so that it outlives offer and connector."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", "state_known"),
        CheckConstraint("net_cents + vat_cents = gross_cents", "price_adds_up"),
        CheckConstraint("gross_cents >= 0", "price_not_negative"),
        CheckConstraint("term = '' OR ends_at IS NOT NULL", "term_ends"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    token: Mapped[str] = mapped_column(ForeignKey("quotes.token"), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offers.id"))
    state: Mapped[str] = mapped_column(State, index=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[dict[str, str]] = mapped_column(JSON)
    subject: Mapped[str] = mapped_column(String(300))
    inputs: Mapped[dict[str, str]] = mapped_column(JSON)
    merchant: Mapped[str] = mapped_column(String(64))
    seller: Mapped[dict[str, str]] = mapped_column(JSON)
    net_cents: Mapped[int]
    vat_rate_bp: Mapped[int]
    vat_cents: Mapped[int]
    gross_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    units: Mapped[int] = mapped_column(default=0)
    """Of the pack that it buys."""
    cost_centre: Mapped[str] = mapped_column(String(64))
    pricing: Mapped[str] = mapped_column(String(16), default="act")
    term: Mapped[str] = mapped_column(String(16), default="")
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """The end that was promised; once delivered, the end the merchant gave."""
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    granted_by: Mapped[dict[str, Any]] = mapped_column(JSON)
    merchant_ref: Mapped[str] = mapped_column(String(200), default="")
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    stage: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    percent: Mapped[int | None]
    reason: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    next_token: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    quote: Mapped[QuoteRow] = relationship()
    offer: Mapped[OfferRow] = relationship()
    deliveries: Mapped[list[DeliveryRow]] = relationship(order_by="DeliveryRow.id", back_populates="order")
    charge: Mapped[Charge] = relationship(
        primaryjoin="foreign(Order.number) == Charge.order_number", viewonly=True, uselist=False
    )

    @property
    def is_open(self) -> bool:
        """Whether something is still going to happen."""
        return self.state in OPEN_STATES


class OrderEvent(Base):
    """One thing that happened to an order, with its evidence; never rewritten."""

    __tablename__ = "order_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    event: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(State)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)


class DeliveryRow(Base):
    """What the employee received. `storage_name` is set for documents kept by us, with their SHA-256."""

    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    media_type: Mapped[str] = mapped_column(String(100), default="")
    filename: Mapped[str] = mapped_column(String(200), default="")
    storage_name: Mapped[str] = mapped_column(String(100), default="")
    size: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    delivered_at: Mapped[datetime] = mapped_column(UtcDateTime)

    order: Mapped[Order] = relationship(back_populates="deliveries")

    @property
    def opens_here(self) -> bool:
        """Whether the browser may show it: a PDF in which nothing acts by itself."""
        return self.media_type == "application/pdf" and not self.content.get("active")


def new_number() -> str:
    """An order number people can read out: `G-` and ten random letters and digits (50 bits)."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(10))
    return f"G-{letters[:5]}-{letters[5:]}"


def move(session: Session, order: Order, event: str, evidence: dict[str, Any]) -> None:
    """Move an order by the table. Raises `MoveForbidden`."""
    target = MOVES.get((order.state, event))
    if target is None:
        raise MoveForbidden(f"order {order.number}: {event} in state {order.state}")
    order.state = target
    if target not in OPEN_STATES:
        order.ended_at = clock.now()
    note(session, order, event, evidence)


def note(session: Session, order: Order, event: str, evidence: dict[str, Any]) -> None:
    """Keep evidence of what happened to an order."""
    session.add(OrderEvent(order_id=order.id, at=clock.now(), event=event, state=order.state, evidence=evidence))


def by_number(session: Session, number: str) -> Order:
    """The order with a number, which exists."""
    return session.scalars(select(Order).where(Order.number == number)).one()


def find_own(session: Session, number: str, account_id: int) -> Order | None:
    """An employee's own order with its delivery, charge and offer, or None."""
    return session.scalar(_with_everything().where(Order.number == number, Order.account_id == account_id))


def find_by_token(session: Session, token: str, account_id: int) -> Order | None:
    """The order a confirmation token has made, if it has."""
    return session.scalar(select(Order).where(Order.token == token, Order.account_id == account_id))


def list_own(session: Session, account_id: int, limit: int = 200) -> list[Order]:
    """An employee's orders, newest first."""
    query = _with_everything().where(Order.account_id == account_id).order_by(Order.id.desc()).limit(limit)
    return list(session.scalars(query))


def _with_everything() -> Select[Order]:
    return select(Order).options(selectinload(Order.deliveries), selectinload(Order.charge), joinedload(Order.offer))
