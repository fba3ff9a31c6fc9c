"""The demonstration's digital bookshop judged by the published schemas, and our connector over the guarded client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.contract import Buyer, NotFound, Outcome, Quote, Unknown
from connectors.http import Network
from connectors.merchants.registry import load_merchant
from connectors.opds.merchant import OpdsMerchant
from demo.opds_goods import CLIENT_ID, CLIENT_SECRET, MANIFEST
from demo.opds_library import Library
from tests.connectors.opds_definition import check

ACME = Buyer("Acme SA", "fr", "CC-42")
BASIC = ('kind = "oauth2_client"', 'kind = "basic"')
Load = Callable[..., OpdsMerchant]


@pytest.fixture
def library() -> Iterator[Library]:
    """The bookshop; at the end, it has answered nothing the schemas do not know."""
    made = Library(check=check)
    made.start()
    yield made
    made.stop()
    assert made.breaches == []


@pytest.fixture
def load(library: Library, tmp_path: Path) -> Load:
    """Load the connector by its manifest, with changes: `load(("old", "new"), secret="…")`."""

    def make(*changes: tuple[str, str], secret: str = CLIENT_SECRET) -> OpdsMerchant:
        text = MANIFEST
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        site = tmp_path / "librairie.toml"
        site.write_text(text, encoding="utf-8")
        secrets = {"client_id": CLIENT_ID, "client_secret": secret}
        loaded = load_merchant("opds", "librairie", library.url, secrets, Network(), site)
        assert isinstance(loaded.connector, OpdsMerchant)
        return loaded.connector

    return make


@pytest.fixture
def seller(load: Load) -> OpdsMerchant:
    """The connector as the manifest has it."""
    return load()


def priced(seller: OpdsMerchant, offer: str = "livre-102", **inputs: str) -> Quote:
    """A quote as the core hands it back."""
    return replace(seller.quote(offer, inputs, ACME), offer_id=offer, inputs=inputs)


def order(seller: OpdsMerchant, quote: Quote, key: str = "key-1", po: str = "G-AAAAA-00001") -> Outcome:
    """The second click."""
    return seller.fulfil(quote, key, po, quote.gross_cents)


def carried_on(seller: OpdsMerchant, quote: Quote, key: str = "key-1", most: int = 4) -> Outcome:
    """What the core does with a doubt: look up, and send again only what is not found."""
    found: Outcome | NotFound = NotFound()
    for _round in range(most):
        found = seller.lookup_sent(quote, key)
        if isinstance(found, NotFound):
            found = order(seller, quote, key)
        if not isinstance(found, Unknown):
            break
    assert not isinstance(found, NotFound)
    return found
