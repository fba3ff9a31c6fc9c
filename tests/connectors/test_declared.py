"""A merchant described by its manifest alone, on a real socket: what is sent, what is read, what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.contract import (
    Access,
    AuthFailed,
    Buyer,
    ContractBroken,
    Document,
    Done,
    Licence,
    Link,
    NotDone,
    NotFound,
    NotOffered,
    Offer,
    Pending,
    Quote,
    Rejected,
    Unavailable,
    Unfit,
    Unknown,
)
from connectors.declared.merchant import DeclaredMerchant
from connectors.http import Network
from connectors.merchants import registry
from connectors.merchants.registry import ConnectorBroken, LoadedMerchant, load_merchant
from connectors.terms import term_fault
from tests.connectors.declared_shop import MANIFEST, PRODUCTS, Shop, folder_of

ACME = Buyer("Acme SA")
Load = Callable[..., LoadedMerchant]


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    made.server.start()
    yield made
    made.server.stop()


@pytest.fixture
def load(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load the shop's connector by a manifest, with changes: `load(("old", "new"), secret="s3cret")`."""
    monkeypatch.setattr(registry, "FOLDER", tmp_path)

    def make(*changes: tuple[str, str], **secrets: str) -> LoadedMerchant:
        text = MANIFEST
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        folder_of(tmp_path, text)
        return load_merchant("meteo", "meteo", shop.server.url, secrets or {"api_key": "s3cret"}, Network())

    return make


@pytest.fixture
def seller(load: Load) -> DeclaredMerchant:
    made = load().connector
    assert isinstance(made, DeclaredMerchant)
    return made


def bought(seller: DeclaredMerchant, sku: str = "rain", key: str = "key-1", town: str = "Brest"):
    quote = replace(seller.quote(sku, {"town": town}, ACME), offer_id=sku, inputs={"town": town})
    return seller.fulfil(quote, key, "G-1", quote.gross_cents)


def test_the_catalogue_is_read_page_after_page(seller, shop):
    offers = list(seller.list_offers())
    assert [(offer.id, offer.net_cents, offer.vat_rate_bp, offer.vat_cents, offer.gross_cents) for offer in offers] == [
        ("sun", 200, 2000, 40, 240), ("rain", 300, 2000, 60, 360), ("storm", 1000, 550, 55, 1055),
    ]  # fmt: skip
    assert offers[1].title == {"fr": "Pluie", "en": "Rain"}
    assert offers[1].summary == {"fr": "Hauteur de pluie"}
    assert [item.name for item in offers[1].inputs] == ["town"]
    assert [item.name for item in offers[2].inputs] == ["town", "day"]
    assert [asked for _method, asked, _headers, _body in shop.seen] == [
        "/v2/products?size=2",
        "/v2/products?size=2&after=2",
    ]


@pytest.mark.parametrize(
    ("paging", "answer", "asked"),
    [
        ('kind = "page", in = "n"', {"data": [], "next": None}, 1),
        ('kind = "link", out = "next"', {"data": [], "next": None}, 1),
        ('kind = "link", out = "next"', {"data": [], "next": "/v2/products?size=2&after=2"}, 2),
    ],
)
def test_other_ways_to_go_on(paging, answer, asked, load, shop):
    shop.answers["GET /v2/products"] = (200, answer)
    connector = load(('kind = "cursor", in = "after", out = "next"', paging)).connector
    if asked == 2:
        with pytest.raises(ContractBroken, match="never ends"):
            list(connector.list_offers())
    else:
        assert list(connector.list_offers()) == []
    assert len(shop.seen) == asked


def test_an_endless_list_ends_and_a_next_page_elsewhere_is_not_read(load, shop):
    shop.answers["GET /v2/products"] = (200, {"data": [], "next": "again"})
    with pytest.raises(ContractBroken, match="never ends"):
        list(load().connector.list_offers())

    shop.answers["GET /v2/products"] = (200, {"data": [], "next": "https://elsewhere.example/p"})
    link = load(('kind = "cursor", in = "after", out = "next"', 'kind = "link", out = "next"'))
    with pytest.raises(ContractBroken, match="another host"):
        list(link.connector.list_offers())


