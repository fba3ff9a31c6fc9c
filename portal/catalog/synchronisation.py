"""Bring the catalogue up to what the merchants sell now.

When a merchant is down, its offers stay as last listed: a purchase asks for a quote anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from connectors.contract import ConnectorError, Offer
from connectors.merchants.registry import LoadedMerchant
from portal import clock, logs
from portal.catalog.merchants import Merchants
from portal.catalog.offers import OfferRow, store
from portal.database import Database
from portal.money import SumMismatch, check_sum

log = logs.get(__name__)


@dataclass(frozen=True)
class Synchronised:
    """What one merchant's synchronisation did; `problem` is set when nothing could be read."""

    merchant: str
    listed: int = 0
    removed: int = 0
    refused: tuple[str, ...] = ()
    problem: str = ""


def synchronise(database: Database, merchants: Merchants, only: str = "") -> list[Synchronised]:
    """Read every merchant's offers, or one merchant's, and store them."""
    return [
        _synchronise_one(database, key, merchant, position)
        for position, (key, merchant) in enumerate(merchants.loaded.items())
        if only in {"", key}
    ]


def _synchronise_one(database: Database, key: str, merchant: LoadedMerchant, position: int) -> Synchronised:
    try:
        listed = list(merchant.connector.list_offers())
    except ConnectorError as error:
        log.warning("catalogue_not_read", merchant=key, detail=str(error))
        return Synchronised(key, problem=str(error))
    good = [offer for offer in listed if _adds_up(key, offer)]
    at = clock.now()
    with database.transaction() as session:
        rows = {row.offer: row for row in session.scalars(select(OfferRow).where(OfferRow.merchant == key))}
        manifest = merchant.manifest
        for index, offer in enumerate(good):
            place = position * 1000 + index
            session.add(
                store(rows.pop(offer.id, None), key, manifest.merchant.name, manifest.sandbox, offer, place, at)
            )
        gone = [row for row in rows.values() if row.removed_at is None]
        for row in gone:
            row.removed_at = at
    refused = tuple(offer.id for offer in listed if offer not in good)
    log.info("catalogue_read", merchant=key, listed=len(good), removed=len(gone), refused=len(refused))
    return Synchronised(key, len(good), len(gone), refused)


def _adds_up(merchant: str, offer: Offer) -> bool:
    try:
        check_sum(offer.net_cents, offer.vat_rate_bp, offer.vat_cents, offer.gross_cents)
    except SumMismatch as error:
        log.warning("offer_refused", merchant=merchant, offer=offer.id, detail=str(error))
        return False
    return True
