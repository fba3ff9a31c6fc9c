"""The feed of an ACP merchant: what is listed, what is refused and why, and how a long one is read."""

from __future__ import annotations

import hashlib
import json
import tomllib
import tracemalloc

import pytest

from connectors.acp import feed
from connectors.acp.manifest import AcpManifest
from connectors.contract import ContractBroken, Offer, State, Unfit
from connectors.http import Download
from connectors.merchants.registry import ConnectorBroken, LoadedMerchant
from demo.acp_goods import GOODS, MANIFEST, product
from portal.catalog.merchants import Merchants
from portal.catalog.synchronisation import synchronise
from portal.database import Database
from portal.migrations import schema
from tests.connectors.acp_world import load, seller, shop

__all__ = ["load", "seller", "shop"]


@pytest.fixture
def manifest() -> AcpManifest:
    return AcpManifest.model_validate(tomllib.loads(MANIFEST))


def fetching(content: bytes):
    """A feed of these bytes."""

    def fetch(into):
        into.write(content)
        return Download("application/json", len(content), hashlib.sha256(content).hexdigest())

    return fetch


def listed(content: bytes, manifest: AcpManifest, state: str = "") -> list:
    return list(feed.read(fetching(content), manifest, state))


def lines(products: list) -> bytes:
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in products).encode()


@pytest.mark.parametrize("address", ["/feeds/fr/products.jsonl", "/feeds/fr/products"])
def test_both_forms_of_a_feed(address, shop, load):
    seller = load(("/feeds/fr/products.jsonl", address))
    found = list(seller.list_offers())
    offers = {offer.id: offer for offer in found if isinstance(offer, Offer)}
    assert set(offers) == set(GOODS)
    norm, book = offers["iso-9001"], offers["livre"]
    assert (norm.net_cents, norm.vat_rate_bp, norm.vat_cents, norm.gross_cents) == (9800, 2000, 1960, 11760)
    assert (book.vat_rate_bp, book.gross_cents, book.delivery) == (550, 2110, "link")
    assert (norm.title, norm.currency) == ({"fr": "Norme qualité, édition 2026"}, "EUR")
    assert [item.name for item in offers["conformite"].inputs] == ["siren"]
    assert offers["antivirus"].category == "logiciels"
    refused = {item.id: item.why for item in found if isinstance(item, Unfit)}
    assert set(refused) == {"iso-9001-papier", "iso-9001-us"}
    assert "unit_price" in refused["iso-9001-papier"]
    assert "USD" in refused["iso-9001-us"]


def test_the_catalogue_says_why_something_is_not_sold(seller, tmp_path):
    database = Database(f"sqlite:///{tmp_path}/feed.db")
    schema.upgrade(database)
    [done] = synchronise(database, Merchants({"normes": LoadedMerchant(seller.manifest, seller)}))
    assert (done.listed, done.refused_count, done.problem) == (5, 2, "")
    assert any("iso-9001-papier" in said and "physical" in said for said in done.refused)
    database.close()


@pytest.mark.parametrize(
    "disguise",
    [
        {"weight": {"value": 250, "unit": "g"}}, {"dimensions": {"length": 1}}, {"requires_shipping": True},
        {"condition": ["secondhand"]}, {"carrier": "Colissimo"},
    ],
)  # fmt: skip
def test_nothing_physical_is_listed(disguise, manifest):
    for sent in (product(GOODS["livre"], **disguise), {**product(GOODS["livre"]), **disguise}):
        [refused] = listed(lines([sent]), manifest)
        assert isinstance(refused, Unfit)
        assert "physical" in repr(refused)


def test_prices_without_vat(manifest):
    net = manifest.model_copy(update={"feed": manifest.feed.model_copy(update={"prices": "net"})})
    [offer] = listed(lines([product(GOODS["iso-9001"], 9800)]), net)
    assert (offer.net_cents, offer.vat_cents, offer.gross_cents) == (9800, 1960, 11760)


@pytest.mark.parametrize("amount", [None, "12", 1.5, True])
def test_a_price_that_is_none(amount, manifest):
    [refused] = listed(lines([product(GOODS["livre"], price={"amount": amount, "currency": "EUR"})]), manifest)
    assert isinstance(refused, Unfit)