def test_a_quote_a_completion_and_a_refusal(seller, shop):
    quote = seller.quote("storm", {"town": "Brest", "day": "2026-11-01"}, ACME)
    assert (quote.ref, quote.net_cents, quote.gross_cents, quote.subject) == ("q-storm", 1000, 1055, "Brest")
    assert 800 < (quote.expires_at - datetime.now(UTC)).total_seconds() <= 900
    assert shop.bodies("/v2/products/storm/price") == [{"town": "Brest", "day": "2026-11-01", "for": "Acme SA"}]
    assert [(found.value, found.detail) for found in seller.suggest("sun", "town", "br")] == [("Brest", "Finistère")]

    with pytest.raises(Rejected) as refused:
        seller.quote("sun", {"town": "Ys"}, ACME)
    assert (refused.value.words, refused.value.field) == ({"fr": "Engloutie.", "en": "Sunk."}, "town")


def test_an_order_its_look_up_and_the_merchants_own_book(seller, shop):
    done = bought(seller)
    assert isinstance(done, Done)
    assert done.charged_cents == 360
    assert done.delivery == Document("application/pdf", f"{shop.server.url}/v2/files/o.pdf", "releve.pdf")
    assert shop.bodies("/v2/orders") == [{"offer": "q-rain", "sku": "rain", "town": "Brest", "po": "G-1", "most": 360}]
    assert seller.lookup("key-1") == done
    assert seller.lookup("key-2") == NotFound()
    line = next(seller.list_orders(datetime(2026, 11, 1, tzinfo=UTC)))
    assert (line.reference, line.key, line.gross_cents, line.at.hour) == ("G-1", "key-1", 360, 9)
    assert line.state == "delivered"
    assert shop.seen[-1][1] == "/v2/book?since=2026-11-01T00%3A00%3A00Z"


def test_a_look_up_never_takes_anybody_elses_order(load, shop):
    listed = ('path = "/v2/orders"\nquery = {key = "{key}"}\nerrors = {404 = "not_found"}',
              'path = "/v2/book"\nquery = {key = "{key}"}\nitems = "orders"\nkey = "key"')  # fmt: skip
    seller = load(listed).connector
    assert seller.lookup("key-1") == NotFound()
    bought(seller, key="key-1")
    bought(seller, key="key-2")
    assert isinstance(seller.lookup("key-1"), Done)
    assert isinstance(seller.lookup("key-3"), Unknown)
    with pytest.raises(ConnectorBroken, match="only its key tells whose an order is"):
        load((listed[0], listed[1].removesuffix('\nkey = "key"')))


def test_an_answer_about_somebody_elses_order_is_a_doubt(load, shop):
    seller = load(('query = {key = "{key}"}\nerrors', 'query = {key = "{key}"}\nkey = "key"\nerrors')).connector
    bought(seller, "storm", key="key-1")
    done = bought(seller, key="key-2")
    assert isinstance(done, Done)
    theirs = {"order": shop.orders["key-2"]}
    shop.answers = {"POST /v2/orders": (201, theirs), "GET /v2/orders/o-0": (200, theirs)}

    crossed = bought(seller, key="key-3")
    assert isinstance(crossed, Unknown)
    assert "an order under 'key-2' came" in crossed.detail
    assert bought(seller, key="key-2") == done
    assert seller.status("o-0") == Unknown("asked for one order, 'o-1' came")
    shop.answers = {}
    assert isinstance(seller.status("o-0"), Done)


def test_a_merchant_without_a_book(load):
    text = MANIFEST[MANIFEST.index("[orders]") :]
    with pytest.raises(NotOffered):
        next(load((text, "")).connector.list_orders(datetime(2026, 11, 1, tzinfo=UTC)))


