"""Files that nobody needs any more are erased: their order has ended, or nothing was bought while the price was good."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from sqlalchemy import and_, delete, exists, or_, select
from sqlalchemy.orm import Session

from portal import clock, logs
from portal.checkout.orders import OPEN_STATES, Order
from portal.checkout.quotes import QuoteRow
from portal.checkout.requests import PurchaseRequest
from portal.checkout.uploads import KeptUploads, UploadRow, UploadUse
from portal.database import Database

log = logs.get(__name__)

LOOK_S = 300
"""How often a worker looks."""
UNBOUGHT = timedelta(hours=1)
"""How long after a price has ended its file stays, for who comes back to confirm it again."""
RESTING = timedelta(minutes=10)
"""How long after it was last given a file stays that was sent with an order: the same may just be given for another."""
MOST = 500


def sweep(database: Database, uploads: KeptUploads) -> None:
    """Erase what is not needed. Safe to repeat, and in several processes."""
    with database.transaction() as session:
        _forget(session)
    # The rows first: whatever ends this here is found again below, as files that nobody knows.
    _remove_unknown(database, uploads)


def _forget(session: Session) -> None:
    now = clock.now()
    used = (
        select(UploadUse.upload_id).join(QuoteRow, QuoteRow.id == UploadUse.quote_id)
        .join(Order, Order.token == QuoteRow.token, isouter=True).where(UploadUse.upload_id == UploadRow.id)
    )  # fmt: skip
    waits = and_(Order.id.is_(None), QuoteRow.expires_at > now - UNBOUGHT)
    needed = exists(used.where(or_(waits, Order.state.in_([*OPEN_STATES, "disputed"]))))
    bought = exists(used.where(Order.id.is_not(None)))
    resting = or_(UploadRow.used_at > now - RESTING, and_(~bought, UploadRow.used_at > now - UNBOUGHT))
    found = session.execute(
        select(UploadRow, bought.label("bought")).where(UploadRow.storage_name != "", ~needed, ~resting)
        .order_by(UploadRow.id).limit(MOST).with_for_update(of=UploadRow, skip_locked=True)
    ).all()  # fmt: skip
    asked_for = _asked_for(session) if found else set()
    erased = 0
    for row, was_bought in found:
        if row.reference in asked_for:
            continue
        erased += 1
        if was_bought:
            row.storage_name, row.erased_at = "", now
        else:
            # Nothing came of it: not even its name is kept.
            session.execute(delete(UploadUse).where(UploadUse.upload_id == row.id))
            session.delete(row)
    if erased:
        log.info("files_erased", files=erased)


def _asked_for(session: Session) -> set[str]:
    """What requests to pass a ceiling refer to while somebody may still allow or use them."""
    inputs = session.scalars(select(PurchaseRequest.inputs).where(
        PurchaseRequest.state.in_(("waiting", "allowed")), PurchaseRequest.expires_at > clock.now()
    ))  # fmt: skip
    return {value for each in inputs for value in each.values()}


def _remove_unknown(database: Database, uploads: KeptUploads) -> None:
    there = list(uploads.folder.iterdir()) if uploads.folder.is_dir() else []
    if not there:
        return
    with database.reading() as session:
        known = set(session.scalars(select(UploadRow.storage_name).where(UploadRow.storage_name != "")))
    for path in there:
        with contextlib.suppress(FileNotFoundError):
            # One that has just arrived has no row yet, and one that is arriving has no name.
            is_young = clock.now().timestamp() - path.stat().st_mtime < RESTING.total_seconds()
            if path.name not in known and not is_young:
                path.unlink()