def test_a_long_feed_goes_on_where_it_was_interrupted(manifest):
    content = lines([product(GOODS["livre"], id=f"livre-{number}") for number in range(1200)])
    whole = listed(content, manifest)
    states = [item for item in whole if isinstance(item, State)]
    assert [state.cursor.partition(":")[2] for state in states] == ["500", "1000"]
    rest = listed(content, manifest, states[-1].cursor)
    assert [item.id for item in rest] == [f"livre-{number}" for number in range(1000, 1200)]
    with pytest.raises(ContractBroken, match="replaced"):
        listed(content + b"\n", manifest, states[-1].cursor)


@pytest.mark.parametrize("form", ["lines", "array"])
def test_memory_does_not_grow_with_the_feed(form, manifest, tmp_path):
    def most(count: int) -> int:
        path = tmp_path / f"{form}-{count}"
        with path.open("wb") as file:
            file.write(b'{"products": [' if form == "array" else b"")
            for number in range(count):
                file.write(b", " if number and form == "array" else b"")
                file.write(json.dumps(product(GOODS["livre"], id=f"livre-{number}")).encode() + b"\n")
            file.write(b"]}" if form == "array" else b"")

        def fetch(into):
            with path.open("rb") as file:
                while chunk := file.read(65_536):
                    into.write(chunk)
            return Download("application/json", path.stat().st_size, "hash")

        tracemalloc.start()
        assert sum(isinstance(item, Offer) for item in feed.read(fetch, manifest, "")) == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    short, long = most(300), most(3_000)
    assert long < 2 * short


@pytest.mark.parametrize(
    "content",
    [
        b"<html>Connectez-vous</html>", b'{"products": [{"id": "a", "variants": []}', b'{"products": [3]}', b"[1]",
        b'{"products": [{"id": "a"}]}', b'{"id": "a", "variants": [3]}', b'{"products": [{"id": "a", "variants": []} {}]}',
        b'{"products": [' + b" " * 70_000 + b'{"id": "' + b"a" * 1_200_000, b"{" + b" " * 1_100_000 + b"}",
        b'{"products": [' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_feed_is_refused(content, manifest):
    with pytest.raises(ContractBroken):
        listed(content, manifest)


@pytest.mark.parametrize(
    "junk", [3, None, "x", {}, {"id": "a"}, {"id": "a", "variants": [3]}, {"id": "a", "variants": {}}], ids=str
)
def test_what_is_no_product_is_reported_and_the_others_are_kept(junk, manifest):
    good = product(GOODS["livre"])
    for content in (lines([junk, good]), json.dumps({"products": [good, junk]}).encode()):
        found = listed(content, manifest)
        assert sorted(type(each).__name__ for each in found) == ["Offer", "Unfit"]
        [told] = [each for each in found if isinstance(each, Unfit)]
        assert "of the feed" in told.why
        assert told.id == (junk["id"] if isinstance(junk, dict) and junk else "?")
    mixed = {**good, "variants": [None, *good["variants"]]}
    assert [type(each) for each in listed(lines([mixed]), manifest)] == [Unfit, Offer]


def test_odd_but_right_feeds(manifest):
    words = "é" * 70_001
    one = json.dumps({**product(GOODS["livre"]), "description": {"plain": words}}, ensure_ascii=False)
    for content in (f'\n{{ "products" : [ {one} , {one}\n] }}', f"\ufeff{one}\n\n{one}", f"{one}"):
        offers = listed(content.encode(), manifest)
        assert all(offer.summary["fr"] == words for offer in offers)
    assert listed(b'{"products": []}', manifest) == []
    assert listed(b"", manifest) == []


def test_what_the_manifest_says_is_sold_for_a_time(load):
    offers = {each.id: each for each in load().list_offers() if isinstance(each, Offer)}
    assert (offers["consultation"].pricing, offers["consultation"].term) == ("duration", "PT24H")
    assert (offers["livre"].pricing, offers["livre"].term) == ("act", "")


@pytest.mark.parametrize("term", ["", "24h", "P20Y"])
def test_a_term_without_an_end_is_no_manifest(term, load):
    with pytest.raises(ConnectorBroken, match=r"write it like|longer than ten years"):
        load(('term = "PT24H"', f'term = "{term}"'))
