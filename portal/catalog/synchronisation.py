"""Bring the catalogue up to what the merchants sell now.

When a merchant is down, its offers stay as last listed: a purchase asks for a quote anyway.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import select

from connectors.contract import ConnectorError, ContractBroken, Offer
from connectors.merchants.registry import LoadedMerchant
from portal import clock, logs
from portal.catalog.merchants import Merchants, asking, checked
from portal.catalog.offers import OfferRow, store
from portal.database import Database, one_at_a_time
from portal.money import SumMismatch, check_sum

log = logs.get(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Synchronised:
    """What one merchant's synchronisation did.

    `refused` has one sentence for each offer that cannot be shown; `problem` is set when nothing could be read.
    """

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
        with asking(key):
            listed = list(merchant.connector.list_offers())
    except ConnectorError as error:
        log.warning("catalogue_not_read", merchant=key, detail=str(error))
        return Synchronised(key, problem=str(error))
    faults = {index: _fault_of(offer) for index, offer in enumerate(listed)}
    good = {offer.id: offer for index, offer in enumerate(listed) if not faults[index]}
    refused = tuple(f"{getattr(listed[index], 'id', index)}: {fault}" for index, fault in faults.items() if fault)
    for what in refused:
        log.warning("offer_refused", merchant=key, detail=what)
    at = clock.now()
    with database.transaction() as session:
        one_at_a_time(session.connection(), f"catalogue of {key}")
        rows = {row.offer: row for row in session.scalars(select(OfferRow).where(OfferRow.merchant == key))}
        manifest = merchant.manifest
        for index, offer in enumerate(good.values()):
            place = position * 1000 + index
            session.add(
                store(rows.pop(offer.id, None), key, manifest.merchant.name, manifest.sandbox, offer, place, at)
            )
        gone = [row for row in rows.values() if row.removed_at is None]
        for row in gone:
            row.removed_at = at
    log.info("catalogue_read", merchant=key, listed=len(good), removed=len(gone), refused=len(refused))
    return Synchronised(key, len(good), len(gone), refused)


def _fault_of(given: Offer) -> str:
    """Why an offer cannot be shown; "" when it can."""
    try:
        offer = checked(given)
        check_sum(offer.net_cents, offer.vat_rate_bp, offer.vat_cents, offer.gross_cents)
    except (ContractBroken, SumMismatch) as error:
        return str(error)
    if not NAME.fullmatch(offer.id) or not NAME.fullmatch(offer.category):
        return "an offer's id and category are made of letters, digits, dots, dashes and underscores"
    if not (offer.title.get("fr") and offer.summary.get("fr")):
        return "its title and summary must be given in French at least"
    return ""
