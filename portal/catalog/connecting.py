"""Connecting a merchant to this site: it is asked first, and only what works is saved."""

from __future__ import annotations

import dataclasses
import hashlib
import re

from sqlalchemy.orm import Session

from connectors.contract import ConnectorError, Problem, Words
from connectors.manifest import Manifest
from connectors.merchants.answers import problem
from connectors.merchants.registry import PROTOCOLS, ConnectorBroken, LoadedMerchant
from portal import audit, breakers, clock, logs
from portal.catalog import consent, runs, site
from portal.catalog.following import Draft, SiteMerchants
from portal.catalog.merchants import asking, checked
from portal.catalog.offers import merchant_names
from portal.catalog.site import MerchantRow
from portal.database import Database
from portal.outbox import merchant_lane
from portal.refusals import Refused
from portal.sealing import Unreadable
from portal.settings_values import is_interface

log = logs.get(__name__)

KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
RESERVED = {"connect", "changes"}
"""Addresses of screens, which no merchant's may be."""
MASK = "•••"
SHORTEST_SECRET = 4
"""What is shorter is no secret, and would be masked within words."""


def try_out(key: str, merchant: LoadedMerchant) -> list[Problem]:
    """What a merchant's own check finds wrong; buys nothing. What it says never holds one of our secrets."""
    try:
        with asking(key):
            found = [checked(each) for each in merchant.connector.check()]
    except ConnectorError as error:
        found = [problem(error)]
    hidden = [value for value in merchant.connector.context.secrets.values() if len(value) >= SHORTEST_SECRET]
    return [Problem(_masked(each.what, hidden), _masked(each.remedy, hidden)) for each in found]


def connect(database: Database, merchants: SiteMerchants, actor: str, draft: Draft) -> None:
    """Test a new merchant, and let it sell here, in every process; its list is still to be read.

    Args:
        actor: who connects it, as the journal names him; the caller has made sure that he may.

    Raises:
        Refused: `merchant_key`, `merchant_key_taken`, `merchant_key_other`, `merchant_address`, `merchant_manifest` or
            `merchant_wrong` (`problems` say what the test found); nothing was saved.
    """
    if not KEY.fullmatch(draft.key) or draft.key in RESERVED:
        raise Refused("merchant_key", name=draft.key)
    _require_free(database, merchants, draft)
    made = _tested(merchants, draft)
    with database.transaction() as session:
        site.alone(session, draft.key)
        row = site.row_of(session, draft.key)
        _refuse_taken(session, merchants, row, draft, made.manifest)
        row.connected_at, row.connected_by, row.disconnected_at = clock.now(), actor, None
        row.paused_at, row.paused_by = None, ""
        consent.forget(session, draft.key)
        runs.plan(session, draft.key, None)
        _save(session, merchants, row, draft, made)
        audit.record(session, actor, "merchant_connected", draft.key, after=_told(draft, made))
    log.info("merchant_connected", merchant=draft.key, connector=draft.connector)


def change(database: Database, merchants: SiteMerchants, actor: str, draft: Draft) -> None:
    """Test a merchant that was connected here with other credentials, or at another address, and go on with those.

    A secret that is left empty stays as it is, unless the address changes: it was given for the one it is kept for.

    Raises:
        Refused: `choice_gone` (it is not connected here), `merchant_secrets_again`, or what `connect` refuses.
    """
    with database.reading() as session:
        row = _connected(session, draft.key)
    draft = dataclasses.replace(draft, connector=row.connector, secrets=_with_kept(merchants, row, draft))
    made = _tested(merchants, draft)
    if made.manifest.id != row.identity:
        raise Refused("merchant_key_other", name=draft.key, identity=row.identity)
    with database.transaction() as session:
        site.alone(session, draft.key)
        row = _connected(session, draft.key)
        before = {"base_url": row.base_url, "manifest": _digest(row.manifest)}
        told = {"base_url": draft.base_url, "manifest": _digest(draft.manifest)}
        if told != before and draft.key not in consent.merchants_on_hold(session):
            # Whoever types it agrees to it; what waited for a word already still does.
            consent.forget(session, draft.key)
        _save(session, merchants, row, draft, made)
        audit.record(session, actor, "merchant_changed", draft.key, before=before, after={**told, "credentials": MASK})
    log.info("merchant_changed", merchant=draft.key)


