"""Read an operator's paged list of payments whole, while it moves: nothing between two pages is passed over.

Pages are cut anew for each request, so whatever joins or leaves the list before them shifts them. Where the
operator sorts as asked, oldest first, each request therefore begins at the time of the last payment seen and
not at a page's number. Where it does not, pages are read by number, again and again, until a whole reading
shows nothing that the ones before had not. How long a page is, the operator decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from connectors.contract import ContractBroken, OperatorCharge

MOST_PAGES = 20_000
"""A list longer than that does not end, as far as we can tell."""
MOST_READINGS = 10
SHORTEST_PAGE = 5
"""No operator cuts its pages shorter: one with less on it is the only one."""
FAR = 1_000_000
"""Further than any list goes, in pages."""
NO_PAGE = [""]

Page = Callable[[datetime, int], list[OperatorCharge]]
"""One page: the payments created at or after a time, and the page's number, from 1."""


class Pages:
    """One reading of the list since a time; every payment is given once, the oldest first where the operator sorts so."""

    def __init__(self, page: Page, since: datetime) -> None:
        self._page, self._since = page, since
        self._seen: set[str] = set()
        self._left = MOST_PAGES

    def __iter__(self) -> Iterator[OperatorCharge]:
        """Raises `ContractBroken` when the list does not end; what `page` raises passes through."""
        since, number, latest = self._since, 1, self._since
        longest, before, by_number = 0, NO_PAGE, False
        while items := self._next(since, number):
            refs, times = [item.ref for item in items], [item.created_at for item in items]
            new = self._unseen(items)
            if (refs == before and self._goes_nowhere(since, number)) or (not new and len(items) < longest):
                break
            yield from new
            if times != sorted(times) or (new and new[0].created_at < latest):
                by_number = True
                break
            longest, before, number, latest = max(longest, len(items)), refs, number + 1, times[-1]
            further = times[-1] - _precision(times)
            # A page of one instant does not tell how the list is sorted, and its time leads no further.
            if new and times[0] < times[-1] and since < further:
                since, before, number = further, NO_PAGE, 1
            else:
                by_number = by_number or len(items) >= SHORTEST_PAGE
        if by_number:
            yield from self._until_it_stands_still()

    def _until_it_stands_still(self) -> Iterator[OperatorCharge]:
        """Newer payments may go on coming; any other that comes up late was passed over before."""
        newest = None
        for _reading in range(MOST_READINGS):
            found = sorted(self._by_number(), key=lambda item: item.created_at)
            yield from found
            if all(newest is not None and item.created_at > newest for item in found):
                return
            newest = newest or found[-1].created_at
        raise ContractBroken("the list of payments does not stand still long enough to be read")

    def _by_number(self) -> Iterator[OperatorCharge]:
        number, before = 1, NO_PAGE
        while items := self._next(self._since, number):
            refs = [item.ref for item in items]
            if refs == before and self._goes_nowhere(self._since, number):
                return
            yield from self._unseen(items)
            number, before = number + 1, refs

    def _goes_nowhere(self, since: datetime, number: int) -> bool:
        """Whether the operator gives its last page again and again, rather than that a whole page was pushed on."""
        return bool(self._next(since, number + FAR))

    def _next(self, since: datetime, number: int) -> list[OperatorCharge]:
        if not self._left:
            raise ContractBroken(f"the list of payments does not end within {MOST_PAGES} pages")
        self._left -= 1
        return self._page(since, number)

    def _unseen(self, items: list[OperatorCharge]) -> list[OperatorCharge]:
        new = [item for item in items if item.ref not in self._seen]
        self._seen.update(item.ref for item in new)
        return new


def _precision(times: list[datetime]) -> timedelta:
    """How far a time that the operator shows may be rounded up from the one it sorts by."""
    return timedelta(milliseconds=1) if any(at.microsecond for at in times) else timedelta(seconds=1)