def test_an_order_that_takes_its_time(seller):
    assert bought(seller, "storm") == Pending("o-0", 7, {"fr": "Mesures"}, 40)
    assert isinstance(seller.status("o-0"), Done)


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (409, {"quote": {"offer_ref": "q2", "price": 480, "vat": 20, "town": "Brest"}}, "price_changed"),
        (422, {"why": {"fr": "Fermé."}}, "rejected"),
        (201, {"order": {"status": "none", "why": {"fr": "Rien."}}}, "none"),
    ],
)
def test_what_a_merchant_does_not_do(status, answer, expected, seller, shop):
    shop.answers["POST /v2/orders"] = (status, answer)
    outcome = bought(seller)
    assert isinstance(outcome, NotDone)
    assert outcome.code == expected
    if expected == "price_changed":
        assert isinstance(outcome.new_quote, Quote)
        assert outcome.new_quote.gross_cents == 480
    else:
        assert outcome.words["fr"]


def test_one_offer_that_cannot_be_read_is_left_out_and_named(seller, shop):
    bad = [{"sku": "half", "name": {"fr": "Demi"}, "about": "x", "price": 240.5, "vat": 20}, {"name": {}}, *PRODUCTS]
    shop.answers["GET /v2/products"] = (200, {"data": bad})
    found = list(seller.list_offers())
    assert [item.id for item in found if isinstance(item, Unfit)] == ["half", "None"]
    assert [item.id for item in found if isinstance(item, Offer)] == ["sun", "rain", "storm"]


def test_a_delivery_without_anything_in_it_is_a_doubt(load, shop):
    data = ('delivery = {kind = "=document", url = "file", filename = "name", sha256 = "sha"}',
            'delivery = {kind = "=data"}\nrows = [{label = {fr = "Heures"}, value = "hours"}]')  # fmt: skip
    shop.answers["POST /v2/orders"] = (200, {"order": {"status": "ready", "total": 360}})
    assert isinstance(bought(load(data).connector), Unknown)
    shop.answers["POST /v2/orders"] = (200, {"order": {"status": "ready", "total": 360, "hours": 7}})
    assert isinstance(bought(load(data).connector), Done)


def test_a_key_in_the_query_stands_beside_what_was_there(load, shop):
    signed = ('kind = "header"\nheader = "X-Key"\nprefix = "k-"\nsecrets = ["api_key"]',
              'kind = "query"\nparameter = "apikey"\nsecrets = ["api_key"]')  # fmt: skip
    linked = ('kind = "cursor", in = "after", out = "next"', 'kind = "link", out = "next"')
    shop.answers["GET /v2/products"] = (200, {"data": [], "next": "/v2/more?after=2"})
    shop.answers["GET /v2/more"] = (200, {"data": []})
    assert list(load(signed, linked).connector.list_offers()) == []
    assert shop.seen[-1][1] == "/v2/more?after=2&apikey=s3cret"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {}), (404, {}), (409, {}), (409, {"quote": 3}), (200, {"order": {"status": "lost"}}), (200, []), (200, {}),
        (200, {"order": {"status": "making"}}), (200, {"order": {"status": "ready", "total": "a lot", "file": "/x"}}),
        (200, {"order": {"status": "ready", "total": 360}}), (200, {"order": {"status": ["ready"], "total": 360}}),
        (200, {"order": {"status": "ready", "total": 3.6, "file": "/x"}}),
    ],
)  # fmt: skip
def test_whatever_cannot_be_read_is_a_doubt(status, answer, seller, shop):
    shop.answers["POST /v2/orders"] = (status, answer)
    assert isinstance(bought(seller), Unknown)


def test_a_merchant_that_asks_to_wait_or_refuses_our_credentials(seller, shop, load):
    shop.answers["POST /v2/orders"] = (403, {})
    with pytest.raises(AuthFailed):
        bought(seller)
    # A proxy says 503 as well, and knows nothing of what the merchant has done.
    shop.answers["POST /v2/orders"] = (503, {})
    assert isinstance(bought(seller), Unknown)
    told = load(('errors = {409 = "price_changed:quote", 422 = "rejected"}', 'errors = {503 = "wait"}')).connector
    with pytest.raises(Unavailable):
        bought(told)


