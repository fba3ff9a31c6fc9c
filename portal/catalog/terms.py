"""The terms of sale of each merchant: their address and version as its manifest says, and what the page was when it was last read.

The page is read with the list of offers, never during a purchase, and only where the manifest lets its connector go.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.contract import ConnectorError
from connectors.merchants.registry import LoadedMerchant
from portal import audit, clock, logs
from portal.audit import AuditEntry
from portal.catalog import site
from portal.catalog.site import MerchantRow
from portal.catalog.visible import words_of
from portal.database import Database, one_at_a_time

log = logs.get(__name__)

ACTOR = "catalogue"
FIRST, CHANGED = "terms_first_read", "terms_changed"
AGAIN = timedelta(days=1)


@dataclass(frozen=True)
class Page:
    """SHA-256, in hexadecimal, of a page as it came and of its words: a page that has a token in it is another each time."""

    sha256: str
    words_sha256: str


def of(session: Session, key: str, merchant: LoadedMerchant) -> dict[str, str]:
    """What is shown before a purchase and kept with it: `terms_url`, `terms_version`, and `terms_sha256` if it was read."""
    seller, row = merchant.manifest.merchant, session.get(MerchantRow, key)
    is_read = row is not None and row.terms_url == seller.terms_url
    return {
        "terms_url": seller.terms_url, "terms_version": seller.terms_version,
        "terms_sha256": row.terms_sha256 if row is not None and is_read else "",
    }  # fmt: skip


def note(database: Database, key: str, merchant: LoadedMerchant) -> None:
    """Read the page, keep what the terms are now, and tell the journal when what they say has changed.

    A page whose words differ at each reading, such as one that is dated, is told of once a day. Whatever was not told
    then is held against what was told last, so that no change is lost for having come too soon.
    """
    page, seller = _read(key, merchant), merchant.manifest.merchant
    with database.reading() as session:
        told = _told(session, key)
    with database.transaction() as session:
        one_at_a_time(session.connection(), f"terms of {key}")
        row = site.row_of(session, key)
        row.identity = merchant.manifest.id
        before = {"url": row.terms_url, "version": row.terms_version, "sha256": row.terms_sha256}
        # A page that could not be read says nothing new of an address that is still the same.
        is_unread = page is None and row.terms_url == seller.terms_url
        kept = row.terms_sha256 if is_unread else page.sha256 if page else ""
        row.terms_url, row.terms_version, row.terms_sha256 = seller.terms_url, seller.terms_version, kept
        if page and page.sha256:
            row.terms_read_at = clock.now()
        words = page.words_sha256 if page else _words_told(told) if is_unread else ""
        after = {"url": seller.terms_url, "version": seller.terms_version, "sha256": kept, "words_sha256": words}
        if _news(told, before, after):
            # Searched again within the transaction only now, since the journal is long: another may have told it meanwhile.
            news = _news(_told(session, key), before, after)
            if news:
                audit.record(session, ACTOR, news.action, key, before=news.before, after=after)


@dataclass(frozen=True)
class News:
    """What the journal has yet to tell, and what it had told before."""

    action: str
    before: dict[str, str] | None


def _news(told: AuditEntry | None, row: dict[str, str], now: dict[str, str]) -> News | None:
    """What is to be told of terms that are `now` so; `row` is how they stood, for a merchant of whom nothing was told yet."""
    if told is None:
        is_same = not row["url"] or row.items() <= now.items()
        return News(FIRST, None) if is_same else News(CHANGED, row)
    last = told.after or {}
    if any(last.get(name) != now[name] for name in ("url", "version")):
        return News(CHANGED, last)
    # Those that were told of before their words were compared are held against by their bytes, once more.
    name = "words_sha256" if "words_sha256" in last else "sha256"
    if last.get(name) == now[name]:
        return None
    if not last.get(name):
        return News(FIRST, None)
    is_said_today = told.action == CHANGED and told.at > clock.now() - AGAIN
    return None if is_said_today else News(CHANGED, last)


def _told(session: Session, key: str) -> AuditEntry | None:
    """What the journal has told last of a merchant's terms."""
    ours = (AuditEntry.subject == key, AuditEntry.action.in_([FIRST, CHANGED]))
    return session.scalar(select(AuditEntry).where(*ours).order_by(AuditEntry.id.desc()).limit(1))


def _words_told(told: AuditEntry | None) -> str:
    return str((told.after or {}).get("words_sha256", "")) if told else ""


def _read(key: str, merchant: LoadedMerchant) -> Page | None:
    """The page as it is now; without hashes where the connector may not go, None when it cannot be read."""
    url, http = merchant.manifest.merchant.terms_url, merchant.connector.context.http
    if urlsplit(url).netloc.lower().removesuffix(":443") not in http.hosts:
        return Page("", "")
    try:
        answer = http.request("GET", url)
    except ConnectorError as error:
        log.warning("terms_not_read", merchant=key, detail=error.detail)
        return None
    if answer.status != 200:
        log.warning("terms_not_read", merchant=key, detail=answer.summary)
        return None
    # What has no words of its own, such as a PDF, says the same as long as its bytes are the same.
    words = words_of(answer.body, answer.headers.get("content-type", "")).encode() or answer.body
    return Page(hashlib.sha256(answer.body).hexdigest(), hashlib.sha256(words).hexdigest())
