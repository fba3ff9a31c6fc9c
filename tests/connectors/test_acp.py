"""The ACP connector over a real socket, with every request and answer held against the published schemas."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.acp import deliveries, wire
from connectors.acp.sessions import Session, physical
from connectors.contract import (
    Access,
    AuthFailed,
    ContractBroken,
    Document,
    Done,
    Licence,
    Link,
    NotDone,
    NotFound,
    NotOffered,
    Pending,
    Physical,
    Rejected,
    Unavailable,
)
from connectors.merchants.registry import ConnectorBroken
from demo import acp_shop
from demo.acp_goods import GOODS, MANIFEST
from demo.acp_sessions import discovery
from demo.acp_shop import finish
from demo.companies import COMPANIES
from tests.connectors import acp_definition
from tests.connectors.acp_world import ACME, load, order, priced, seller, shop

__all__ = ["load", "seller", "shop"]
SIREN = next(iter(COMPANIES))


@pytest.mark.skipif(not acp_definition.FOLDER.is_dir(), reason=acp_definition.MISSING)
def test_list_quote_buy_look_up_and_delivery_are_as_the_definition_says(shop, seller):
    offers = {offer.id: offer for offer in seller.list_offers() if hasattr(offer, "title")}
    for ident in GOODS:
        inputs = {"siren": SIREN} if ident == "conformite" else {}
        quote = priced(seller, ident, **inputs)
        assert seller.lookup_sent(quote, f"key-{ident}") == NotFound()
        done = order(seller, quote, f"key-{ident}")
        assert isinstance(done, Done)
        assert seller.lookup_sent(quote, f"key-{ident}") == done
        assert done.delivery.kind == offers[ident].delivery
        assert done.charged_cents == offers[ident].gross_cents == quote.gross_cents
    judged = [body for method, _path, _headers, body in shop.seen if method == "POST"]
    assert len(judged) == 2 * len(GOODS)
    assert shop.breaches == []
    for product in shop.products:
        assert acp_definition.wrong("Product", product) == ""


@pytest.mark.skipif(not acp_definition.FOLDER.is_dir(), reason=acp_definition.MISSING)
def test_the_judge_finds_what_is_wrong_and_accepts_the_published_examples():
    examples = json.loads((acp_definition.EXAMPLES / "examples.agentic_checkout.json").read_text(encoding="utf-8"))
    assert acp_definition.wrong("CheckoutSession", examples["create_checkout_session_response"]) == ""
    assert acp_definition.wrong("DiscoveryResponse", discovery("http://127.0.0.1:1", ["2026-04-17"])) == ""
    body = {"line_items": [{"id": "x", "quantity": 2}], "currency": "eur", "capabilities": {}}
    assert "quantity" in acp_definition.wrong("CheckoutSessionCreateRequest", body)
    assert acp_definition.wrong("CheckoutSessionCompleteRequest", {"payment_data": {"payment_terms": "net_30"}})


def test_a_quote_is_a_session_and_an_order_completes_it(shop, seller):
    quote = priced(seller, "conformite", siren=SIREN)
    assert (quote.net_cents, quote.vat_rate_bp, quote.vat_cents, quote.gross_cents) == (1500, 2000, 300, 1800)
    assert (quote.currency, quote.subject, quote.ref) == ("EUR", SIREN, next(iter(shop.checkouts)))
    assert quote.expires_at - datetime.now(UTC) < timedelta(minutes=15)

    done = order(seller, quote)

    assert isinstance(done, Done)
    created, completed = [(headers, body) for method, _path, headers, body in shop.seen if method == "POST"]
    assert created[1] == {
        "line_items": [{"id": "conformite"}], "currency": "eur", "capabilities": {}, "locale": "fr",
        "metadata": {"inputs": {"siren": SIREN}},
        "buyer": {
            "email": "achats@acme.example", "account_type": "business",
            "company": {"name": "Acme SA", "cost_center": "CC-42"},
        },
    }  # fmt: skip
    assert completed[1] == {"payment_data": {"purchase_order_number": "G-AAAAA-00001", "payment_terms": "net_30"}}
    assert completed[0]["Idempotency-Key"] == "key-1"
    assert created[0]["Idempotency-Key"] != "key-1"
    assert {headers["Api-Version"] for _m, path, headers, _b in shop.seen if "checkout" in path} == {"2026-04-17"}
    assert [(sold.po_number, sold.terms, sold.gross_cents) for sold in shop.book] == [("G-AAAAA-00001", "net_30", 1800)]
    with pytest.raises(NotOffered):
        seller.list_orders(datetime.now(UTC))


def test_what_is_not_said_is_left_out_and_never_null(shop, load):
    seller = load(('buyer_email = "achats@acme.example"', 'buyer_email = ""'))
    order(seller, priced(seller))
    bodies = [body for method, _path, _headers, body in shop.seen if method == "POST"]
    assert bodies[0] == {
        "line_items": [{"id": "iso-9001"}], "currency": "eur", "capabilities": {}, "locale": "fr",
    }  # fmt: skip
    assert "null" not in json.dumps(bodies)


@pytest.mark.parametrize(
    ("ident", "kind"), [("iso-9001", Document), ("antivirus", Licence), ("consultation", Access), ("livre", Link)]
)
def test_every_digital_delivery(ident, kind, seller):
    done = order(seller, priced(seller, ident))
    assert isinstance(done, Done)
    assert isinstance(done.delivery, kind)
    if isinstance(done.delivery, Document):
        into = io.BytesIO()
        seller.fetch(done.delivery, into)
        assert into.getvalue().startswith(b"%PDF-")
    if isinstance(done.delivery, Access):
        assert timedelta(hours=23) < done.delivery.until - datetime.now(UTC) <= timedelta(days=1)


def test_a_delivery_that_takes_its_time(shop, seller):
    shop.break_("making")
    quote = priced(seller)
    waiting = order(seller, quote)
    assert waiting == Pending(quote.ref, 30, {"fr": "Préparation"})
    assert seller.status(quote.ref) == waiting
    shop.checkouts[quote.ref].fault = ""
    assert isinstance(seller.status(quote.ref), Done)
    assert len(shop.book) == 1


def test_an_approval_takes_its_time_too(shop, seller):
    quote = priced(seller)
    shop.break_("pending_approval")
    outcome = order(seller, quote)
    assert isinstance(outcome, Pending)
    assert outcome.after_s == 600
    assert "accord" in outcome.stage["fr"]
    shop.break_("")
    finish(shop, shop.checkouts[quote.ref], shop.checkouts[quote.ref].paying)
    assert isinstance(seller.status(quote.ref), Done)


def test_approval_refused_is_not_done_and_a_session_open_again_is_for_an_admin(shop, seller):
    quote = priced(seller)
    shop.break_("pending_approval")
    order(seller, quote)
    shop.checkouts[quote.ref].status = "ready_for_payment"
    again = seller.status(quote.ref)
    assert again.needs_admin
    shop.checkouts[quote.ref].status = "expired"
    assert seller.status(quote.ref).code == "expired"


@pytest.mark.parametrize("fault", ["no_discovery", "strange_discovery"])
def test_without_a_discovery_document_the_base_address_is_the_interface(fault, shop, load):
    shop.break_(fault)
    seller = load(path="/api")
    assert isinstance(order(seller, priced(seller)), Done)
    asked = [path for _method, path, _headers, _body in shop.seen]
    assert asked.count("/.well-known/acp.json") == 1


def test_discovery_is_asked_without_credentials_and_once(shop, seller):
    order(seller, priced(seller))
    [found] = [headers for _method, path, headers, _body in shop.seen if path.startswith("/.well-known")]
    assert "Authorization" not in found


def test_discovery_that_is_down_is_no_reason_to_guess(shop, load):
    shop.break_("discovery_down")
    with pytest.raises(Unavailable):
        priced(load())


def test_discovery_that_goes_down_later_changes_nothing_for_a_minute(shop, seller):
    quote = priced(seller)
    shop.break_("discovery_down")
    seller.wire._found_at -= wire.DISCOVERY_LIVES_S + 1
    assert isinstance(order(seller, quote), Done)
    assert [path for _method, path, *_ in shop.seen].count("/.well-known/acp.json") == 2


def test_discovery_that_points_elsewhere_gets_no_key_there(shop, seller):
    other = type(shop)()
    other.start()
    try:
        shop.elsewhere = other.url
        with pytest.raises(ContractBroken, match="not among the hosts"):
            priced(seller)
        assert other.seen == []
    finally:
        other.stop()


@pytest.mark.parametrize("lacks", ["transports", "api_base_url", "checkout"])
def test_a_discovery_document_that_says_too_little(lacks, shop, seller, monkeypatch):
    def less(url, versions):
        document = discovery(url, versions)
        if lacks == "checkout":
            document["capabilities"]["services"] = ["orders"]
        else:
            del document[lacks]
        return document

    monkeypatch.setattr(acp_shop, "discovery", less)
    with pytest.raises(ContractBroken, match="discovery"):
        priced(seller)
    shop.breaches.clear()


@pytest.mark.skipif(not acp_definition.FOLDER.is_dir(), reason=acp_definition.MISSING)
def test_the_published_order_is_read_and_the_published_session_is_physical(seller):
    published = json.loads((acp_definition.EXAMPLES / "orders/digital-fulfillment.json").read_text(encoding="utf-8"))
    line = {"id": "li_software", "item": {"id": "antivirus"}, "quantity": 1, "totals": []}
    session = Session("cs_mno456", "completed", {"line_items": [line], "order": published})
    done = deliveries.outcome(session, seller.manifest)
    assert done == Done(Licence("PPRO-2026-XXXX-YYYY-ZZZZ"), 10766, "ord_digital_201")

    examples = json.loads((acp_definition.EXAMPLES / "examples.agentic_checkout.json").read_text(encoding="utf-8"))
    shipped = examples["create_checkout_session_response"]
    assert "shipping" in physical(Session(shipped["id"], shipped["status"], shipped))


def test_a_version_nobody_shares_is_named(shop, load):
    shop.break_("other_version")
    with pytest.raises(ContractBroken, match=r"2026-09-01.*2026-04-17"):
        priced(load())
    problems = load().check()
    assert "2026-09-01" in problems[0].what["en"]


def test_a_refused_version_is_agreed_on_anew(shop, seller, monkeypatch):
    order(seller, priced(seller))
    seller.wire._place = replace(seller.wire.place(), version="2026-01-30")
    assert isinstance(order(seller, priced(seller), "key-2"), Done)
    assert seller.wire.place().version == "2026-04-17"


def test_check_reads_the_feed_and_tries_the_key(shop, load):
    assert load().check() == []
    assert "secrets" in load(api_key="wrong").check()[0].remedy["en"]
    assert "catalogue" not in " ".join(path for _method, path, *_ in shop.seen)
    shop.break_("down")
    assert "It does not answer" in load().check()[0].what["en"]
    assert shop.book == []


def test_an_input_that_designates_nothing_is_named(seller):
    with pytest.raises(Rejected) as refused:
        seller.quote("conformite", {"siren": "000000000"}, ACME)
    assert refused.value.field == "siren"
    assert refused.value.words["fr"] == "Cette entreprise n’est pas au registre."


def test_an_offer_that_is_gone_is_refused_in_the_merchants_words(seller):
    with pytest.raises(Rejected) as refused:
        seller.quote("none", {}, ACME)
    assert refused.value.words == {"fr": "Cet article n’existe plus."}
    with pytest.raises(Rejected) as refused:
        seller.quote("none", {}, replace(ACME, language="en"))
    assert set(refused.value.words) == {"fr", "en"}


@pytest.mark.parametrize(
    "fault", ["requires_escalation", "authentication_required", "pending_approval", "not_ready"]
)  # fmt: skip
def test_a_session_that_cannot_be_paid_is_no_price(fault, shop, seller):
    shop.break_(fault)
    with pytest.raises(Rejected) as refused:
        priced(seller)
    assert refused.value.words["fr"]


@pytest.mark.parametrize("fault", ["ships", "heavy"])
def test_something_physical_is_refused_at_the_quote(fault, shop, seller):
    shop.break_(fault)
    with pytest.raises(Physical) as refused:
        priced(seller)
    assert "en ligne" in refused.value.words["fr"]


def test_the_digital_delivery_is_selected_where_it_is_left_to_us(shop, seller):
    shop.break_("unselected")
    assert isinstance(order(seller, priced(seller)), Done)
    assert shop.steps() == ["create", "update", "read", "complete"]
    update = [body for method, _path, _headers, body in shop.seen if method == "POST"][1]
    assert update == {
        "selected_fulfillment_options": [{"type": "digital", "option_id": "digital", "item_ids": ["line-1"]}]
    }


def test_two_things_in_one_session_are_no_price(shop, seller):
    shop.break_("two_things")
    with pytest.raises(ContractBroken, match="one thing"):
        priced(seller)


@pytest.mark.parametrize(("fault", "error"), [("down", Unavailable), ("garbage", ContractBroken)])
def test_a_merchant_that_is_away_gives_no_price(fault, error, shop, seller):
    shop.break_(fault)
    with pytest.raises(error):
        priced(seller)


def test_credentials_that_are_refused(load):
    with pytest.raises(AuthFailed):
        priced(load(api_key="wrong"))


def test_a_key_goes_to_the_merchants_own_host_only(shop, seller):
    other = type(shop)()
    other.start()
    try:
        seller.context.http.hosts.add(other.url.partition("//")[2])
        with pytest.raises(AuthFailed):
            seller.fetch(Document("application/pdf", f"{other.url}/files/x.pdf", "x.pdf"), io.BytesIO())
        assert "Authorization" not in other.seen[0][2]
    finally:
        other.stop()


def test_a_session_is_never_a_path(shop, seller):
    quote = replace(priced(seller), ref="../../files/x")
    with pytest.raises(Unavailable):
        order(seller, quote)
    assert all(path.startswith(("/api/", "/.well-known/")) for _method, path, *_ in shop.seen)


def test_the_manifest_names_what_is_wrong(load):
    for old, new, named in (
        ("vat_rate = 20\n", "", "feed.vat_rate"),
        ('terms = "net_30"', 'terms = "net_45"', "payment.terms"),
        ('kind = "document"', 'kind = "parcel"', "delivery.kind"),
        ('protocol = "acp"\n', "", "protocol"),
        ("[feed]", "[feeds]", "do you mean feed?"),
        ("[payment]", '[auth]\nkind = "none"\n\n[payment]', "leave this table out"),
    ):
        with pytest.raises(ConnectorBroken, match=named.replace("?", r"\?")):
            load((old, new))
    assert 'protocol = "acp"' in MANIFEST


def test_not_done_is_a_value_with_words(shop, seller):
    quote = priced(seller)
    shop.checkouts[quote.ref].status = "expired"
    outcome = order(seller, quote)
    assert isinstance(outcome, NotDone)
    assert outcome.code == "expired"
    assert outcome.words["fr"]