@pytest.mark.parametrize(
    ("auth", "secrets"),
    [
        ('kind = "query"\nparameter = "apikey"\nsecrets = ["api_key"]', {"api_key": "s3cret"}),
        ('kind = "basic"\nsecrets = ["user", "password"]', {"user": "u", "password": "p"}),
        (
            'kind = "login_token"\npath = "/sign/in"\nprefix = "Bearer "\nsecrets = ["user", "password"]',
            {"user": "u", "password": "p"},
        ),
        (
            'kind = "oauth2_client"\npath = "/sign/in"\nprefix = "Bearer "\nsecrets = ["client_id", "client_secret"]',
            {"client_id": "u", "client_secret": "p"},
        ),
    ],
)
def test_every_way_to_sign_in(auth, secrets, load):
    written = 'kind = "header"\nheader = "X-Key"\nprefix = "k-"\nsecrets = ["api_key"]'
    assert load((written, auth), **secrets).connector.check() == []
    wrong = load((written, auth), **dict.fromkeys(secrets, "wrong"))
    assert "secrets" in wrong.connector.check()[0].remedy["en"]


def test_what_is_typed_stays_what_it_is(seller, shop):
    shop.answers["GET /v2/orders/__"] = (404, {})
    seller.suggest("sun", "town", "a&admin=1#x")
    bought(seller, key="clé")
    bought(seller, town='Brest", "most": 1', key="k\r\nX-Evil: 1")
    assert isinstance(seller.status("../book?x=1"), Unknown)
    assert isinstance(seller.status(".."), Unknown)
    paths = [asked for _method, asked, _headers, _body in shop.seen]
    assert "/v2/towns?q=a%26admin%3D1%23x" in paths
    assert shop.bodies("/v2/orders")[1]["town"] == 'Brest", "most": 1'
    assert all("X-Evil" not in headers for _method, _asked, headers, _body in shop.seen)
    assert not any(asked.startswith("/v2/book") or ".." in asked.split("/") for asked in paths)


def test_credentials_go_to_the_merchants_own_host_only(load, shop):
    other = Shop()
    other.server.start()
    seller = load().connector
    seller.context.http.hosts.add(other.server.url.partition("//")[2])
    try:
        seller.fetch(Document("application/pdf", f"{shop.server.url}/v2/files/o.pdf", "a.pdf"), io.BytesIO())
        with pytest.raises(AuthFailed):
            seller.fetch(Document("application/pdf", f"{other.server.url}/v2/files/o.pdf", "a.pdf"), io.BytesIO())
        assert "X-Key" in shop.seen[0][2]
        assert "X-Key" not in other.seen[0][2]
    finally:
        other.server.stop()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("{input.town}", "{input.city}", "{input.city} is not known there"),
        ("{key}", "{order}", "{order} is not known there"),
        ('path = "/v2/towns"', 'path = "v2/towns"', "suggest.path"),
        ('path = "/v2/towns"', 'path = "/v2/{towns"', "written twice"),
        ('422 = "rejected"', '422 = "denied"', "422"),
        ('ready = "done"', 'ready = "finished"', "order.states.ready"),
        ('kind = "cursor"', 'kind = "scroll"', "list.paging.kind"),
        (', out = "next"}', "}", "a cursor needs in and out"),
        ('delivery = {kind = "=document", url = "file", ', 'delivery = {kind = "=document", ', "path for url"),
        ('[status]\npath = "/v2/orders/{order}"\n', "", "[status] is missing"),
        ('type = "date"', 'type = "colour"', "input (no. 2).type"),
        ('charged = "total"\n', "", "charged is missing"),
        ('{Idempotency-Key = "{key}"}', '{Idempotency-Key = "G"}', "never sends {key}"),
        ("lookup_by_key = true", "lookup_by_key = false", "go together"),
        ('[amounts]\nunit = "cents"', '[amounts]\nunit = "pence"', "amounts.unit"),
        ("[refusal]", "[refusals]", "refusals: there is no such key; do you mean refusal?"),
        ('query = {key = "{key}"}\nerrors = {404', 'query = {key = "1"}\nerrors = {404', "[lookup] never sends {key}"),
        ('path = "/v2/orders/{order}"', 'path = "/v2/orders"', "[status] never sends {order}"),
        ('kind = "=document"', 'kind = "=table"', "delivery needs a kind"),
        ('kind = "=document"', 'kind = "document"', "delivery needs a kind"),
        (', gross = "price", vat_rate = "vat"}', ', vat_rate = "vat"}', "[list] map: a path for net or for gross"),
        ('subject = "town"}', 'expires = "until"}', "[quote] map: expires is no field"),
        ('summary = "about", ', "", "[list] map: a path for summary is missing"),
        ('label = {fr = "Commune", en = "Town"}', 'label = {en = "Town"}', "in French at least"),
        ('id = "meteo"', 'id = "weather"', "id = “weather”"),
        ('hosts = ["api.meteo.example"]', 'hosts = ["meteo.example"]', "hosts must name api.meteo.example"),
        ("sandbox = true", "sandbox = true\nsandbx = 1", "do you mean sandbox?"),
        ("minimum = 2", 'pattern = "([a-z]+ ?)+;"', "repeats what repeats already"),
        ("minimum = 2", 'pattern = "a{4294967296}"', "this pattern cannot be used"),
        ('path = "/v2/towns"', 'path = "/v2/towns?q={text}"', "suggest.path"),
    ],
)
def test_a_wrong_manifest_is_named_by_its_key(old, new, named, load):
    with pytest.raises(ConnectorBroken) as broken:
        load((old, new))
    assert named in broken.value.words["en"]
    assert "connector.toml" in broken.value.words["en"] or "its manifest says" in broken.value.words["en"]


