"""Purchases and their money as one sheet: everybody's orders, and everything both sides said of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.billing import disputes as charge_disputes
from portal.billing.charges import OPEN, Charge
from portal.billing.disputes import Evidence
from portal.catalog.words import fold
from portal.checkout import disputes
from portal.checkout.orders import Order
from portal.directory.accounts import Account

PAGE = 50
CHARGES = {"open": OPEN, "disputed": ("disputed",)}
"""By which states of charges purchases are filtered."""


@dataclass(frozen=True)
class Happening:
    """One line of the evidence; `side` is `merchant` or `operator`, `facts` what was kept of the answer."""

    at: datetime
    side: str
    event: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class Case:
    """One order with its evidence from both sides, and what may safely be decided now."""

    order: Order
    account: Account
    evidence: Evidence
    happenings: list[Happening]
    choices: list[str]


def case_of(session: Session, number: str) -> Case | None:
    """Everything kept of one order; None when there is no such order."""
    order = session.scalar(select(Order).where(Order.number == number).options(joinedload(Order.charge)))
    if order is None:
        return None
    evidence = charge_disputes.evidence(session, order.charge)
    happenings = [
        Happening(each.at, "merchant", each.event, _facts(each.evidence)) for each in disputes.events(session, order)
    ]
    happenings += [Happening(each.at, "operator", each.event, _facts(each.evidence)) for each in evidence.events]
    happenings.sort(key=lambda each: each.at)
    found: list[str] = [*disputes.choices(order), *charge_disputes.choices(session, order.charge)]
    return Case(order, session.get_one(Account, order.account_id), evidence, happenings, found)


def search(
    session: Session, text: str, before: int = 0, charge: str = "", merchant: str = ""
) -> list[tuple[Order, Account]]:
    """Everybody's orders, newest first, one more than a page; found by number, person, or what it was for.

    Args:
        charge: `open` or `disputed`, for those alone whose charge is; "" for all.
        merchant: the key of one, for its orders alone.
    """
    query = select(Order, Account).join(Account, Account.id == Order.account_id).options(joinedload(Order.charge))
    if charge in CHARGES:
        query = query.join(Charge, Charge.order_number == Order.number).where(Charge.state.in_(CHARGES[charge]))
    if text:
        there = Order.number.icontains(text, autoescape=True) | Order.subject.icontains(text, autoescape=True)
        query = query.where(there | Order.account_id.in_(_people(session, text)))
    if merchant:
        query = query.where(Order.merchant == merchant)
    if before:
        query = query.where(Order.id < before)
    return [(row[0], row[1]) for row in session.execute(query.order_by(Order.id.desc()).limit(PAGE + 1))]


def waiting(session: Session, merchant: str = "") -> list[tuple[Order, Account]]:
    """The orders that wait for a person, the oldest first; of one merchant alone where its key is given."""
    found = [order for order in disputes.open_cases(session) if merchant in {"", order.merchant}]
    accounts = {
        each.id: each
        for each in session.scalars(select(Account).where(Account.id.in_({order.account_id for order in found})))
    }
    return [(order, accounts[order.account_id]) for order in found]


def _people(session: Session, text: str) -> list[int]:
    # In Python, because SQLite knows no letter beyond ASCII in two cases.
    wanted = fold(text)
    people = session.execute(select(Account.id, Account.login, Account.name))
    return [row.id for row in people if wanted in fold(row.login) or wanted in fold(row.name or "")]


def _facts(evidence: dict[str, Any]) -> list[tuple[str, str]]:
    return list(_flat(evidence, ""))


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif value not in ("", None, [], {}):
        yield name, str(value)
