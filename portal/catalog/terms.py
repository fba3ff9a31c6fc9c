"""The terms of sale of each merchant: their address and version as its manifest says, and what the page was when it was last read.

The page is read with the list of offers, never during a purchase, and only where the manifest lets its connector go.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from connectors.contract import ConnectorError
from connectors.merchants.registry import LoadedMerchant
from portal import audit, clock, logs
from portal.catalog import site
from portal.catalog.site import MerchantRow
from portal.database import Database, one_at_a_time

log = logs.get(__name__)

ACTOR = "catalogue"


def of(session: Session, key: str, merchant: LoadedMerchant) -> dict[str, str]:
    """What is shown before a purchase and kept with it: `terms_url`, `terms_version`, and `terms_sha256` if it was read."""
    seller, row = merchant.manifest.merchant, session.get(MerchantRow, key)
    is_read = row is not None and row.terms_url == seller.terms_url
    return {
        "terms_url": seller.terms_url, "terms_version": seller.terms_version,
        "terms_sha256": row.terms_sha256 if row is not None and is_read else "",
    }  # fmt: skip


def note(database: Database, key: str, merchant: LoadedMerchant) -> None:
    """Read the page, keep what the terms are now, and tell the journal when they have changed."""
    digest, seller = _digest(key, merchant), merchant.manifest.merchant
    with database.transaction() as session:
        one_at_a_time(session.connection(), f"terms of {key}")
        row = site.row_of(session, key)
        row.identity = merchant.manifest.id
        before = {"url": row.terms_url, "version": row.terms_version, "sha256": row.terms_sha256}
        # A page that could not be read says nothing new of an address that is still the same.
        kept = row.terms_sha256 if digest is None and row.terms_url == seller.terms_url else digest or ""
        after = {"url": seller.terms_url, "version": seller.terms_version, "sha256": kept}
        row.terms_url, row.terms_version, row.terms_sha256 = after["url"], after["version"], kept
        if digest:
            row.terms_read_at = clock.now()
        if before["url"] and before != after:
            audit.record(session, ACTOR, "terms_changed", key, before=before, after=after)


def _digest(key: str, merchant: LoadedMerchant) -> str | None:
    """SHA-256 of the page in hexadecimal; "" where the connector may not go, None when it cannot be read now."""
    url, http = merchant.manifest.merchant.terms_url, merchant.connector.context.http
    if urlsplit(url).netloc.lower().removesuffix(":443") not in http.hosts:
        return ""
    try:
        answer = http.request("GET", url)
    except ConnectorError as error:
        log.warning("terms_not_read", merchant=key, detail=error.detail)
        return None
    if answer.status != 200:
        log.warning("terms_not_read", merchant=key, detail=answer.summary)
        return None
    return hashlib.sha256(answer.body).hexdigest()
