"""Bring the catalogue up to what the merchants sell now.

A list is stored as it comes, `BATCH` offers at a time, so that its length costs no memory and what was
read is not read again. When a merchant is down, its offers stay as last listed: a purchase asks for a
quote anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from connectors import patterns
from connectors.contract import ConnectorError, ContractBroken, Listed, Offer, Removed, State, Unfit
from connectors.intangible import asks_for_address
from connectors.merchants.registry import LoadedMerchant
from connectors.terms import term_fault
from portal import clock, logs
from portal.catalog import facets, reports, runs, search
from portal.catalog.consent import Weighing
from portal.catalog.merchants import Merchants, asking, checked
from portal.catalog.offers import MOST_UNITS, OfferRow, store
from portal.catalog.runs import Run, Superseded
from portal.database import Database
from portal.money import SumMismatch, check_sum

log = logs.get(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
BATCH = 500
MOST_OFFERS = 1_000_000
MOST_ITEMS = 2 * MOST_OFFERS
LONGEST_TEXT = 2000
MOST_TOLD = 100
"""So many refused offers are named; the rest is counted."""

Progress = Callable[[str, int], None]
"""Told a merchant's key and how many of its offers were read, after each part that was stored."""


class Halted(Exception):
    """Whoever reads was told to stop: what was stored is stored, and the next reading goes on."""


@dataclass(frozen=True)
class Synchronised:
    """What one merchant's synchronisation did; `held` of those listed wait for an administrator's word.

    `refused` has one sentence for each offer that cannot be shown, the first hundred of `refused_count`;
    `problem` is set when the list could not be read to its end.
    """

    merchant: str
    listed: int = 0
    removed: int = 0
    refused: tuple[str, ...] = ()
    problem: str = ""
    refused_count: int = 0
    held: int = 0


def synchronise(
    database: Database, merchants: Merchants, only: str = "", progress: Progress = lambda _merchant, _read: None
) -> list[Synchronised]:
    """Read every merchant's offers, or one merchant's, and store them."""
    return [read(database, merchants, key, progress) for key in merchants.loaded if only in {"", key}]


def read(
    database: Database, merchants: Merchants, key: str, progress: Progress = lambda _merchant, _read: None,
    go_on: Callable[[], None] = lambda: None,
) -> Synchronised:  # fmt: skip
    """Read one merchant's offers and store them; `go_on` is called before each, and ends the reading by what it raises."""
    loaded = merchants.loaded
    done = _Reading(database, key, loaded[key], list(loaded).index(key) * MOST_OFFERS, progress, go_on).read()
    merchants.was_read(key, loaded[key])
    return done