def test_code_for_the_one_thing_no_manifest_can_say(load, tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    (folder / "connector.py").write_text(
        "from connectors.declared.merchant import DeclaredMerchant\n\n\n"
        "class Connector(DeclaredMerchant):\n"
        "    def list_offers(self):\n"
        "        return (offer for offer in super().list_offers() if offer.id != 'rain')\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_locate", lambda _name: ("meteo", folder))
    assert [offer.id for offer in load().connector.list_offers()] == ["sun", "storm"]


def test_what_a_price_is_for_is_mapped_like_anything_else(load, shop):
    places = (
        'pricing = "=subscription", term = "lasts", units = "many", packs = "=small, large", delivery = "=access", '
    )
    shop.answers["GET /v2/products"] = 200, {"data": [{**PRODUCTS[0], "lasts": "P1M", "many": 10}]}
    seller = load(('delivery = "=document", gross', places + "gross")).connector

    [offer] = seller.list_offers()

    assert (offer.pricing, offer.term, offer.units, offer.packs) == ("subscription", "P1M", 10, ("small", "large"))
    assert (term_fault(offer), offer.delivery) == ("", "access")


@pytest.mark.parametrize(("delivery", "given", "read"), [
    ('{kind = "=access", url = "to", until = "end"}', {"to": "https://x.example", "end": "2027-01-31T10:00:00+01:00"},
     Access("https://x.example", datetime(2027, 1, 31, 9, tzinfo=UTC))),
    ('{kind = "=licence", key = "to", until = "end"}', {"to": "K-1", "end": "2027-01-31"},
     Licence("K-1", 0, datetime(2027, 1, 31, tzinfo=UTC))),
    ('{kind = "=licence", key = "to", until = "end", units = "n"}', {"to": "K-1", "n": 5}, Licence("K-1", 5)),
    ('{kind = "=link", url = "to", expires_at = "end"}', {"to": "https://x.example", "end": 1_800_000_000},
     Link("https://x.example", datetime.fromtimestamp(1_800_000_000, UTC))),
])  # fmt: skip
def test_every_delivery_that_lasts_is_read_with_its_end(delivery, given, read, load, shop):
    written = 'delivery = {kind = "=document", url = "file", filename = "name", sha256 = "sha"}'
    seller = load((written, f"delivery = {delivery}")).connector
    shop.answers["POST /v2/orders"] = 201, {"order": {"status": "ready", "id": "o", "total": 360, **given}}

    assert bought(seller) == Done(read, 360, "o")
