"""The demonstration operator's list of payments: pages of at most 50, oldest or newest first, late if told to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from demo.faults import Faults
from demo.operator_book import OperatorBook, PaymentLine

LARGEST_PAGE = 50


@dataclass
class Listing:
    """How the list behaves.

    `lag` is how long a payment takes to show in it; with `newest_first` it sorts so whatever it is asked.
    """

    faults: Faults = field(default_factory=Faults)
    lag: timedelta = timedelta()
    newest_first: bool = False

    def page(self, book: OperatorBook, asked: Mapping[str, str]) -> list[PaymentLine]:
        """One page, by the parameters of the request; without them the newest ten."""
        since = asked.get("paymentCreationDate.gte")
        lines = book.since(datetime.fromisoformat(since) if since else None)
        lag = timedelta(seconds=self.faults.lag_s) if self.faults.happens("lagging", "listing") else self.lag
        if lag:
            shown = datetime.now(UTC) - lag
            lines = [line for line in lines if line.created_at <= shown]
        lines.sort(key=lambda line: line.created_at, reverse=self.newest_first or asked.get("order", "desc") == "desc")
        page, size = int(asked.get("page", 1)), min(int(asked.get("perPage", 10)), LARGEST_PAGE)
        start = (page - 1) * size
        if self.faults.happens("shifting", "listing"):
            # Lines come and go while the pages are read: one is seen twice, or not at all.
            start = max(0, start + self.faults.one_of((-1, 1)))
        return lines[start : start + size]
