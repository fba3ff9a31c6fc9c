"""What authors get wrong in a declared connector: each mistake names the key or the file, and says what to do next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.kit import gold, prove
from connectors.kit.skeleton import SKELETON, make_skeleton
from tests.connectors.kit_breaks import Break, all_of, edit, failed, manifest, shows, without

SHIPPED = Path(__file__).parents[2] / "connectors" / "merchants"
LIST = 'gross = "price", vat_rate = "vat"}\n\n[quote]'
STORY = "fixtures/story.toml"
BOOK = '[orders]\npath = "/book"\nquery = {since = "{since}"}\nitems = "orders"\nmap = {reference = "po", key = "key", gross = "total", state = "status", at = "at"}\n\n[status] '
LINE = {"po": "{po}", "key": "{key}", "total": 360, "status": "ready", "at": "{now}"}
SUGGEST = '[suggest]\npath = "/towns"\nquery = {q = "{text}"}\nitems = "towns"\nmap = {value = "name", label = "name"}\n\n[quote]      '
TYPED = '[suggest]\noffer = "rain"\ninput = "town"\ntext = "br"\n\n# A check'
PRODUCTS: list[dict[str, Any]] = json.loads((SKELETON / "fixtures/list.json").read_text(encoding="utf-8"))["answer"]["json"]["data"]  # fmt: skip


def book(*changes: tuple[str, str], **line: Any) -> Break:
    """The merchant's own book, wrongly described, or with another line."""
    exchange = {"request": {"path": "/book", "query": {"since": "{any}"}}, "answer": {"json": {"orders": [{**LINE, **line}]}}}  # fmt: skip
    table = BOOK
    for old, new in changes:
        assert old in table, old
        table = table.replace(old, new)
    return all_of(manifest(("[status] ", table)), shows("orders", exchange))


def completed(*changes: tuple[str, str], names: tuple[str, ...] = ("Brest",)) -> Break:
    """Completions, wrongly described, or others."""
    table = SUGGEST
    for old, new in changes:
        assert old in table, old
        table = table.replace(old, new)
    exchange = {"request": {"path": "/towns", "query": {"q": "br"}}, "answer": {"json": {"towns": [{"name": name} for name in names]}}}  # fmt: skip
    return all_of(
        manifest(("[quote]      ", table), ('idempotent = "key"', 'idempotent = "key"\nsuggest = true')),
        edit(STORY, ("# A check", TYPED)), shows("suggest", exchange),
    )  # fmt: skip


def paged(paging: str, *following: str | None) -> Break:
    """A list of as many pages as there are values to follow; each page has one offer."""
    pages = [
        {"request": {"path": "/products", "query": {"after": before} if before else {}}, "answer": {"json": {"data": [PRODUCTS[index % 2]], "next": after}}}
        for index, (before, after) in enumerate(zip((None, *following), following, strict=False))
    ]  # fmt: skip
    return all_of(manifest(('items = "data"', f'items = "data"\npaging = {paging}')), shows("list", pages))


