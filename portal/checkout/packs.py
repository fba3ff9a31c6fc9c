"""Packs: units that an employee has bought in advance, used up one by one instead of money.

A confirmation holds its units by one conditional update, so that no race uses more than there are; they are used when
the order is delivered, free again when it fails, and kept while it is in doubt. A pack is its buyer's own, until it ends, is
used up, or what it cost was given back or never charged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, String, cast, literal, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.contract import Done, Licence
from portal import clock
from portal.billing.charges import Charge
from portal.catalog.offers import OfferRow
from portal.checkout.orders import Order
from portal.checkout.outcomes import holds_units
from portal.database import Base, State, UtcDateTime, one_at_a_time
from portal.refusals import Refused

UNPAID = ("voided", "refunding", "refunded", "disputed", "written_off")
"""States of its own charge in which a pack pays for nothing."""


class Pack(Base):
    """One pack; of its `units`, some are held by open orders and some used up. `until` is when it ends (UTC)."""

    __tablename__ = "packs"
    __table_args__ = (
        CheckConstraint("held_units >= 0 AND used_units >= 0", "units_not_negative"),
        CheckConstraint("held_units + used_units <= units", "units_suffice"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    merchant: Mapped[str] = mapped_column(String(64))
    offer: Mapped[str] = mapped_column(String(128))
    key: Mapped[str] = mapped_column(String(300))
    units: Mapped[int]
    held_units: Mapped[int] = mapped_column(default=0)
    used_units: Mapped[int] = mapped_column(default=0)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def left_units(self) -> int:
        """What no order has taken."""
        return self.units - self.held_units - self.used_units


class PackUse(Base):
    """What one order takes from a pack."""

    __tablename__ = "pack_uses"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'used', 'released')", "state_known"),
        CheckConstraint("units > 0", "units_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pack_id: Mapped[int] = mapped_column(ForeignKey("packs.id"), index=True)
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), unique=True)
    units: Mapped[int]
    state: Mapped[str] = mapped_column(State)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Payment:
    """The units an order is paid with, and the pack they are from."""

    pack: Pack
    units: int
    state: str


def open_pack(session: Session, order: Order, key: str, until: datetime | None) -> Pack:
    """The pack that a delivered order brings."""
    pack = Pack(
        order_number=order.number, account_id=order.account_id, merchant=order.merchant, offer=order.offer.offer,
        key=key, units=order.units, held_units=0, used_units=0, until=until, opened_at=clock.now(),
    )  # fmt: skip
    session.add(pack)
    return pack


def is_as_sold(session: Session, order: Order, done: Done) -> bool:
    """Whether it is the pack that was bought, under a key that no other order has brought: whose units are whose could not be told."""
    if not isinstance(done.delivery, Licence) or not holds_units(done, order.units):
        return False
    key = done.delivery.key
    one_at_a_time(session.connection(), f"pack {order.merchant} {key}")
    same = select(Pack.id).where(Pack.merchant == order.merchant, Pack.key == key, Pack.order_number != order.number)
    return session.scalars(same.limit(1)).first() is None


def may_pay(session: Session, account_id: int, offer: OfferRow) -> Pack | None:
    """The pack of this employee that may pay for one of an offer: of several, the one that ends first."""
    if not offer.packs:
        return None
    query = select(Pack).where(
        Pack.account_id == account_id, Pack.merchant == offer.merchant, Pack.offer.in_(offer.packs),
        Pack.held_units + Pack.used_units < Pack.units, _running(),
    )  # fmt: skip
    return session.scalars(query.order_by(Pack.until.is_(None), Pack.until, Pack.id).limit(1)).first()


def of_account(session: Session, account_id: int) -> list[Pack]:
    """Every pack of an employee that still has units, or open orders, the one that ends first before the others."""
    query = select(Pack).where(Pack.account_id == account_id, Pack.used_units < Pack.units, _running())
    return list(session.scalars(query.order_by(Pack.until.is_(None), Pack.until, Pack.id)))


def paying(session: Session, packs: list[Pack]) -> set[int]:
    """Those of some packs, by id, that pay for an offer here: units that are used up elsewhere nobody here can count."""
    named = cast(OfferRow.packs, String).contains(literal('"') + Pack.offer + '"')
    paid = select(OfferRow.id).where(OfferRow.merchant == Pack.merchant, OfferRow.removed_at.is_(None), named)
    return set(
        session.scalars(select(Pack.id).where(Pack.id.in_(pack.id for pack in packs), _running(), paid.exists()))
    )


def titles(session: Session, packs: list[Pack]) -> dict[int, dict[str, str]]:
    """What packs were called when they were bought, by their id, in every language."""
    numbers = {pack.order_number: pack.id for pack in packs}
    found = session.execute(select(Order.number, Order.title).where(Order.number.in_(numbers)))
    return {numbers[number]: title for number, title in found}


def of_order(session: Session, number: str) -> Pack | None:
    """The pack that an order has bought."""
    return session.scalar(select(Pack).where(Pack.order_number == number))


def uses(session: Session, pack: Pack) -> list[tuple[PackUse, Order]]:
    """What was taken from a pack, newest first, with the orders it was taken for."""
    query = (
        select(PackUse, Order).join(Order, Order.number == PackUse.order_number)
        .where(PackUse.pack_id == pack.id).order_by(PackUse.id.desc())
    )  # fmt: skip
    return [(row[0], row[1]) for row in session.execute(query)]


def payment_of(session: Session, number: str) -> Payment | None:
    """The units that an order takes or took; None when it is paid with money, or failed."""
    query = (
        select(Pack, PackUse).join(PackUse, PackUse.pack_id == Pack.id)
        .where(PackUse.order_number == number, PackUse.state != "released")
    )  # fmt: skip
    found = session.execute(query).first()
    return Payment(found[0], found[1].units, found[1].state) if found else None


def units_of(session: Session, numbers: list[str]) -> dict[str, int]:
    """How many units orders are paid with, by their number; those paid with money are left out."""
    query = select(PackUse.order_number, PackUse.units).where(
        PackUse.order_number.in_(numbers), PackUse.state != "released"
    )
    return {row.order_number: row.units for row in session.execute(query)}


def hold(session: Session, pack_id: int, number: str, units: int) -> None:
    """Take units for an order, or none.

    Raises:
        Refused: `pack_used_up`: too few are left, the pack has ended, or its price was given back, written off or is in
            dispute; the caller's transaction must be rolled back.
    """
    taken = session.scalar(
        update(Pack).where(Pack.id == pack_id, Pack.held_units + Pack.used_units + units <= Pack.units, _running())
        .values(held_units=Pack.held_units + units).returning(Pack.id)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    if taken is None:
        raise Refused("pack_used_up")
    session.add(PackUse(pack_id=pack_id, order_number=number, units=units, state="held", at=clock.now()))


def use(session: Session, number: str) -> None:
    """What an order held is used up: it is delivered."""
    _end(session, number, "used")


def release(session: Session, number: str) -> None:
    """What an order held is free again: it failed."""
    _end(session, number, "released")


def breaches(session: Session) -> Iterator[tuple[str, str]]:
    """Every pack whose counters are not the sum of what was taken, and every order whose units stand otherwise than it does."""
    held: Counter[int] = Counter()
    used: Counter[int] = Counter()
    query = select(PackUse, Order.state).join(Order, Order.number == PackUse.order_number)
    for taken, state in session.execute(query):
        (held if taken.state == "held" else used if taken.state == "used" else Counter())[taken.pack_id] += taken.units
        should = {"delivered": "used", "failed": "released"}.get(state, "held")
        if taken.state != should:
            yield taken.order_number, f"the order is {state}, its units are {taken.state}"
    for pack in session.scalars(select(Pack)):
        if (pack.held_units, pack.used_units) != (held[pack.id], used[pack.id]):
            yield f"pack {pack.order_number}", "the counter is not the sum of what was taken"
        if pack.held_units + pack.used_units > pack.units:
            yield (
                f"pack {pack.order_number}",
                f"{pack.held_units} held + {pack.used_units} used > {pack.units}",
            )


def _running() -> ColumnElement[bool]:
    # What was given back, even in part, written off or is in dispute, a person settles: nobody may use the rest up as well.
    unpaid = select(Charge.id).where(
        Charge.order_number == Pack.order_number, or_(Charge.refunded_cents > 0, Charge.state.in_(UNPAID))
    )
    return or_(Pack.until.is_(None), Pack.until > clock.now()) & ~unpaid.exists()


def _end(session: Session, number: str, state: str) -> None:
    taken = session.scalar(select(PackUse).where(PackUse.order_number == number, PackUse.state == "held"))
    if taken is None:
        return
    taken.state, taken.at = state, clock.now()
    more = taken.units if state == "used" else 0
    session.execute(
        update(Pack).where(Pack.id == taken.pack_id)
        .values(held_units=Pack.held_units - taken.units, used_units=Pack.used_units + more)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
