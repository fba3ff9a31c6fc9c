"""The second click: one confirmation token makes at most one order (invariant 1).

Rights are decided here on groups the directory has just given, and every ceiling is held in the same
transaction that stores the order, its charge and their keys.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from connectors.merchants.registry import LoadedMerchant
from portal import audit, clock, logs, outbox
from portal.billing import charges
from portal.billing.charges import Billable
from portal.catalog import consent, site
from portal.checkout import orders, packs, requests, running, terms, uploads
from portal.checkout.orders import Order
from portal.checkout.quotes import QuoteRow
from portal.database import Database
from portal.directory.accounts import Account
from portal.languages import in_language
from portal.outbox import Lease
from portal.refusals import Refused
from portal.rights import ceilings, holds
from portal.rights.decision import Decision, Employee, explain

log = logs.get(__name__)


@dataclass(frozen=True)
class Accepted:
    """The order of a token. `lease` is set for whoever made it, and must carry it on."""

    number: str
    lease: Lease | None


def accept(
    database: Database, quote: QuoteRow, account: Account, merchant: LoadedMerchant, zone: ZoneInfo, owner: str
) -> Accepted:
    """Step 1 of a purchase, in one transaction: holds, order `accepted`, charge `new`, keys minted.

    Args:
        account: with its groups as the directory gave them for this very confirmation.
        owner: who will carry the order on; its lease begins now.

    Raises:
        Refused: `merchant_paused`, `quote_expired`, `merchant_on_hold`, `offer_on_hold`, `bought_meanwhile`, `no_rule`,
            `denied_by_rule`, `over_ceiling` or `pack_used_up`; nothing is changed.
        SQLAlchemyError: the database cannot be used. Whether there is an order, only its token can tell later.
    """
    number = orders.new_number()
    try:
        return _accept(database, quote, account, merchant, zone, owner, number)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        log.warning("confirmation_in_doubt", order=number)
        # The commit's answer may be lost. The lock on the quote waits for whatever still commits, then the token tells.
        return _accept(database, quote, account, merchant, zone, owner, number)


def _accept(
    database: Database, quote: QuoteRow, account: Account, merchant: LoadedMerchant, zone: ZoneInfo, owner: str,
    number: str,
) -> Accepted:  # fmt: skip
    with database.transaction() as session:
        # Clicks on one token go one by one, or the second would meet the room that the first has just taken.
        session.execute(select(QuoteRow.id).where(QuoteRow.token == quote.token).with_for_update(key_share=True))
        existing = orders.find_by_token(session, quote.token, account.id)
        if existing:
            # Under this very number it was made by the attempt before, and nobody else carries it on.
            made_here = existing.number == number
            return Accepted(existing.number, outbox.regain(session, "purchase", number, owner) if made_here else None)
        site.require_on_sale(session, quote.offer.merchant, quote.offer.merchant_name)
        if quote.is_expired:
            raise Refused("quote_expired")
        consent.require(session, merchant, quote.offer)
        if quote.term:
            running.require_seen(session, quote)
        employee = Employee(account.id, account.group_keys)
        decision = explain(session, employee, quote.offer.wanted, zone, quote.price)
        allowance = requests.allowance(session, quote, decision) if decision.full else None
        if not decision.allowed and not allowance:
            raise Refused(decision.reason.code, **decision.reason.facts)
        order = _store(session, quote, account, merchant, decision, number, zone)
        if allowance:
            requests.use(session, allowance, order.number)
            order.granted_by = {**order.granted_by, "request": allowance.number}
        applying = ceilings.applying(session, employee.group_keys, quote.offer.wanted)
        excused = frozenset(allowance.ceilings if allowance else [])
        holds.hold(session, applying, account.id, order.number, quote.price, zone, excused)
        if quote.pack_id is not None:
            packs.hold(session, quote.pack_id, order.number, quote.units)
        charges.open_charge(session, _billable(order, quote))
        audit.record(
            session, f"account {account.id}", "order_accepted", order.number,
            after={"gross_cents": order.gross_cents, "offer": quote.offer.slug, **order.granted_by},
        )  # fmt: skip
        lease = outbox.enqueue(session, "purchase", order.number, leased_to=owner)
    log.info("order_accepted", order=order.number, account=account.id, offer=quote.offer.slug, cents=order.gross_cents)
    return Accepted(order.number, lease)


def _store(
    session: Session, quote: QuoteRow, account: Account, merchant: LoadedMerchant, decision: Decision, number: str,
    zone: ZoneInfo,
) -> Order:  # fmt: skip
    seller, at = merchant.manifest.merchant, clock.now()
    order = Order(
        number=number, token=quote.token, account_id=account.id, offer_id=quote.offer_id,
        state="accepted", key=str(uuid.uuid4()), title=quote.offer.title, subject=quote.subject,
        inputs=quote.inputs, merchant=quote.offer.merchant,
        seller={"name": seller.name, "siren": seller.siren, "vat": seller.vat, "terms_url": seller.terms_url,
                "support": seller.support, **quote.terms},
        net_cents=quote.net_cents, vat_rate_bp=quote.vat_rate_bp, vat_cents=quote.vat_cents,
        gross_cents=quote.gross_cents, currency=quote.currency, units=quote.pack_units, cost_centre=account.cost_centre,
        granted_by={"rules": [rule.as_dict() for rule in decision.rules]}, merchant_ref="", stage={},
        next_token="", created_at=at, **terms.agreed(quote, at, zone),
    )  # fmt: skip
    session.add(order)
    session.flush()
    orders.note(session, order, "accepted", {
        "groups_read_at": account.groups_read_at.isoformat(), "files": uploads.given_for(session, order.inputs),
    })  # fmt: skip
    return order


def _billable(order: Order, quote: QuoteRow) -> Billable:
    return Billable(
        order_number=order.number, amount_cents=order.gross_cents, vat_cents=order.vat_cents, currency=order.currency,
        description=f"{in_language(order.title, 'fr')} - {order.number}"[:200],
        merchant_name=order.seller["name"], merchant_key=order.merchant, category=quote.offer.category,
        product=quote.offer.offer, cost_centre=order.cost_centre,
    )  # fmt: skip