CHECKED = manifest(("[status] ", '[check]\npath = "/me"\n\n[status] '))
NO_STORM = shows("quote", [each for each in json.loads((SKELETON / "fixtures/quote.json").read_text(encoding="utf-8")) if "storm" not in each["request"]["path"]])  # fmt: skip
MISTAKES: list[tuple[str, str, str, str, Break, str]] = [
    # what is wrong, the check that finds it, what it names, what it says to do, the break, the tier
    ("items of the book nowhere", "paths.found", "[orders] items = “lines” does not lead to a list in fixtures/orders.json; there is orders", "Correct this path", book(('items = "orders"', 'items = "lines"')), "bronze"),
    ("items of the book nowhere, read", "orders.read", "no list at 'lines'", "[orders] items and map", book(('items = "orders"', 'items = "lines"')), "silver"),
    ("no book in the fixtures", "fixtures.complete", "lacks orders.json", "docs/connectors.md", all_of(book(), without("fixtures/orders.json")), "bronze"),
    ("wrong pointer in the book", "paths.found", "[orders] map.gross = “sum”", "Correct this path", book(('gross = "total"', 'gross = "sum"')), "bronze"),
    ("key and number of the book exchanged", "orders.read", "reference, key", "its reference is {po}", book(('reference = "po", key = "key"', 'reference = "key", key = "po"')), "silver"),
    ("a state of the book that nobody knows", "orders.read", "map.state reads sold", "[order] states", book(status="sold"), "silver"),
    ("items of the list nowhere", "paths.found", "[list] items = “datas” does not lead to a list in fixtures/list.json; there is data", "Correct this path", manifest(('items = "data"', 'items = "datas"')), "bronze"),
    ("items of the list lead to no list", "paths.found", "[list] items = “count” does not lead to a list in fixtures/list.json; there is data", "Correct this path", all_of(manifest(('items = "data"', 'items = "count"')), edit("fixtures/list.json", ('"data": [', '"count": 2, "data": ['))), "bronze"),
    ("wrong pointer to a title", "paths.found", "[list] map.title.fr = “nom.fr” does not lead to anything in fixtures/list.json; there is name.fr", "Correct this path", manifest(("name.fr", "nom.fr")), "bronze"),
    ("wrong pointer to a price", "offers.valid", "offer rain: it cannot be read: ContractBroken: nothing at 'prices'", "[list] map", manifest((LIST, LIST.replace('"price"', '"prices"'))), "bronze"),
    ("one offer of two without a price", "offers.valid", "offer storm: it cannot be read", "[list] map", edit("fixtures/list.json", ('"price": 1055', '"prix": 1055')), "bronze"),
    ("euros read as cents", "fulfil.done", "fulfil.json: body.most: 36000, not 360 (a hundred times: is [amounts] unit right?)", "correct what the connector sends", manifest(('unit = "cents"', 'unit = "decimal"')), "bronze"),
    ("20 read as a fraction", "offers.valid", "vat_rate: 2000 % ([amounts] rate: percent, fraction, basis_points?)", "[amounts] unit and rate", manifest(('rate = "percent"', 'rate = "fraction"')), "bronze"),
    ("0.2 read as per cent", "quote.adds_up", "vat_rate: 0.2 %", "[amounts]", edit("fixtures/quote.json", ('"vat": 20', '"vat": 0.2')), "bronze"),
    ("another rate at the price than in the list", "quote.adds_up", "vat_rate: 5.5 %, [list] 20 %", "[quote] map", edit("fixtures/quote.json", ('"vat": 20', '"vat": 5.5')), "bronze"),
    ("a list in dollars", "offers.valid", "currency: 'USD' ≠ 'EUR'", "[list] map", manifest((LIST, LIST.replace('"vat"}', '"vat", currency = "=USD"}'))), "bronze"),
    ("a price in pounds", "quote.adds_up", "currency: GBP", "[quote] map", manifest(('vat_rate = "vat", expires_at', 'vat_rate = "vat", currency = "=GBP", expires_at')), "bronze"),
    ("a misspelled key", "manifest.valid", "lookup.error: there is no such key; do you mean errors?", "Correct this key", manifest(('errors = {404 = "not_found"}', 'error = {404 = "not_found"}')), "bronze"),
    ("a version of two numbers", "manifest.valid", "version: write three numbers, like 1.0.0, not “0.1”", "Correct this key", manifest(('"0.1.0"', '"0.1"')), "bronze"),
    ("a host in a path", "manifest.valid", "list.path: write a path that begins with /", "Correct this key", manifest(('path = "/products"', 'path = "https://api.essai.example/products"')), "bronze"),
    ("a label in English alone", "manifest.valid", "input (no. 1).label: a label is words, in French at least", "Correct this key", manifest(('{fr = "Commune", en = "Town"}', '{en = "Town"}')), "bronze"),
    ("no secret to sign in with", "manifest.valid", "[auth] secrets: kind = “header” needs 1", "Correct this key", manifest(('["api_key"]', "[]")), "bronze"),
    ("a password without its user", "manifest.valid", "kind = “basic” needs 2, and there is api_key", "Correct this key", manifest(('kind = "header"', 'kind = "basic"')), "bronze"),
    ("a parameter to sign in by that has no name", "manifest.valid", "[auth] parameter is missing", "Correct this key", manifest(('kind = "header"', 'kind = "query"')), "bronze"),
    ("another id than the folder's name", "manifest.valid", "id = “essais”, and its folder is called essai", "the same name", manifest(('id = "essai"', 'id = "essais"')), "bronze"),
    ("a word of the order unknown", "status.pending_to_done", "the merchant says 'making'", "[order] states", manifest(('making = "pending", ', "")), "silver"),
    ("a path to what is only ever null", "paths.found", "[order] percent = “done” does not lead to anything in fixtures/fulfil.json; there is done = null", "show in the fixtures", all_of(manifest(('state = "status"', 'state = "status"\npercent = "done"')), edit("fixtures/fulfil-slow.json", ('"wait": 5', '"wait": 5, "done": null'))), "bronze"),
    ("the word of the order nowhere", "paths.found", "[order] state = “state” does not lead to anything in fixtures/fulfil.json; there is status", "Correct this path", manifest(('state = "status"', 'state = "state"')), "bronze"),
    ("stages nowhere", "paths.found", "[order] stage.fr = “etape.fr”", "take the key out", manifest(("stage.fr", "etape.fr")), "bronze"),
    ("a wait that is a text", "status.pending_to_done", "[order] after: not an amount: 'Mesures'", "[order] states", manifest(('after = "wait"', 'after = "stage.fr"')), "silver"),
    ("no order that is asked for again", "fixtures.complete", "lacks status.json", "docs/connectors.md", without("fixtures/status.json"), "bronze"),
    ("no price for the slow order", "fulfil.same_key", "quote.json: path: '/products/storm/price', not '/products/rain/price'", "Add the exchange", NO_STORM, "bronze"),
    ("no document", "document.fetched", "no answer to GET /files/o-1", "Add the exchange", without("fixtures/document.json"), "bronze"),
    ("the method forgotten", "quote.adds_up", "quote.json: method: GET, not POST", "correct what the connector sends", manifest(('first click\nmethod = "POST"', "first click")), "bronze"),
    ("the key under another header", "fulfil.done", "fulfil.json: headers.idempotency-key: missing", "correct what the connector sends", manifest(("Idempotency-Key", "X-Key")), "bronze"),
    ("an id that changes", "offers.stable", "list 2 differs from the first", "An id is what the merchant writes", edit("fixtures/list.json", ('"sku": "rain"', '"sku": "{now}"')), "bronze"),
    ("a category with an accent", "offers.valid", "category: 'été' ≠ [A-Za-z0-9._-]", "[list] map", manifest(('"=documents"', '"=été"')), "bronze"),
    ("a cursor that never ends", "offers.valid", "the list never ends: 'c1' came again", "paging", paged('{kind = "cursor", in = "after", out = "next"}', "c1", "c1"), "bronze"),
    ("a cursor that is read nowhere", "paths.found", "[list] paging.out = “nxt” does not lead to anything in fixtures/list.json; there is next", "Correct this path", paged('{kind = "cursor", in = "after", out = "nxt"}', "c1", None), "bronze"),
    ("a page that nobody asks for", "list.whole", "exchange no. 2 of fixtures/list.json (/products {'after': 'c1'}) is never asked for", "[list] paging", paged('{kind = "cursor", in = "after", out = "nxt"}', "c1", None), "silver"),
    ("an input that is sent nowhere", "inputs.valid", "[[input]] town is asked for, and sent nowhere", "{input.town}", manifest(('body = {town = "{input.town}"}\n', "")), "bronze"),
    ("an input of an offer that is not there", "inputs.valid", "[[input]] town: offers names rains", "[list] map.id", manifest(("minimum = 2", 'offers = ["rains"]')), "bronze"),
    ("a purchase of an offer that is not there", "inputs.valid", "[buy] offer = “reign”: the list has no reign; there is rain, storm", "an offer of the list", edit(STORY, ('succeeds\noffer = "rain"', 'succeeds\noffer = "reign"')), "bronze"),
    ("a purchase of what cannot be sold", "inputs.valid", "it is refused: something physical", "an offer of the list", edit("fixtures/list.json", ('"vat": 20', '"vat": 20, "weight": 250')), "bronze"),
    ("an input by another name", "inputs.valid", "[buy] gives ['city']; rain asks for ['town']", "by their name", edit(STORY, ('succeeds\noffer = "rain"\ninputs = {town', 'succeeds\noffer = "rain"\ninputs = {city')), "bronze"),
    ("reasons of a refusal nowhere", "inputs.refused", "the refusal has no French words: {'en': 'This town has sunk.'}", "[refusal] words", manifest(('words the employee will read\nwords = {fr = "why.fr"', 'words the employee will read\nwords = {fr = "reason.fr"')), "bronze"),
    ("a field that is no input", "inputs.refused", "names an input that rain does not have: 'Cette commune est engloutie.'; there is town", "[refusal] field", manifest(('field = "why.field"', 'field = "why.fr"')), "bronze"),
    ("delivered otherwise than listed", "fulfil.done", "delivered was: link; the list announced: document", "[order] delivery.kind", manifest(('{kind = "=document", url = "file", filename = "name"}', '{kind = "=link", url = "file"}')), "bronze"),
    ("charged in cents what is in euros", "fulfil.done", "charged were 36000 cents; confirmed were 360 ([order] charged, [amounts] unit?)", "[order] charged", edit("fixtures/fulfil.json", ('"total": 360', '"total": 36000')), "bronze"),
    ("the key of a look-up nowhere", "paths.found", "[lookup] key = “ref” does not lead to anything in fixtures/lookup.json", "Correct this path", manifest(('key = "key" ', 'key = "ref" ')), "bronze"),
    ("a look-up that reads nothing", "lookup.after_drop", "found: Unknown", "[lookup] must find the order", manifest(('key = "key" ', 'key = "ref" ')), "silver"),
    ("the way to a new price wrong", "price.changed", "nothing at 'offer' in the answer", "PATH leads to the new quote", manifest(("price_changed:quote", "price_changed:offer")), "silver"),
    ("completions nowhere", "paths.found", "[suggest] map.value = “id” does not lead to anything in fixtures/suggest.json; there is name", "Correct this path", completed(('value = "name"', 'value = "id"')), "bronze"),
    ("completions that are none", "suggest.read", "for “br”: []", "[suggest] items and map", completed(names=()), "silver"),
    ("completions that nobody asks for", "suggest.read", "capabilities.suggest is not true", "suggest = true", manifest(("[quote]      ", SUGGEST)), "silver"),
    ("completions that are not tried", "suggest.read", "story.toml has no [suggest]", "text (what is typed)", all_of(completed(), edit(STORY, (TYPED, "# A check"))), "silver"),
    ("a check of credentials that finds nothing there", "check.honest", "with good credentials", "[check]", all_of(CHECKED, shows("check", {"request": {"path": "/me"}, "answer": {"status": 404, "json": {}}})), "silver"),
    ("a check of credentials without a fixture", "check.honest", "no answer to GET /me", "Add the exchange", CHECKED, "silver"),
    ("a kind of offer that nobody buys", "kinds.bought", "of the kind of storm (licence, act)", "[[also]]", all_of(manifest(('delivery = "=document", gross', 'delivery = "kind", gross')), edit("fixtures/list.json", ('"sku": "rain"', '"kind": "document", "sku": "rain"'), ('"sku": "storm"', '"kind": "licence", "sku": "storm"')), edit(STORY, ('[slow]                              # an order that takes its time: pending, then done\noffer = "storm"\ninputs = {town = "Brest"}\n', ""))), "gold"),
]  # fmt: skip


@pytest.fixture
def made(tmp_path, monkeypatch):
    """What `new` makes."""
    monkeypatch.setattr(gold, "MANY", 3_000)
    return make_skeleton("essai", tmp_path)


@pytest.mark.parametrize(
    ("ident", "named", "told", "broken", "tier"), [each[1:] for each in MISTAKES], ids=[each[0] for each in MISTAKES]
)
def test_a_mistake_is_named_and_said_what_to_do_about(ident, named, told, broken, tier, made):
    broken(made)
    report = prove(made, up_to=tier)
    assert ident in failed(report), failed(report)
    assert named in failed(report)[ident]
    result = next(each for each in report.failed if each.check.id == ident)
    assert told in result.remedy["en"]
    assert result.why["fr"]
    assert result.remedy["fr"]


@pytest.mark.parametrize(
    "right", [book(), completed(), paged('{kind = "cursor", in = "after", out = "next"}', "c1", None)]
)
def test_what_is_right_passes(right, made):
    right(made)
    assert failed(prove(made)) == {}