def _require_free(database: Database, merchants: SiteMerchants, draft: Draft) -> None:
    """The same as is asked again when it is saved; nobody types a page for nothing."""
    with database.reading() as session:
        row = session.get(MerchantRow, draft.key)
    if draft.key in merchants.configured or (row is not None and row.is_connected_here):
        raise Refused("merchant_key_taken", name=draft.key)


def _refuse_taken(
    session: Session, merchants: SiteMerchants, row: MerchantRow, draft: Draft, manifest: Manifest
) -> None:  # fmt: skip
    if draft.key in merchants.configured or row.is_connected_here:
        raise Refused("merchant_key_taken", name=draft.key)
    # Orders that are still open are looked up there under their key: another merchant would not know them, and sell twice.
    ours, theirs = manifest.id, row.identity
    if not theirs:
        ours, theirs = manifest.merchant.name, merchant_names(session, [draft.key]).get(draft.key, "")
    if theirs and ours != theirs:
        raise Refused("merchant_key_other", name=draft.key, identity=theirs)


def _tested(merchants: SiteMerchants, draft: Draft) -> LoadedMerchant:
    if draft.base_url and not is_interface(draft.base_url):
        raise Refused("merchant_address", address=draft.base_url)
    if draft.connector in PROTOCOLS and not draft.manifest.strip():
        raise Refused("merchant_manifest")
    try:
        made = merchants.prepare(draft)
    except ConnectorBroken as error:
        again = {"fr": "Corrigez-le et recommencez.", "en": "Correct it and try again."}
        raise Refused("merchant_wrong", problems=[Problem(error.words, error.remedy or again)]) from error
    problems = try_out(draft.key, made)
    if problems:
        raise Refused("merchant_wrong", problems=problems)
    return made


def _save(
    session: Session, merchants: SiteMerchants, row: MerchantRow, draft: Draft, made: LoadedMerchant
) -> None:  # fmt: skip
    wanted = {name: draft.secrets.get(name, "") for name in made.manifest.auth.secrets}
    row.connector, row.identity = draft.connector, made.manifest.id
    row.base_url, row.manifest = draft.base_url, draft.manifest
    row.sealed = merchants.sealed(dataclasses.replace(draft, secrets=wanted))
    site.raise_revision(session, row)
    # Whether the one so far was away says nothing of this one.
    breakers.forget(session, merchant_lane(draft.key))


def _with_kept(merchants: SiteMerchants, row: MerchantRow, draft: Draft) -> dict[str, str]:
    typed = {name: value for name, value in draft.secrets.items() if value}
    try:
        kept = merchants.secrets_of(row)
    except Unreadable:
        return typed
    same = (draft.base_url, draft.manifest) == (row.base_url, row.manifest)
    if not same and kept.keys() - typed.keys():
        raise Refused("merchant_secrets_again")
    return {**kept, **typed}


def _connected(session: Session, key: str) -> MerchantRow:
    row = session.get(MerchantRow, key)
    if row is None or not row.is_connected_here:
        raise Refused("choice_gone")
    return row


def _told(draft: Draft, made: LoadedMerchant) -> dict[str, str]:
    """What the journal says of a connection: never a secret."""
    return {
        "connector": draft.connector, "name": made.manifest.merchant.name, "version": made.manifest.version,
        "base_url": draft.base_url, "manifest": _digest(draft.manifest),
    }  # fmt: skip


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" if text else ""


def _masked(words: Words, hidden: list[str]) -> Words:
    found = dict(words)
    for language, text in found.items():
        for value in hidden:
            text = text.replace(value, MASK)
        found[language] = text
    return found
