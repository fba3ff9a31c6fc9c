"""The adapter for operators that bill from usage records: charges wait in a spool and leave in a daily file.

`prepare` keeps nothing at the operator, so reserving never waits for it, and an operator that cannot be
reached delays a file and no purchase. `confirm` makes a charge part of the next file. What the operator
refuses to bill comes back in its answer file and shows as `denied`.
Source: docs/usage-file.md. When the spool's disk fails, every outcome says so and nothing is sold.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from connectors.contract import (
    ChargeRequest,
    NotFound,
    OperatorCharge,
    OperatorOutcome,
    OperatorRefund,
    Problem,
    RefundOutcome,
    Unavailable,
    Unknown,
    Unreachable,
)
from connectors.operators.usage_file import lines
from connectors.operators.usage_file.delivery import UsageFiles
from connectors.operators.usage_file.lines import Limits
from connectors.operators.usage_file.spool import Spool, SpoolUnusable

Outcome = TypeVar("Outcome")
Transaction = Callable[[], AbstractContextManager[sqlite3.Connection]]


class UsageFileOperator:
    """One account at an operator that takes files. No method raises, except `list_charges`: the outcome says it.

    Args:
        zone: the company's; a month's limit turns with it.
        now: what time it is (aware).
        identity: what charges remember this operator by.
    """

    finds_in_list = False

    def __init__(
        self, spool: Spool, files: UsageFiles, line: str, limits: Limits, zone: ZoneInfo, now: Callable[[], datetime],
        identity: str = "",
    ) -> None:  # fmt: skip
        self._spool, self._files, self._line, self._limits = spool, files, line, limits
        self._zone, self._now, self.identity = zone, now, identity

    @property
    def files(self) -> UsageFiles:
        """The files charges leave in."""
        return self._files

    def prepare(self, charge: ChargeRequest) -> OperatorOutcome:
        """Reserve, here only."""
        return self._outcome(self._spool.writing, lambda connection: self._reserve(connection, charge))

    def confirm(self, ref: str) -> OperatorOutcome:
        """Make it part of the next file."""
        return self._outcome(
            self._spool.writing, lambda connection: lines.settle(connection, ref, "captured", self._now())
        )

    def cancel(self, ref: str) -> OperatorOutcome:
        """Let a reservation go; no file will ever hold it."""
        return self._outcome(
            self._spool.writing, lambda connection: lines.settle(connection, ref, "voided", self._now())
        )

    def charge(self, charge: ChargeRequest) -> OperatorOutcome:
        """Reserve and capture in one transaction."""

        def both(connection: sqlite3.Connection) -> OperatorOutcome:
            kept = self._reserve(connection, charge)
            return (
                lines.settle(connection, kept.ref, "captured", self._now())
                if isinstance(kept, OperatorCharge)
                else kept
            )

        return self._outcome(self._spool.writing, both)

    def status(self, ref: str) -> OperatorOutcome:
        """How a charge stands; `denied` when the operator refused its line."""
        return self._outcome(self._spool.reading, lambda connection: lines.by_ref(connection, ref))

    def find(self, charge_key: str, since: datetime) -> OperatorOutcome | NotFound:
        """Look a key up; the spool forgets nothing, so `since` does not matter."""

        def look(connection: sqlite3.Connection) -> OperatorOutcome | NotFound:
            row = lines.by_key(connection, charge_key)
            return NotFound() if row is None or row["kind"] != "charge" else lines.seen(connection, row)

        return self._outcome(self._spool.reading, look)

    def refund(self, ref: str, amount_cents: int, key: str) -> RefundOutcome:
        """Add a line that gives back part or all of a charge; it is in the next file."""
        return self._outcome(
            self._spool.writing, lambda connection: lines.refund(connection, ref, amount_cents, key, self._now())
        )

    def find_refund(self, ref: str, key: str) -> RefundOutcome | NotFound:
        """Look a refund up; `denied` when the operator refused its line."""
        return self._outcome(
            self._spool.reading, lambda connection: lines.find_refund(connection, ref, key) or NotFound()
        )

    def list_refunds(self, ref: str) -> Iterator[OperatorRefund]:
        """What we have told the operator to give back of a charge, or will. Raises `Unavailable`."""
        try:
            with self._spool.reading() as connection:
                found = lines.refunds_of(connection, ref)
        except SpoolUnusable as error:
            raise Unavailable(error.detail) from error
        yield from found

    def list_charges(self, since: datetime) -> Iterator[OperatorCharge]:
        """What we have told the operator, or will; its own book is the statement. Raises `Unavailable`."""
        try:
            with self._spool.reading() as connection:
                found = list(lines.since(connection, since))
        except SpoolUnusable as error:
            raise Unavailable(error.detail) from error
        yield from found

    def close(self) -> None:
        """Nothing is kept open between two calls."""

    def check(self) -> list[Problem]:
        """Try the spool, the signing key and the place files go to; nothing is charged and no file is made."""
        found = []
        if not self._line:
            what = {"fr": "la ligne de l'entreprise manque.", "en": "the company's line is missing."}
            remedy = {"fr": "Donnez-la dans [operator] line.", "en": "Give it in [operator] line."}
            found.append(Problem(what, remedy))
        return [*found, *self._files.check()]

    def _reserve(self, connection: sqlite3.Connection, charge: ChargeRequest) -> OperatorOutcome:
        now = self._now()
        month = now.astimezone(self._zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return lines.reserve(connection, charge, now, self._limits, month)

    def _outcome(
        self, transaction: Transaction, work: Callable[[sqlite3.Connection], Outcome]
    ) -> Outcome | Unreachable | Unknown:
        try:
            with transaction() as connection:
                outcome = work(connection)
        except SpoolUnusable as error:
            return Unreachable(error.detail) if error.kept is False else Unknown(error.detail)
        return outcome
