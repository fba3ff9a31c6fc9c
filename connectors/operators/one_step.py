"""Operators that charge in one step only: what is reserved waits here, and `confirm` sends the whole payment.

Nothing is reserved at the operator, so a payment may be refused after delivery; it is then a dispute. The
payment's correlator is the charge's key, stored as sent before the first byte leaves, and looked up first
ever after. Source: CAMARA Carrier Billing 0.5.0, `createPayment`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from connectors.contract import (
    ChargeRequest,
    NotFound,
    OperatorAdapter,
    OperatorCharge,
    OperatorOutcome,
    OperatorRefund,
    Problem,
    RefundOutcome,
    Refused,
    Unknown,
    Unreachable,
)
from connectors.operators.usage_file import lines
from connectors.operators.usage_file.lines import Limits, stamp
from connectors.operators.usage_file.spool import Spool, SpoolUnusable

NO_LIMITS = Limits()


class OneStepOperator:
    """The two steps of the contract over an operator with one. No method raises, except `list_charges`."""

    files = None
    # Found by our own key in the spool, whose names the operator does not know.
    finds_in_list = False

    def __init__(self, spool: Spool, operator: OperatorAdapter, now: Callable[[], datetime]) -> None:
        self._spool, self._operator, self._now = spool, operator, now

    @property
    def identity(self) -> str:
        """The operator's own."""
        return self._operator.identity

    def close(self) -> None:
        """Close every kept connection."""
        self._operator.close()

    def prepare(self, charge: ChargeRequest) -> OperatorOutcome:
        """Keep it here."""
        now = self._now()
        return self._kept(lambda connection: lines.reserve(connection, charge, now, NO_LIMITS, now))

    def confirm(self, ref: str) -> OperatorOutcome:
        """Send the payment, unless it is known to have arrived."""
        before = self.status(ref)
        if not isinstance(before, OperatorCharge) or before.state != "reserved":
            return before
        try:
            with self._spool.writing() as connection:
                row = _row(connection, ref)
                connection.execute("UPDATE lines SET sent_at = ? WHERE ref = ?", (stamp(self._now()), ref))
        except SpoolUnusable as error:
            return Unreachable(error.detail)
        outcome = self._noted(ref, self._operator.charge(_request(row)))
        if isinstance(outcome, Refused | Unreachable) and not row["sent_at"]:
            # Certainly not done, and nothing was sent before: it may be voided, or sent as if for the first time.
            self._kept(lambda connection: _unsend(connection, ref))
        return outcome

    def cancel(self, ref: str) -> OperatorOutcome:
        """Forget it; a payment that was sent is the operator's, and only its own view can say that there is none."""
        before = self.status(ref)
        if not isinstance(before, OperatorCharge) or before.state != "reserved":
            return before
        try:
            with self._spool.reading() as connection:
                sent = _row(connection, ref)["sent_at"]
        except SpoolUnusable as error:
            return Unreachable(error.detail)
        if sent:
            return Unknown("the payment was sent, and the operator's list does not show it yet", 60)
        return self._kept(lambda connection: lines.settle(connection, ref, "voided", self._now()))

    def charge(self, charge: ChargeRequest) -> OperatorOutcome:
        """Both steps."""
        kept = self.prepare(charge)
        return self.confirm(kept.ref) if isinstance(kept, OperatorCharge) else kept

    def status(self, ref: str) -> OperatorOutcome:
        """Ours while nothing was sent; the operator's afterwards."""
        try:
            with self._spool.reading() as connection:
                here = lines.by_ref(connection, ref)
                if not isinstance(here, OperatorCharge):
                    return here
                row = _row(connection, ref)
        except SpoolUnusable as error:
            return Unreachable(error.detail)
        if row["operator_ref"]:
            return self._noted(ref, self._operator.status(row["operator_ref"]))
        if not row["sent_at"]:
            return here
        found = self._operator.find(row["key"], datetime.fromisoformat(row["created_at"]))
        return here if isinstance(found, NotFound) else self._noted(ref, found)

    def find(self, charge_key: str, since: datetime) -> OperatorOutcome | NotFound:
        """By our own key: whatever the operator may have was kept here first."""
        try:
            with self._spool.reading() as connection:
                row = lines.by_key(connection, charge_key)
        except SpoolUnusable as error:
            return Unreachable(error.detail)
        return NotFound() if row is None else self.status(row["ref"])

    def refund(self, ref: str, amount_cents: int, key: str) -> RefundOutcome:
        """Ask the operator, by its own name for the payment."""
        theirs = self._theirs(ref)
        return self._ours(ref, self._operator.refund(theirs, amount_cents, key)) if isinstance(theirs, str) else theirs

    def find_refund(self, ref: str, key: str) -> RefundOutcome | NotFound:
        """Ask the operator, by its own name for the payment."""
        theirs = self._theirs(ref)
        if not isinstance(theirs, str):
            return theirs
        found = self._operator.find_refund(theirs, key)
        return found if isinstance(found, NotFound) else self._ours(ref, found)

    def list_refunds(self, ref: str) -> Iterator[OperatorRefund]:
        """The operator's refunds of a payment, named by either of us. Raises `ConnectorError`."""
        theirs = self._theirs(ref)
        return self._operator.list_refunds(theirs if isinstance(theirs, str) else ref)

    def _theirs(self, ref: str) -> str | Refused | Unreachable | Unknown:
        """The operator's name for a captured payment."""
        before = self.status(ref)
        if not isinstance(before, OperatorCharge):
            return before
        if before.state != "captured":
            return Refused("denied", f"the charge is {before.state}")
        try:
            with self._spool.reading() as connection:
                return str(_row(connection, ref)["operator_ref"])
        except SpoolUnusable as error:
            return Unreachable(error.detail)

    def _ours(self, ref: str, given: RefundOutcome) -> RefundOutcome:
        return replace(given, charge_ref=ref) if isinstance(given, OperatorRefund) else given

    def list_charges(self, since: datetime) -> Iterator[OperatorCharge]:
        """The operator's own book."""
        return self._operator.list_charges(since)

    def check(self) -> list[Problem]:
        """The operator, and the spool."""
        try:
            self._spool.check()
        except SpoolUnusable as error:
            what = {
                "fr": f"les débits en attente ne peuvent pas être gardés : {error.detail}.",
                "en": f"the charges that wait cannot be kept: {error.detail}.",
            }
            remedy = {"fr": "Vérifiez [operator] usage_spool.", "en": "Check [operator] usage_spool."}
            return [Problem(what, remedy)]
        return self._operator.check()

    def _noted(self, ref: str, outcome: OperatorOutcome) -> OperatorOutcome:
        """Keep the operator's name for the payment; what is told onwards keeps ours."""
        if not isinstance(outcome, OperatorCharge):
            return outcome
        kept = self._kept(lambda connection: _note(connection, ref, outcome.ref))
        return replace(outcome, ref=ref) if isinstance(kept, OperatorCharge) else kept

    def _kept(self, work: Callable[[sqlite3.Connection], OperatorOutcome]) -> OperatorOutcome:
        try:
            with self._spool.writing() as connection:
                outcome = work(connection)
        except SpoolUnusable as error:
            return Unreachable(error.detail) if error.kept is False else Unknown(error.detail)
        return outcome


def _row(connection: sqlite3.Connection, ref: str) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute("SELECT * FROM lines WHERE ref = ?", (ref,)).fetchone()
    return row


def _note(connection: sqlite3.Connection, ref: str, theirs: str) -> OperatorOutcome:
    connection.execute("UPDATE lines SET operator_ref = ? WHERE ref = ?", (theirs, ref))
    return lines.by_ref(connection, ref)


def _unsend(connection: sqlite3.Connection, ref: str) -> OperatorOutcome:
    connection.execute("UPDATE lines SET sent_at = NULL WHERE ref = ?", (ref,))
    return lines.by_ref(connection, ref)


def _request(row: sqlite3.Row) -> ChargeRequest:
    names = (
        "key", "reference", "line", "amount_cents", "vat_cents", "currency", "description", "merchant_name",
        "merchant_id", "category", "product_id",
    )  # fmt: skip
    return ChargeRequest(**{name: row[name] for name in names})