@dataclass
class _Reading:
    """One merchant's list as it is read."""

    database: Database
    key: str
    merchant: LoadedMerchant
    first_place: int
    progress: Progress
    go_on: Callable[[], None]
    seen: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    refused_count: int = 0
    listed: int = 0
    removed: int = 0
    held: int = 0

    def read(self) -> Synchronised:
        """Read and store the whole list, or what has changed."""
        with self.database.transaction() as session:
            run = runs.begin(session, self.key)
        self.listed = run.listed
        problem = ""
        try:
            self._store_all(run)
        except ConnectorError as error:
            problem = str(error) or type(error).__name__
            with self.database.transaction() as session:
                # A cursor that the merchant does not understand any more would fail for ever.
                runs.fail(session, run, problem, start_again=isinstance(error, ContractBroken))
                facets.count(session, self.key)
            log.warning("catalogue_not_read", merchant=self.key, detail=problem)
        except Superseded:
            return Synchronised(self.key, self.listed, problem="another reading of this list has begun")
        log.info(
            "catalogue_read", merchant=self.key, listed=self.listed, removed=self.removed, refused=self.refused_count
        )
        refused = tuple(self.refused)
        reports.keep(self.database, self.key, self.listed, self.removed, refused, self.refused_count, problem)
        return Synchronised(self.key, self.listed, self.removed, refused, problem, self.refused_count, self.held)

    def _store_all(self, run: Run) -> None:
        batch: list[Offer | Removed | Unfit] = []  # or whatever else a connector gives, which is refused by name
        cursor = ""
        for item in self._items(run.cursor):
            self.go_on()
            if isinstance(item, State):
                self._store(run, batch, item.cursor if item.more else None)
                batch, cursor = [], "" if item.more else item.cursor
                continue
            batch.append(item)
            if len(batch) >= BATCH:
                self._store(run, batch)
                batch = []
        self._store(run, batch)
        self._finish(run, cursor)

    def _items(self, cursor: str) -> Iterator[Listed]:
        with asking(self.key):
            for number, item in enumerate(self.merchant.connector.list_offers(cursor), start=1):
                yield checked(item) if isinstance(item, Removed | State | Unfit) else item
                if len(self.seen) > MOST_OFFERS:
                    raise ContractBroken(f"the list is longer than {MOST_OFFERS} offers")
                # What is refused, listed twice or no offer at all comes without an end as well.
                if number > MOST_ITEMS:
                    raise ContractBroken(f"the list never ends: {number} items, {len(self.seen)} offers among them")

    def _store(self, run: Run, batch: list[Offer | Removed | Unfit], cursor: str | None = None) -> None:
        offers: dict[str, Offer] = {}
        gone: set[str] = set()
        for item in batch:
            # The last word about an offer counts.
            if isinstance(item, Removed):
                gone.add(item.id)
                offers.pop(item.id, None)
                self.seen.discard(item.id)
            elif self._is_good(item) and not isinstance(item, Unfit):
                offers[item.id] = item
                gone.discard(item.id)
        with self.database.transaction() as session:
            if offers:
                self._keep(session, run, offers)
            if gone:
                self._withdraw(session, [OfferRow.offer.in_(gone)])
            runs.note(session, run, self.listed, cursor)
        self.progress(self.key, self.listed)

    def _keep(self, session: Session, run: Run, offers: dict[str, Offer]) -> None:
        at, manifest = clock.now(), self.merchant.manifest
        ours = OfferRow.merchant == self.key
        known = {row.offer: row for row in session.scalars(select(OfferRow).where(ours, OfferRow.offer.in_(offers)))}
        place = self.first_place + self.listed
        if not run.whole:
            place = self.first_place + (session.scalar(select(func.count()).select_from(OfferRow).where(ours)) or 0)
        weighing = Weighing(session, self.key, known.values())
        stored: list[OfferRow] = []
        changed: list[OfferRow] = []
        for index, offer in enumerate(offers.values()):
            row = known.get(offer.id)
            before = (row.search_text, bool(row.removed_at and not row.held_at)) if row else None
            there = row.position if row and not run.whole else place + index
            row = store(row, self.key, manifest.merchant.name, manifest.sandbox, offer, there, at)
            row.run = run.number
            session.add(row)
            stored.append(row)
            if before != (row.search_text, False):
                changed.append(row)
        session.flush()
        for row in stored:
            weighing.weigh(row, at)
        self.held += weighing.held
        search.index(session, changed)
        self.listed += len(offers)

    def _finish(self, run: Run, cursor: str) -> None:
        with self.database.transaction() as session:
            if run.whole and not self.listed and facets.on_sale(session, self.key):
                # A list that is empty all of a sudden is a mistake far more often than an end of business.
                raise ContractBroken("the list has no offer that can be shown; what was on sale stays")
            if run.whole:
                self._withdraw(session, [OfferRow.run != run.number])
            facets.count(session, self.key)
            runs.end(session, run, cursor, self.refused_count, self.refused)

    def _withdraw(self, session: Session, which: list[object]) -> None:
        there = or_(OfferRow.removed_at.is_(None), OfferRow.held_at.is_not(None))
        rows = select(OfferRow).where(OfferRow.merchant == self.key, there, *which)  # type: ignore[arg-type]
        while found := session.scalars(rows.limit(BATCH)).all():
            at = clock.now()
            for row in found:
                row.removed_at, row.held_at = at, None
            search.forget(session, [row.id for row in found])
            session.flush()
            session.expunge_all()
            self.removed += len(found)

    def _is_good(self, offer: Offer | Unfit) -> bool:
        fault = _fault_of(offer)
        if not fault and offer.id in self.seen:
            fault = "it is listed twice; the first stands"
        if not fault:
            self.seen.add(offer.id)
            return True
        self.refused_count += 1
        said = f"{getattr(offer, 'id', '?')}: {fault}"[:500]
        if len(self.refused) < MOST_TOLD:
            self.refused.append(said)
        log.warning("offer_refused", merchant=self.key, detail=said)
        return False


def _fault_of(given: Offer | Unfit) -> str:
    """Why an offer cannot be shown; "" when it can."""
    if isinstance(given, Unfit):
        return given.why
    try:
        offer = checked(given)
        check_sum(offer.net_cents, offer.vat_rate_bp, offer.vat_cents, offer.gross_cents)
    except (ContractBroken, SumMismatch) as error:
        return str(error)
    if asked := next(filter(asks_for_address, offer.inputs), None):
        return f"it asks where to ship something ({asked.name}): only what is delivered online is sold here"
    # Matched by us against what is typed: whoever writes one could keep the whole portal busy with it.
    if slow := next(filter(None, (patterns.fault(each.pattern, each.maximum) for each in offer.inputs)), ""):
        return f"it asks for something by a pattern: {slow}"
    if not NAME.fullmatch(offer.id) or not NAME.fullmatch(offer.category):
        return "an offer's id and category are made of letters, digits, dots, dashes and underscores"
    if not (offer.title.get("fr") and offer.summary.get("fr")):
        return "its title and summary must be given in French at least"
    if (
        max(map(len, [offer.keywords, *offer.title.values(), *offer.summary.values(), *offer.delay.values()]))
        > LONGEST_TEXT
    ):
        return f"a text of more than {LONGEST_TEXT} signs"
    if not 0 <= offer.units <= MOST_UNITS or (offer.units and offer.delivery != "licence"):
        return f"what holds units is delivered as a licence, and holds {MOST_UNITS} at most"
    return term_fault(offer)
