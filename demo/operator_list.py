"""The demonstration operator's list of payments: pages of at most 50, oldest or newest first, late if told to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from demo.operator_book import OperatorBook, PaymentLine

LARGEST_PAGE = 50


@dataclass
class Listing:
    """How the list behaves.

    `lag` is how long a payment takes to show in it; with `newest_first` it sorts so whatever it is asked.
    """

    lag: timedelta = timedelta()
    newest_first: bool = False

    def page(self, book: OperatorBook, asked: Mapping[str, str]) -> list[PaymentLine]:
        """One page, by the parameters of the request; without them the newest ten."""
        since = asked.get("paymentCreationDate.gte")
        lines = book.since(datetime.fromisoformat(since) if since else None)
        if self.lag:
            shown = datetime.now(UTC) - self.lag
            lines = [line for line in lines if line.created_at <= shown]
        lines.sort(key=lambda line: line.created_at, reverse=self.newest_first or asked.get("order", "desc") == "desc")
        page, size = int(asked.get("page", 1)), min(int(asked.get("perPage", 10)), LARGEST_PAGE)
        return lines[(page - 1) * size : page * size]
