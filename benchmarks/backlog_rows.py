"""Delivered orders by the thousand: one is bought by the portal's own rules, and its rows are copied."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, insert, select, update
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.billing import charges
from portal.billing.charges import Charge, ChargeEvent
from portal.billing.ledger import LedgerLine
from portal.checkout import orders
from portal.checkout.confirmation import accept
from portal.checkout.orders import DeliveryRow, Order, OrderEvent
from portal.checkout.quotes import QuoteRow, find_quote, keep_quote
from portal.database import Base, Database
from portal.directory.accounts import Account
from portal.outbox import Task
from portal.rights.ceilings import Ceiling, change_ceiling
from portal.rights.holds import CeilingUse, Hold
from tests.checkout.other_sides import Merchant, loaded, quoted
from tests.checkout.world import ZONE, furnish


@dataclass(frozen=True)
class Row:
    """One order that differs from its template by number and keys."""

    number: str
    key: str
    token: str
    order_key: str
    cents: int

    @staticmethod
    def make(template: Row) -> Row:
        """A new one of the same price."""
        return Row(orders.new_number(), str(uuid.uuid4()), secrets.token_urlsafe(32), str(uuid.uuid4()), template.cents)


def furnish_one(database: Database) -> Row:
    """A company, and one order of it that is delivered and reserved, by the rules themselves; its capture is done with."""
    furnish(database)
    with database.transaction() as session:
        change_ceiling(session, "benchmark", session.scalars(select(Ceiling)).one(), 10**9, 0)
        quote = keep_quote(session, 1, 1, {}, quoted(1000))
    with database.reading() as session:
        found = find_quote(session, quote.token, 1)
        assert found
        assert found.offer
        person = session.get_one(Account, 1)
    number = accept(database, found, person, loaded(Merchant(True, False)), ZONE, "benchmark").number
    with database.transaction() as session:
        order, charge = orders.by_number(session, number), charges.of_order(session, number)
        charge.operator_ref = "template"
        charges.move(session, charge, "reserved", {})
        orders.move(session, order, "reserved", {})
        content = {"kind": "data", "rows": []}
        session.add(DeliveryRow(
            order_id=order.id, kind="data", media_type="", filename="", storage_name="", size=0, sha256="",
            content=content, delivered_at=clock.now(),
        ))  # fmt: skip
        orders.move(session, order, "delivered", {})
        charges.want_capture(session, number)
        return Row(number, charge.key, order.token, order.key, charge.amount_cents)


def add_delivered(
    database: Database, template: Row, rows: Sequence[Row], refs: Sequence[str], due_at: datetime
) -> None:
    """Copy the template for every row, captures due at a time; the template itself goes, so that tasks count from 1."""
    with database.transaction() as session:
        _copy_all(session, template, rows, refs, due_at)


def _copy_all(session: Session, template: Row, rows: Sequence[Row], refs: Sequence[str], due_at: datetime) -> None:
    order, charge = orders.by_number(session, template.number), charges.of_order(session, template.number)
    numbers = range(1, len(rows) + 1)

    def copied(table: type[Base], where: Any, **changes: Any) -> None:
        source: Table = table.__table__  # type: ignore[assignment]
        originals = [dict(found) for found in session.execute(select(source).where(where)).mappings()]
        made = []
        for at, row, ref in zip(numbers, rows, refs, strict=True):
            for original in originals:
                values = {name: value for name, value in original.items() if name != "id"}
                made.append(values | {name: make(original, row, at, ref) for name, make in changes.items()})
        session.execute(insert(source), made)

    def order_id(_o: Any, _r: Row, at: int, _ref: str) -> int:
        return order.id + at

    def charge_id(_o: Any, _r: Row, at: int, _ref: str) -> int:
        return charge.id + at

    def number(_o: Any, row: Row, _at: int, _ref: str) -> str:
        return row.number

    copied(QuoteRow, QuoteRow.token == template.token, token=lambda _o, row, _at, _ref: row.token)
    copied(Order, Order.id == order.id, id=order_id, number=number, token=lambda _o, row, _at, _ref: row.token,
           key=lambda _o, row, _at, _ref: row.order_key)  # fmt: skip
    for row in rows:
        audit.record(session, "benchmark", "order_accepted", row.number, after={})
    copied(OrderEvent, OrderEvent.order_id == order.id, order_id=order_id)
    copied(DeliveryRow, DeliveryRow.order_id == order.id, order_id=order_id)
    copied(Charge, Charge.id == charge.id, id=charge_id, order_number=number, key=lambda _o, row, _at, _ref: row.key,
           operator_ref=lambda _o, _row, _at, ref: ref)  # fmt: skip
    copied(ChargeEvent, ChargeEvent.charge_id == charge.id, charge_id=charge_id)
    copied(LedgerLine, LedgerLine.order_number == template.number, order_number=number,
           posting=lambda o, row, _at, _ref: o["posting"].replace(template.number, row.number).replace(template.key, row.key))  # fmt: skip
    copied(Hold, Hold.order_number == template.number, order_number=number)
    session.execute(update(CeilingUse).values(held_cents=CeilingUse.held_cents * (len(rows) + 1)))
    waiting = session.scalars(select(Task.id).where(Task.kind == "capture")).one()
    session.execute(update(Task).values(done_at=clock.now(), lease_until=None, owner=""))
    capture = Task.__table__
    original = dict(session.execute(select(capture).where(capture.c.id == waiting)).mappings().one())
    session.execute(update(Task).values(id=Task.id + 10**6).execution_options(synchronize_session=False))
    charges.move(session, charge, "captured", {})
    session.execute(
        insert(capture),
        [original | {"id": at, "subject": row.number, "due_at": due_at, "done_at": None} for at, row in zip(numbers, rows, strict=True)],
    )  # fmt: skip
    session.execute(update(Hold).where(Hold.order_number == template.number).values(state="captured"))
    use = select(Hold.ceiling_use_id, Hold.amount_cents).where(Hold.order_number == template.number)
    for use_id, cents in session.execute(use).all():
        session.execute(
            update(CeilingUse).where(CeilingUse.id == use_id)
            .values(held_cents=CeilingUse.held_cents - cents, captured_cents=cents)
        )  # fmt: skip
