"""The demonstration's ACP merchant judged by the published definition, and our connector over the guarded client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.acp.merchant import AcpMerchant
from connectors.contract import Buyer, Outcome, Quote
from connectors.http import Network
from connectors.merchants.registry import load_merchant
from demo.acp_goods import API_KEY, MANIFEST
from demo.acp_shop import AcpShop
from tests.connectors.acp_definition import check

ACME = Buyer("Acme SA", "fr", "CC-42")
Load = Callable[..., AcpMerchant]


@pytest.fixture
def shop() -> Iterator[AcpShop]:
    """The merchant; at the end, neither side has sent anything the definition does not know."""
    made = AcpShop(check=check)
    made.start()
    yield made
    made.stop()
    assert made.breaches == []


@pytest.fixture
def load(shop: AcpShop, tmp_path: Path) -> Load:
    """Load the connector by its manifest, with changes: `load(("old", "new"), path="/api")`."""

    def make(*changes: tuple[str, str], path: str = "", api_key: str = API_KEY) -> AcpMerchant:
        text = MANIFEST
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        site = tmp_path / "normes.toml"
        site.write_text(text, encoding="utf-8")
        loaded = load_merchant("acp", "normes", shop.url + path, {"api_key": api_key}, Network(), site)
        assert isinstance(loaded.connector, AcpMerchant)
        return loaded.connector

    return make


@pytest.fixture
def seller(load: Load) -> AcpMerchant:
    """The connector as the manifest has it."""
    return load()


def priced(seller: AcpMerchant, offer: str = "iso-9001", **inputs: str) -> Quote:
    """A quote as the core hands it back."""
    return replace(seller.quote(offer, inputs, ACME), offer_id=offer, inputs=inputs)


def order(seller: AcpMerchant, quote: Quote, key: str = "key-1", po: str = "G-AAAAA-00001") -> Outcome:
    """The second click."""
    return seller.fulfil(quote, key, po, quote.gross_cents)
