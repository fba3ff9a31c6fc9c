"""Steps 3 and 4 of a purchase: the merchant fulfils under a key minted once, and what it delivers is kept.

When the merchant is silent the outcome is unknown and is looked up by that key; it is never ordered
again unless the merchant promises that the key makes a repeat harmless.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from connectors import documents
from connectors.contract import (
    AuthFailed,
    ConnectorError,
    ContractBroken,
    Document,
    Done,
    NotDone,
    NotFound,
    Outcome,
    Pending,
    Rejected,
    Unavailable,
    Unknown,
)
from connectors.intangible import told
from connectors.merchants.registry import LoadedMerchant
from portal import clock, logs, outbox
from portal.billing import charges
from portal.catalog.merchants import checked
from portal.checkout import companies, orders, outcomes, packs, terms
from portal.checkout.new_price import new_price
from portal.checkout.orders import DeliveryRow, Order
from portal.checkout.steps import Ended, Means, Wait, doubt, fail
from portal.checkout.storage import Stored
from portal.outbox import Lease, LeaseLost
from portal.refusals import Reason, Refused

log = logs.get(__name__)

UNKNOWN_DEADLINE = timedelta(hours=1)
"""How long, counted from the moment the merchant was asked, before an unknown outcome is a dispute; once it prepares, its manifest says."""
CAUSES = {"": "merchant_unclear", "physical": "merchant_ships", "other_subject": "merchant_other_subject"}
DISK_DEADLINE = timedelta(hours=72)
"""What our own disk has no room for is in no doubt: an administrator has time to make some."""

Answer = TypeVar("Answer")


def fulfil(means: Means, number: str, lease: Lease) -> Wait | Ended | None:
    """Step 3: order from the merchant, or find out what became of an order already sent."""
    merchant = merchant_of(means, number)
    if merchant is None:
        return Wait("the merchant is not configured any more", 60)
    with means.database.transaction() as session:
        outbox.renew(session, lease)
        order = orders.by_number(session, number)
        first = order.sent_at is None
        if first:
            # Stored before the first byte leaves: whoever resumes knows that a look-up comes first.
            order.sent_at = clock.now()
            orders.note(session, order, "sending", {"key": order.key})
        quote = order.quote.as_contract()
    if order.outcome:
        return deliver(means, order, merchant, lease)
    found: Outcome | NotFound = NotFound()
    if not first:
        found = _answer(lambda: merchant.connector.lookup_sent(quote, order.key))
    if isinstance(found, NotFound):
        if not first and not _is_harmless(merchant, order):
            found = Unknown("the merchant does not know the key, and a repeat could order twice")
        else:
            if not first:
                # Looking up takes time: whoever lost the task meanwhile must not send.
                _renew(means, lease)
            found = _answer(
                lambda: merchant.connector.fulfil(quote, order.key, order.number, order.gross_cents), first=first
            )
    return _record(means, order, merchant, lease, found)


def collect(means: Means, number: str, lease: Lease) -> Wait | Ended | None:
    """An order the merchant is preparing: ask where it stands."""
    merchant = merchant_of(means, number)
    if merchant is None:
        return Wait("the merchant is not configured any more", 60)
    with means.database.transaction() as session:
        outbox.renew(session, lease)
        order = orders.by_number(session, number)
    if order.outcome:
        return deliver(means, order, merchant, lease)
    outcome = _answer(lambda: merchant.connector.status(order.merchant_ref))
    return _record(means, order, merchant, lease, outcome)


def deliver(means: Means, order: Order, merchant: LoadedMerchant, lease: Lease) -> Wait | Ended | None:
    """Step 4: fetch the content, check it, store it with its hash; the charge may then be captured."""
    delivery = outcomes.from_json(order.outcome or {}).delivery
    stored: Stored | None = None
    is_once = isinstance(delivery, Document) and delivery.once
    if isinstance(delivery, Document):
        under = _name_of_one(order, delivery) if is_once else ""
        try:
            stored = means.storage.keep(delivery, lambda into: merchant.connector.fetch(delivery, into), under)
        except ConnectorError as error:
            # What comes once and is not there any more will not come tomorrow.
            is_lost = is_once and isinstance(error, ContractBroken)
            deadline = timedelta(0) if is_lost else deadline_of(order, merchant)
            return _undelivered(means, order.number, lease, f"{type(error).__name__}: {error}", deadline)
        except OSError as error:
            log.error("delivery_not_stored", order=order.number, detail=str(error))
            return _undelivered(means, order.number, lease, f"{type(error).__name__}: {error}", DISK_DEADLINE)
        except Exception as error:
            # Whatever else a connector raises: tried again without an end, it would never be anybody's to decide.
            log.exception("connector_raised", order=order.number)
            deadline = deadline_of(order, merchant)
            return _undelivered(means, order.number, lease, f"{type(error).__name__}: {error}", deadline)
    try:
        with means.database.transaction() as session:
            _delivered(session, orders.by_number(session, order.number), stored, lease)
    except (LeaseLost, SQLAlchemyError) as error:
        # A connection lost in the commit itself, which is no statement, may have committed.
        lost = getattr(error, "connection_invalidated", False) and getattr(error, "statement", None) is None
        if stored and not lost and not is_once:
            means.storage.drop(stored)
        raise
    return Ended()


def _delivered(session: Session, order: Order, stored: Stored | None, lease: Lease) -> None:
    """The order has what was bought: it is wanted on the invoice, and nothing is left to do for it."""
    outbox.finish(session, lease)
    row = _delivery_row(order, stored)
    session.add(row)
    order.ends_at = terms.final_end(order, outcomes.from_json(order.outcome or {}).delivery)
    orders.move(session, order, "delivered", {"sha256": row.sha256, "active": row.content.get("active", [])})
    packs.use(session, order.number)
    if order.units:
        licence = outcomes.licence_of(order.outcome or {})
        packs.open_pack(session, order, licence.key, terms.end_of(licence))
    charges.want_capture(session, order.number)
    log.info("order_delivered", order=order.number, kind=row.kind)


def _is_harmless(merchant: LoadedMerchant, order: Order) -> bool:
    """Whether the merchant promises that a repeat makes one order at most; a read only when it takes neither money nor units."""
    promise = merchant.manifest.capabilities.idempotent
    return promise in {"key", "client_reference"} or (promise == "read" and order.gross_cents == order.quote.units == 0)


def _renew(means: Means, lease: Lease) -> None:
    with means.database.transaction() as session:
        outbox.renew(session, lease)


def merchant_of(means: Means, number: str) -> LoadedMerchant | None:
    """Whom an order goes to; None when this site has him no more."""
    with means.database.reading() as session:
        key = orders.by_number(session, number).merchant
    try:
        return means.merchants.merchant(key)
    except Refused:
        log.error("merchant_gone", order=number, merchant=key)
        return None


def _answer(ask: Callable[[], Answer], *, first: bool = False) -> Answer | NotDone | Unknown:
    try:
        answer = checked(ask())
        if isinstance(answer, Done):
            outcomes.require_usable(answer)
        shipped = told(answer) if isinstance(answer, Done | Pending) else None
        return shipped if isinstance(shipped, Unknown) else answer
    except Unavailable as error:
        if first:
            return NotDone("merchant_unavailable")
        return Unknown(f"unavailable: {error}", error.retry_after_s)
    except Rejected as error:
        return NotDone("rejected", error.words)
    except AuthFailed as error:
        return Unknown(f"the merchant refused our credentials: {error}", 60)
    except ConnectorError as error:
        log.warning("merchant_in_doubt", error=type(error).__name__, detail=error.detail)
        return Unknown(f"{type(error).__name__}: {error}")
    except Exception as error:
        # Whatever else a connector raises after a request may have left is a doubt, never a "no".
        log.exception("connector_raised")
        return Unknown(f"{type(error).__name__}: {error}")


def _record(
    means: Means, order: Order, merchant: LoadedMerchant, lease: Lease, outcome: Outcome | NotFound
) -> Wait | Ended | None:
    with means.database.transaction() as session:
        outbox.renew(session, lease)
        order = orders.by_number(session, order.number)
        if isinstance(outcome, Done):
            order.merchant_ref = outcome.order_ref or order.merchant_ref
            outcome = companies.same(outcome, order.inputs, order.offer.fields, order.seller["siren"])
        evidence = outcomes.evidence_of(outcome)
        if isinstance(outcome, Done):
            if outcome.charged_cents != order.gross_cents:
                doubt(session, order, "merchant_other_price", evidence)
                return None
            if order.units and not packs.is_as_sold(session, order, outcome):
                doubt(session, order, "merchant_other_pack", evidence)
                return None
            if terms.dispute_end(session, order, outcome.delivery, evidence):
                return None
            order.outcome = outcomes.to_json(outcome)
            orders.note(session, order, "fulfilled", evidence)
            if not isinstance(outcome.delivery, Document):
                # Nothing has to be fetched: outcome and delivery are one commit.
                _delivered(session, order, None, lease)
                return Ended()
        elif isinstance(outcome, Pending):
            return _prepare(session, order, outcome, deadline_of(order, merchant))
        elif isinstance(outcome, NotDone):
            _refuse(session, order, outcome)
            return None
        else:
            return _undecided(session, order, outcome, deadline_of(order, merchant))
    return deliver(means, order, merchant, lease)


def _prepare(session: Session, order: Order, outcome: Pending, deadline: timedelta) -> Wait | None:
    order.merchant_ref, order.stage = outcome.order_ref, dict(outcome.stage)
    order.percent = None if outcome.percent is None else max(0, min(outcome.percent, 100))
    if order.state == "fulfilling":
        orders.move(session, order, "prepared", outcomes.evidence_of(outcome))
    elif is_late(order, deadline):
        doubt(session, order, "merchant_late", outcomes.evidence_of(outcome))
        return None
    return Wait("the merchant is preparing it", max(1, min(outcome.after_s, 3600)))


def _refuse(session: Session, order: Order, outcome: NotDone) -> None:
    reason = Reason("merchant_words", {"words": dict(outcome.words)}) if outcome.words else Reason("merchant_refused")
    if outcome.code == "merchant_unavailable":
        reason = Reason("merchant_unavailable", {"merchant": order.seller["name"]})
    if outcome.new_quote:
        reason = Reason("price_changed")
        order.next_token = new_price(session, order, outcome.new_quote)
    fail(session, order, reason, outcomes.evidence_of(outcome))


def _undecided(session: Session, order: Order, outcome: Unknown | NotFound, deadline: timedelta) -> Wait | None:
    detail = outcome.detail if isinstance(outcome, Unknown) else "the merchant does not know this order"
    if isinstance(outcome, Unknown) and outcome.needs_admin:
        doubt(session, order, CAUSES[outcome.cause], {"detail": detail[:500]})
        return None
    if is_late(order, deadline):
        doubt(session, order, "merchant_silent", {"detail": detail[:500]})
        return None
    orders.note(session, order, "unanswered", {"detail": detail[:500]})
    return Wait(detail, outcome.retry_after_s if isinstance(outcome, Unknown) else None)


def _undelivered(means: Means, number: str, lease: Lease, detail: str, deadline: timedelta) -> Wait | None:
    with means.database.transaction() as session:
        outbox.renew(session, lease)
        order = orders.by_number(session, number)
        if is_late(order, deadline):
            doubt(session, order, "content_missing", {"detail": detail[:500]})
            return None
        orders.note(session, order, "not_fetched", {"detail": detail[:500]})
    return Wait(detail)


def _name_of_one(order: Order, document: Document) -> str:
    """Where a document that comes once is kept: whoever goes on after a crash finds it there, and nobody guesses it."""
    return hashlib.sha256(f"{order.key} {document.url}".encode()).hexdigest()[:32]


def deadline_of(order: Order, merchant: LoadedMerchant) -> timedelta:
    """How long after it was sent an order may be without an answer."""
    return timedelta(days=merchant.manifest.capabilities.days) if order.state == "preparing" else UNKNOWN_DEADLINE


def is_late(order: Order, deadline: timedelta) -> bool:
    """Whether an order has been under way for longer."""
    return clock.now() - (order.sent_at or order.created_at) > deadline


def _delivery_row(order: Order, stored: Stored | None) -> DeliveryRow:
    content = dict((order.outcome or {})["delivery"])
    if stored and stored.active:
        content["active"] = list(stored.active)
    return DeliveryRow(
        order_id=order.id, kind=content["kind"], media_type=content.get("media_type", ""),
        filename=documents.safe_name(content["filename"], content["media_type"]) if stored else "", storage_name=stored.name if stored else "",
        size=stored.size if stored else 0, sha256=stored.sha256 if stored else "", content=content,
        delivered_at=clock.now(),
    )  # fmt: skip
