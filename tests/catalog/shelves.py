"""Catalogues that are described in a line, read by the portal's own synchronisation."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from connectors.contract import Offer
from connectors.merchants.registry import LoadedMerchant
from portal.catalog.merchants import Merchants
from portal.catalog.synchronisation import Synchronised, synchronise
from portal.database import Database
from portal.directory.answers import Group

EVERYBODY = Group("cn=everybody,dc=acme")


def offer(
    ident: str, french: str = "Une offre", english: str = "An offer", summary: str = "Une offre", **more: Any
) -> Offer:
    """One offer at 12 €, VAT included."""
    title, words = {"fr": french, "en": english}, {"fr": summary}
    category, delivery = more.pop("category", "presse"), more.pop("delivery", "document")
    return Offer(ident, title, words, category, 1000, 2000, 200, 1200, "EUR", delivery, **more)


class Shop:
    """A connector that lists what it is given, or what its function says for a state."""

    def __init__(self, listed: Any) -> None:
        self.listed = listed
        self.asked: list[str] = []

    def list_offers(self, state: str = "") -> Iterable[Any]:
        """Whatever the test decided."""
        self.asked.append(state)
        return self.listed(state) if callable(self.listed) else self.listed


def merchants(**shops: Any) -> Merchants:
    """Merchants by key, each with its list or its `Shop`."""
    made = {key: shop if isinstance(shop, Shop) else Shop(shop) for key, shop in shops.items()}
    return Merchants({key: LoadedMerchant(manifest(), shop) for key, shop in made.items()})  # type: ignore[arg-type]


def manifest(**seller: str) -> Any:
    """Who sells; `seller` says what is different."""
    known = {"name": "Marchand", "siren": "", "vat": "", "country": "FR", "terms_url": "https://m.example/cgv"}
    return SimpleNamespace(id="m", merchant=SimpleNamespace(**known | seller), sandbox=False)


def put_on_sale(database: Database, **shops: Any) -> list[Synchronised]:
    """Read these merchants' lists."""
    return synchronise(database, merchants(**shops))
