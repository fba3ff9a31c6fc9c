"""What happens to single lines of the spool: reserved, captured, voided, refunded, looked up."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.contract import (
    ChargeRequest,
    OperatorCharge,
    OperatorOutcome,
    OperatorRefund,
    RefundOutcome,
    Refused,
    Unknown,
)

SHARED = "reference, line, currency, description, merchant_name, merchant_id, category, product_id"


@dataclass(frozen=True)
class Limits:
    """What the operator bills at most, in cents, VAT included: one charge, and all charges of a calendar month."""

    largest_cents: int | None = None
    month_cents: int | None = None


def stamp(at: datetime) -> str:
    """A time as the spool keeps it: UTC, of one width, so that texts sort as times do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def reserve(
    connection: sqlite3.Connection, charge: ChargeRequest, at: datetime, limits: Limits, month_began: datetime
) -> OperatorOutcome:
    """Keep a charge that nobody but us knows of yet; the same key again is the same charge."""
    known = by_key(connection, charge.key)
    if known is not None:
        return _as_asked(seen(connection, known), charge)
    if limits.largest_cents is not None and charge.amount_cents > limits.largest_cents:
        return Refused("amount", f"more than {limits.largest_cents} cents in one charge")
    if limits.month_cents is not None:
        spent = connection.execute(
            "SELECT coalesce(sum(amount_cents), 0) FROM lines"
            " WHERE kind = 'charge' AND state IN ('reserved', 'captured') AND created_at >= ?",
            (stamp(month_began),),
        ).fetchone()[0]
        if spent + charge.amount_cents > limits.month_cents:
            return Refused("threshold", f"more than {limits.month_cents} cents in one month")
    ref = f"U{secrets.token_hex(10)}"
    connection.execute(
        "INSERT INTO lines (ref, kind, key, state, reference, line, amount_cents, vat_cents, currency, description,"
        " merchant_name, merchant_id, category, product_id, created_at)"
        " VALUES (?, 'charge', ?, 'reserved', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (ref, charge.key, charge.reference, charge.line, charge.amount_cents, charge.vat_cents, charge.currency,
         charge.description, charge.merchant_name, charge.merchant_id, charge.category, charge.product_id, stamp(at)),
    )  # fmt: skip
    return by_ref(connection, ref)


def settle(connection: sqlite3.Connection, ref: str, state: str, at: datetime) -> OperatorOutcome:
    """Capture or void a reservation; one that is settled already stays as it is."""
    connection.execute(
        "UPDATE lines SET state = ?, captured_at = ? WHERE ref = ? AND kind = 'charge' AND state = 'reserved'",
        (state, stamp(at) if state == "captured" else None, ref),
    )
    return by_ref(connection, ref)


def refund(connection: sqlite3.Connection, ref: str, amount_cents: int, key: str, at: datetime) -> RefundOutcome:
    """Add the line that gives back part or all of a captured charge; the same key again adds nothing."""
    charge = _row(connection, ref)
    if charge is None:
        return _elsewhere(ref)
    known = by_key(connection, key)
    if known is not None:
        same = known["kind"] == "refund" and (known["charge_ref"], known["amount_cents"]) == (ref, amount_cents)
        return _seen_refund(known) if same else Unknown(f"the key {key} was used for something else")
    if charge["state"] != "captured":
        return Refused("denied", f"the charge is {charge['state']}")
    before = _refunded(connection, ref)
    if not 0 < amount_cents <= charge["amount_cents"] - before:
        return Refused("amount", f"{charge['amount_cents'] - before} cents are left")
    vat = _vat_within(charge, before + amount_cents) - _vat_within(charge, before)
    connection.execute(
        f"INSERT INTO lines (ref, kind, key, charge_ref, state, amount_cents, vat_cents, created_at, captured_at, {SHARED})"  # noqa: S608 - a constant
        f" SELECT ?, 'refund', ?, ref, 'captured', ?, ?, ?, ?, {SHARED} FROM lines WHERE ref = ?",
        (f"R{secrets.token_hex(10)}", key, amount_cents, vat, stamp(at), stamp(at), ref),
    )
    return find_refund(connection, ref, key) or _elsewhere(ref)


