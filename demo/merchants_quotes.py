"""What the demonstration's merchants list, and the prices they bind themselves to."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from demo.sales import Sale, price
from demo.shops import SHOPS, Refusal, Shop

if TYPE_CHECKING:
    from demo.merchants import MerchantsServer

QUOTE_LIFE = timedelta(minutes=15)


def offer_json(shop: Shop, sale: Sale) -> dict[str, Any]:
    """One line of a merchant's catalogue."""

    def words(pair: tuple[str, str]) -> dict[str, str]:
        return {"fr": pair[0], "en": pair[1]}

    return {
        "id": sale.id, "title": words(sale.title), "summary": words(sale.summary), "category": shop.category,
        "delivery": sale.delivery, "delay": words(sale.delay), "keywords": sale.keywords, "price": price(sale),
        "pricing": sale.pricing, "term": sale.term, "units": sale.units, "packs": list(sale.packs),
    }  # fmt: skip


def make_quote(
    server: MerchantsServer, name: str, sale: Sale, inputs: dict[str, str], percent: int = 100, licence: str = ""
) -> dict[str, Any]:
    """A price that binds, kept in the book. Raises `Refusal` for inputs, or a pack, that the merchant does not take."""
    if licence and not (sale.packs and server.book.left(licence) > 0):
        raise Refusal(
            "pack_empty",
            "",
            "Ce pack est épuisé, ou n'est pas de chez nous.",
            "This pack is used up, or not one of ours.",
        )
    percent = 0 if licence else percent
    subject = SHOPS[name].subject(sale, inputs)
    made = {
        "quote": f"Q-{secrets.token_hex(8)}", "subject": subject, "price": price(sale, percent),
        "expires_at": (server.now() + QUOTE_LIFE).isoformat(),
    }  # fmt: skip
    made["lines"] = [{"description": sale.title[0], **{key: made["price"][key] for key in ("net", "vat_rate", "vat")}}]
    if licence:
        made["units"] = 1
    if server.fault(name) == "wrong_sum":
        made["price"]["vat"] = "9.99"
    with server.book.lock:
        server.book.quotes[made["quote"]] = {
            "sale": sale,
            "inputs": dict(inputs),
            "percent": percent,
            "subject": subject,
            "licence": licence,
        }
    return made
