"""The OPDS connector over a real socket, with everything the bookshop answers held against the published schemas."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract import (
    AuthFailed,
    ContractBroken,
    Document,
    Done,
    NotFound,
    NotOffered,
    Offer,
    Pending,
    Rejected,
    Unavailable,
)
from connectors.merchants.registry import ConnectorBroken
from connectors.opds import wire
from connectors.opds.manifest import address_of, name_in
from demo import opds_feeds
from demo.opds_goods import BOOKS, CLIENT_SECRET, MANIFEST
from tests.connectors import opds_definition
from tests.connectors.opds_world import ACME, BASIC, library, load, order, priced, seller

__all__ = ["library", "load", "seller"]


@pytest.mark.skipif(not opds_definition.FOLDER.is_dir(), reason=opds_definition.MISSING)
def test_what_the_bookshop_publishes_is_as_the_schemas_say(library, seller):
    offers = [item for item in seller.list_offers() if isinstance(item, Offer)]
    for number, offer in enumerate(offers):
        inputs = {"format": offer.inputs[0].choices[-1][0]} if offer.inputs else {}
        done = order(seller, priced(seller, offer.id, **inputs), f"key-{number}", f"G-AAAAA-{number:05}")
        assert isinstance(done, Done), offer
    assert seller.check() == []
    assert len(library.book) == len(offers) - 2, "but for the free ones"
    kinds = {path.split("?")[0].split("/")[2] for _method, path, _headers in library.seen if path.startswith("/opds")}
    assert {"catalogue", "lists", "publications", "buy", "shelf"} <= kinds
    assert library.breaches == []


@pytest.mark.skipif(not opds_definition.FOLDER.is_dir(), reason=opds_definition.MISSING)
def test_the_judge_finds_what_is_wrong():
    book = opds_feeds.publication(BOOKS["livre-101"])
    assert opds_definition.wrong("publication", book) == ""
    assert "title" in opds_definition.wrong("publication", {**book, "metadata": {}})
    negative = opds_feeds.link(
        "http://opds-spec.org/acquisition/buy", "/x", properties={"price": {"value": -1, "currency": "EUR"}}
    )
    assert "minimum" in opds_definition.wrong("publication", {**book, "links": [negative]})
    assert opds_definition.wrong("publication", {**book, "metadata": {"title": "x", "language": "français"}})
    assert opds_definition.wrong("feed", {"metadata": {"title": "x"}, "links": []})
    assert opds_definition.wrong("authentication", {"title": "x", "id": "http://x/"})


def test_a_quote_is_read_again_and_an_order_is_a_get_under_a_reference(library, seller):
    quote = priced(seller)
    assert (quote.net_cents, quote.vat_rate_bp, quote.vat_cents, quote.gross_cents) == (1175, 550, 65, 1240)
    assert timedelta(minutes=9) < quote.expires_at - datetime.now(UTC) <= timedelta(minutes=10)
    assert library.asked("/opds/buy") == []

    done = order(seller, quote)

    assert isinstance(done, Done)
    assert (done.charged_cents, done.order_ref) == (1240, "key-1.epub")
    [asked] = library.asked("/opds/buy")
    assert (asked["Client-Reference"], asked["Client-Order"]) == ("key-1", "G-AAAAA-00001")
    assert (asked["Maximum-Price"], asked["Cache-Control"]) == ("12.40 EUR", "no-store")
    assert [(sold.reference, sold.po_number, sold.gross_cents) for sold in library.book] == [
        ("key-1", "G-AAAAA-00001", 1240)
    ]
    assert seller.lookup_sent(quote, "key-1") == done
    assert seller.lookup("key-1").delivery == done.delivery
    assert seller.lookup_sent(quote, "key-2") == NotFound()


@pytest.mark.parametrize(("form", "cents", "start"), [("epub", 1490, b"PK"), ("pdf", 1890, b"%PDF-")])
def test_the_format_that_was_chosen_is_priced_bought_and_had_again(form, cents, start, library, seller):
    quote = priced(seller, "livre-103", format=form)
    assert (quote.gross_cents, quote.subject) == (cents, form.upper())
    done = order(seller, quote)
    assert done.charged_cents == cents
    assert done.delivery.filename == f"le-teletravail-en-vingt-questions.{form}"
    into = io.BytesIO()
    assert seller.fetch(done.delivery, into).media_type == done.delivery.media_type
    assert into.getvalue().startswith(start)
    assert library.book[0].format == form


def brought(seller, document: Document) -> bytes:
    """What the core is given for a delivery."""
    into = io.BytesIO()
    download = seller.fetch(document, into)
    assert (download.size, download.sha256) == (len(into.getvalue()), hashlib.sha256(into.getvalue()).hexdigest())
    return into.getvalue()


def read(body: bytes) -> str:
    """The text of an EPUB, which names the order it was bought by."""
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        return file.read("EPUB/text.xhtml").decode()


def test_a_file_comes_with_its_purchase_and_is_asked_for_no_second_time(library, load, seller):
    done = order(seller, priced(seller))
    assert "G-AAAAA-00001" in read(brought(seller, done.delivery))
    assert library.asked("/opds/files") == []
    assert "G-AAAAA-00001" in read(brought(seller, done.delivery))
    assert len(library.asked("/opds/files")) == 1, "what is wanted again, the bookshelf has"
    other = order(seller, priced(seller), "key-2")
    assert "G-AAAAA-00001" in read(brought(load(), other.delivery)), "and so it is for another process"
    assert len(library.asked("/opds/files")) == 3, "refused, and once it was told where to sign in, had"
    assert len(library.book) == 2


def test_where_one_address_serves_every_buyer_each_has_the_copy_of_his_purchase(library, seller, monkeypatch):
    plain = opds_feeds.bought

    def everybodys(*sold):
        made = plain(*sold)
        made["links"][1]["href"] = "/opds/files/livre-102.epub#page=1"
        return made

    monkeypatch.setattr(opds_feeds, "bought", everybodys)
    first = order(seller, priced(seller))
    second = order(seller, priced(seller), "key-2", "G-BBBBB-00002")
    assert "G-BBBBB-00002" in read(brought(seller, second.delivery))
    assert "G-AAAAA-00001" in read(brought(seller, first.delivery))
    with pytest.raises(ContractBroken, match="404"):
        brought(seller, first.delivery)
    assert {path for _method, path, _headers in library.seen if "/files/" in path} == {"/opds/files/livre-102.epub"}


def test_what_nobody_asks_for_costs_no_memory(library, seller, monkeypatch):
    done = order(seller, priced(seller))
    monkeypatch.setattr("connectors.opds.brought.LIVES_S", 0)
    priced(seller)
    monkeypatch.setattr("connectors.opds.brought.LIVES_S", 60)
    brought(seller, done.delivery)
    assert len(library.asked("/opds/files")) == 1
    monkeypatch.setattr("connectors.opds.brought.MOST_BYTES", len(brought(seller, done.delivery)) + 10)
    first, second = order(seller, priced(seller), "key-2"), order(seller, priced(seller), "key-3")
    brought(seller, second.delivery)
    assert len(library.asked("/opds/files")) == 2, "the younger was kept"
    brought(seller, first.delivery)
    assert len(library.asked("/opds/files")) == 3


def test_an_epub_is_one(seller):
    into = io.BytesIO()
    seller.fetch(order(seller, priced(seller)).delivery, into)
    with zipfile.ZipFile(into) as file:
        assert file.testzip() is None
        first = file.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert file.read("mimetype") == b"application/epub+zip"
        assert "G-AAAAA-00001" in file.read("EPUB/text.xhtml").decode()
    assert into.getvalue()[30:58] == b"mimetypeapplication/epub+zip"


def test_a_format_that_is_gone_is_named(library, seller):
    library.books["livre-103"] = replace(library.books["livre-103"], prices={"pdf": 1890})
    with pytest.raises(Rejected) as refused:
        priced(seller, "livre-103", format="epub")
    assert refused.value.field == "format"
    assert "autre" in refused.value.words["fr"]


def test_what_is_free_is_brought_and_nothing_is_bought(library, seller):
    quote = priced(seller, "libre-2")
    assert (quote.gross_cents, quote.vat_cents) == (0, 0)
    assert seller.lookup_sent(quote, "key-1") == NotFound()
    done = order(seller, quote)
    assert done == Done(
        Document("application/epub+zip", f"{library.url}/opds/free/libre-2.epub", "plain-words-at-work.epub"), 0
    )
    into = io.BytesIO()
    assert seller.fetch(done.delivery, into).size > 500
    assert library.book == []
    assert library.asked("/opds/buy") == []


def test_a_publisher_nobody_agreed_with_lists_only_what_is_free(library, load):
    seller = load(("[purchase]\nbinds_s = 600\n", ""), ('kind = "oauth2_client"\nsecrets = ["client_id", "client_secret"]', 'kind = "none"'))  # fmt: skip
    found = list(seller.list_offers())
    assert {item.id for item in found if isinstance(item, Offer)} == {"libre-1", "libre-2"}
    assert any("no [purchase]" in getattr(item, "why", "") for item in found)
    assert isinstance(order(seller, priced(seller, "libre-2")), Done)
    assert all("Authorization" not in headers for _method, _path, headers in library.seen)
    with pytest.raises(Rejected):
        priced(seller, "livre-102")
    with pytest.raises(NotOffered):
        seller.list_orders(datetime.now(UTC))


@pytest.mark.parametrize("ident", ["none", "../shelf", "livre-102_FF", "autre-away", "autre-page", "autre-paper"])
def test_what_cannot_be_bought_has_no_price(ident, library, seller):
    with pytest.raises(Rejected) as refused:
        priced(seller, ident)
    assert refused.value.words["fr"]
    assert library.asked("/opds/shelf") == []


def test_a_delivery_that_takes_its_time(library, seller):
    library.break_("making")
    quote = priced(seller)
    waiting = order(seller, quote)
    assert waiting == Pending("key-1.epub", 5, waiting.stage)
    assert isinstance(seller.status("key-1.epub"), Pending)
    assert isinstance(seller.lookup_sent(quote, "key-1"), Pending)
    library.break_("slow_shelf")
    assert isinstance(seller.status("key-1.epub"), Pending)
    library.break_("")
    library.book[0].ready = True
    done = seller.status("key-1.epub")
    assert isinstance(done, Done)
    assert len(library.book) == 1


# --- Signing in -----------------------------------------------------------------------------------


def test_a_token_is_found_through_the_401_and_asked_for_once(library, seller):
    order(seller, priced(seller))
    order(seller, priced(seller, "livre-105"), "key-2")
    assert len(library.asked("/oauth/token")) == 1
    [first, *_rest] = library.asked("/opds/shelf")
    assert "Authorization" not in first, "nobody had said yet how to sign in"


def test_a_token_that_ran_out_is_asked_for_again(library, seller):
    quote = priced(seller)
    seller.wire.sign_in()
    library.break_("expire")
    done = order(seller, quote)
    assert isinstance(done, Done)
    assert len(library.asked("/oauth/token")) == 2
    assert len(library.asked("/opds/buy")) == 2
    seller.fetch(done.delivery, io.BytesIO())
    library.break_("expire")
    into = io.BytesIO()
    assert seller.fetch(done.delivery, into).size == len(into.getvalue())
    assert len(library.asked("/oauth/token")) == 3
    assert len(library.book) == 1


def test_basic_credentials_are_sent_at_once(library, load):
    library.flow = "basic"
    seller = load(BASIC)
    assert isinstance(order(seller, priced(seller)), Done)
    assert library.asked("/oauth/token") == []
    assert all(headers["Authorization"].startswith("Basic ") for headers in library.asked("/opds"))


@pytest.mark.parametrize("flow", ["basic", "oauth2_client"])
def test_credentials_that_are_refused(flow, library, load):
    library.flow = flow
    seller = load(*([BASIC] if flow == "basic" else []), secret="wrong")
    with pytest.raises(AuthFailed):
        order(seller, priced(seller))
    assert "secrets" in seller.check()[0].remedy["en"]
    assert library.book == []


def test_another_way_to_sign_in_is_named(library, load):
    library.flow = "basic"
    seller = load()
    with pytest.raises(AuthFailed, match=r"auth/basic"):
        order(seller, priced(seller))


def test_the_document_is_found_by_the_header_too(library, seller, monkeypatch):
    from demo import opds_library

    plain = opds_library._refused

    def by_header(shop):
        refused = plain(shop)
        if refused is None:
            return None
        linked = f'<{shop.url}/opds/authentication>; rel="http://opds-spec.org/auth/document"'
        return opds_library.Response("Non", 401, {"Link": linked}, mimetype="text/plain")

    monkeypatch.setattr(opds_library, "_refused", by_header)
    assert isinstance(order(seller, priced(seller)), Done)
    assert all("Authorization" not in headers for headers in library.asked("/opds/authentication"))


def test_a_token_is_only_asked_for_at_the_publishers_own_host(library, seller, monkeypatch):
    plain = opds_feeds.authentication

    def elsewhere(url, flow, **more):
        document = plain(url, flow, **more)
        document["authentication"][0]["links"][0]["href"] = "https://librairie.attacker.example/token"
        return document

    monkeypatch.setattr(opds_feeds, "authentication", elsewhere)
    with pytest.raises(AuthFailed, match="own host"):
        order(seller, priced(seller))
    assert CLIENT_SECRET not in repr(library.seen)


def test_credentials_go_to_no_other_host(library, seller):
    other = type(library)()
    other.start()
    try:
        order(seller, priced(seller))
        seller.context.http.hosts.add(other.url.partition("//")[2])
        with pytest.raises(AuthFailed):
            seller.fetch(Document("application/pdf", f"{other.url}/opds/files/x.pdf", "x.pdf"), io.BytesIO())
        assert "Authorization" not in other.seen[0][2]
    finally:
        other.stop()


@pytest.mark.parametrize("flow", ["basic", "oauth2_client"])
def test_the_bookshelf_is_where_the_authentication_document_says(flow, library, load, monkeypatch):
    plain = opds_feeds.root
    document = opds_feeds.link("http://opds-spec.org/auth/document", "/opds/authentication", opds_feeds.DOCUMENT)

    def without(news, _shelf):
        content = plain(news, False)
        content["links"].append(document)
        return content

    monkeypatch.setattr(opds_feeds, "root", without)
    library.flow = flow
    seller = load(*([BASIC] if flow == "basic" else []))
    assert isinstance(order(seller, priced(seller)), Done)


def test_without_a_bookshelf_nothing_is_bought(library, seller, load):
    library.break_("no_shelf")
    with pytest.raises(ContractBroken, match="bookshelf"):
        priced(seller)
    assert "bookshelf" in seller.check()[0].what["en"]
    named = load(("binds_s = 600", 'shelf = "/opds/shelf"'))
    assert isinstance(order(named, priced(named)), Done)


def test_the_bookshelf_is_looked_for_again_after_an_hour(library, seller):
    priced(seller)
    seller.wire._shelf_at -= wire.SHELF_LIVES_S + 1
    library.break_("no_shelf")
    with pytest.raises(ContractBroken):
        priced(seller)


def test_check_reads_the_catalogue_and_the_bookshelf(library, load):
    assert load().check() == []
    library.break_("down")
    assert "It does not answer" in load().check()[0].what["en"]
    library.break_("garbage")
    assert "text/html" in load().check()[0].what["en"]
    assert library.book == []


# --- The bookshelf as a book ----------------------------------------------------------------------


def test_the_bookshelf_is_the_publishers_book(library, seller):
    library.size = 2
    before = datetime.now(UTC)
    for number, ident in enumerate(("livre-102", "norme-9001", "revue-12")):
        order(seller, priced(seller, ident), f"key-{number}", f"G-AAAAA-0000{number}")
    library.book.append(replace(library.book[0], number="other", reference="", po_number=""))
    lines = list(seller.list_orders(before))
    assert {(line.reference, line.key, line.gross_cents, line.currency, line.state) for line in lines} == {
        ("G-AAAAA-00000", "key-0", 1240, "EUR", "delivered"), ("G-AAAAA-00001", "key-1", 4900, "EUR", "delivered"),
        ("G-AAAAA-00002", "key-2", 450, "EUR", "delivered"),
    }  # fmt: skip
    assert list(seller.list_orders(datetime.now(UTC) + timedelta(seconds=1))) == []


def test_a_purchase_is_found_on_a_later_page_without_a_search(library, seller, monkeypatch):
    library.size = 2
    for number in range(5):
        order(seller, priced(seller), f"key-{number}", f"G-AAAAA-0000{number}")
    plain = opds_feeds.link
    monkeypatch.setattr(
        opds_feeds, "link", lambda relation, *args, **more: plain(relation.replace("search", "x-none"), *args, **more)
    )
    first = seller.lookup_sent(priced(seller), "key-0")
    assert isinstance(first, Done)
    assert len(library.book) == 5


# --- The manifest ---------------------------------------------------------------------------------


def test_the_manifest_names_what_is_wrong(load):
    for old, new, named in (
        ("vat_rate = 5.5\n", "", "catalogue.vat_rate"),
        ('publication = "/opds/publications/{id}"', 'publication = "/opds/publications/"', "catalogue.publication"),
        ("binds_s = 600", "binds_s = 5", "purchase.binds_s"),
        ("binds_s = 600", 'reference = "Client Reference"', "purchase.reference"),
        ('kind = "oauth2_client"', 'kind = "header"', "basic"),
        ('secrets = ["client_id", "client_secret"]', 'secrets = ["client_id"]', "2 secrets"),
        ("[catalogue]", "[catalog]", "do you mean catalogue"),
        ('protocol = "opds"\n', "", "protocol"),
        ("[purchase]", '[capabilities]\nidempotent = "none"\n\n[purchase]', "leave \\[capabilities\\] out"),
        ('kind = "oauth2_client"\nsecrets = ["client_id", "client_secret"]', 'kind = "none"', "sign in"),
    ):
        with pytest.raises(ConnectorBroken, match=named):
            load((old, new))
    assert 'protocol = "opds"' in MANIFEST


@pytest.mark.parametrize(
    "raw", ["livre-101", "urn:isbn:9780000000002", "l'été 2026", "a_b", "9.1.2", "x" * 63, "100%", "a+b"]
)
def test_a_self_link_is_an_offers_id_and_back(raw):
    from urllib.parse import quote

    template = "https://x.example/p/{id}.json?full=1"
    url = template.replace("{id}", quote(raw, safe=":@!$&'()*+,;=~"))
    name = name_in(template, url)
    assert name
    assert address_of(template, name) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://x.example/p/a/b.json", "https://y.example/p/a.json", "https://x.example/p/a%2Fb.json", "https://x.example/p/.json",
        "https://x.example/p/%00.json", "https://x.example/p/-a.json", f"https://x.example/p/{'x' * 64}.json", "javascript:a",
    ],
)  # fmt: skip
def test_a_self_link_elsewhere_is_no_offer(url):
    assert name_in("https://x.example/p/{id}.json", url) == ""


def test_an_id_that_no_self_link_makes_leads_nowhere():
    for name in ("a_6", "a_FF", "_41", "a_41", "a/b", ""):
        assert address_of("https://x.example/p/{id}", name) == "", name


def test_a_publisher_that_is_away_gives_no_price(library, seller):
    library.break_("down")
    with pytest.raises(Unavailable):
        priced(seller)
    library.break_("wrong_self")
    with pytest.raises(ContractBroken, match="another publication"):
        seller.quote("livre-102", {}, ACME)
