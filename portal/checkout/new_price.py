"""A merchant that names another price when it is asked to fulfil: the employee is asked again, for that price."""

from __future__ import annotations

from sqlalchemy.orm import Session

from connectors.contract import ContractBroken, Physical, Quote
from portal import logs
from portal.checkout import companies
from portal.checkout.orders import Order
from portal.checkout.quotes import check_quote, keep_quote, require_pack

log = logs.get(__name__)


def new_price(session: Session, order: Order, quoted: Quote) -> str:
    """Keep the new price of an order that fails for it; its confirmation token, "" for a price that cannot be used."""
    try:
        check_quote(quoted)
        require_pack(quoted, order.quote.pack_id)
        companies.require_same(order.inputs, order.offer.fields, quoted.subject, order.seller["siren"])
    except (ContractBroken, Physical) as error:
        log.error("quote_refused", merchant=order.merchant, detail=str(error))
        return ""
    kept = keep_quote(
        session, order.account_id, order.offer_id, order.inputs, quoted, order.quote.pack_id, order.quote.terms
    )
    return kept.token