def find_refund(connection: sqlite3.Connection, ref: str, key: str) -> OperatorRefund | None:
    """The refund of a charge that was asked under a key."""
    return next((found for found in refunds_of(connection, ref) if found.key == key), None)


def refunds_of(connection: sqlite3.Connection, ref: str) -> list[OperatorRefund]:
    """Every refund of a charge, oldest first."""
    query = "SELECT * FROM lines WHERE charge_ref = ? ORDER BY created_at, rowid"
    return [_seen_refund(row) for row in connection.execute(query, (ref,)).fetchall()]


def _seen_refund(row: sqlite3.Row) -> OperatorRefund:
    return OperatorRefund(
        ref=row["ref"], key=row["key"], charge_ref=row["charge_ref"], currency=row["currency"],
        state="denied" if row["state"] == "denied" else "done", amount_cents=row["amount_cents"],
        created_at=datetime.fromisoformat(row["created_at"]),
    )  # fmt: skip


def by_ref(connection: sqlite3.Connection, ref: str) -> OperatorOutcome:
    """One charge as it stands."""
    row = _row(connection, ref)
    return _elsewhere(ref) if row is None else seen(connection, row)


def _elsewhere(ref: str) -> Unknown:
    """A spool forgets nothing: a charge it does not have is in another, or in a newer copy of this one."""
    return Unknown(
        f"no charge {ref} here: is [operator] usage_spool one folder for all machines, and not an older copy?"
    )


def by_key(connection: sqlite3.Connection, key: str) -> sqlite3.Row | None:
    """The line made under a key."""
    found: sqlite3.Row | None = connection.execute("SELECT * FROM lines WHERE key = ?", (key,)).fetchone()
    return found


def since(connection: sqlite3.Connection, at: datetime) -> Iterator[OperatorCharge]:
    """Every charge since a time, oldest first."""
    query = "SELECT * FROM lines WHERE kind = 'charge' AND created_at >= ? ORDER BY created_at, ref"
    for row in connection.execute(query, (stamp(at),)).fetchall():
        yield seen(connection, row)


def seen(connection: sqlite3.Connection, row: sqlite3.Row) -> OperatorCharge:
    """A charge in the contract's words."""
    return OperatorCharge(
        ref=row["ref"], key=row["key"], reference=row["reference"], state=row["state"],
        amount_cents=row["amount_cents"], currency=row["currency"],
        created_at=datetime.fromisoformat(row["created_at"]), refunded_cents=_refunded(connection, row["ref"]),
    )  # fmt: skip


def _row(connection: sqlite3.Connection, ref: str) -> sqlite3.Row | None:
    query = "SELECT * FROM lines WHERE ref = ? AND kind = 'charge'"
    found: sqlite3.Row | None = connection.execute(query, (ref,)).fetchone()
    return found


def _refunded(connection: sqlite3.Connection, ref: str) -> int:
    query = "SELECT coalesce(sum(amount_cents), 0) FROM lines WHERE charge_ref = ? AND state = 'captured'"
    return int(connection.execute(query, (ref,)).fetchone()[0])


def _vat_within(charge: sqlite3.Row, amount_cents: int) -> int:
    """The VAT within a part of a charge: differences of these make parts hold exactly the whole's VAT."""
    return int((2 * charge["vat_cents"] * amount_cents + charge["amount_cents"]) // (2 * charge["amount_cents"]))


def _as_asked(found: OperatorCharge, asked: ChargeRequest) -> OperatorOutcome:
    """A line under our key with another amount or reference is nobody's to accept automatically."""
    theirs = (found.reference, found.amount_cents, found.currency)
    ours = (asked.reference, asked.amount_cents, asked.currency)
    return found if theirs == ours else Unknown(f"asked for {ours}, the spool has {theirs}")
