"""What stands in a catalogue, an answer or a link: text is text, a link is a page, a list ends, one bad line is left out."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from flask import jsonify, request

from connectors.contract import Access, ContractBroken, Done, Link
from portal.catalog.offers import find, on_sale
from portal.checkout.outcomes import require_usable
from tests.connectors.declared_shop import MANIFEST
from tests.hostile.kinds import kind
from tests.hostile.villain import changed, login_page, offer, says

HTML = '<script>alert(1)</script><img src=x onerror=alert(1)>"\'><a href="javascript:alert(1)">x</a>'
ATTACKS = re.compile(r"<script>alert|<img src=x|<a href=\"javascript")


def slugs(world, merchant="louche"):
    """What of a merchant is on sale."""
    with world.house.database.reading() as session:
        return [row.slug for row in on_sale(session) if row.merchant == merchant]


# --- HTML ---------------------------------------------------------------------------------------------------------------


def test_html_in_a_title_is_text_on_every_page(world, later):
    words = {"fr": f"Extrait {HTML}", "en": HTML}
    world.villain.offers = [offer(title=words, summary=words, delay=words, keywords=HTML)]
    assert world.list_again().listed == 1

    for address in ("/", "/?q=extrait", "/offers/louche-kbis", "/offers/louche-kbis/card"):
        page = world.buyer.get(address)
        assert not ATTACKS.search(page), address
    assert "&lt;script&gt;" in world.buyer.get("/offers/louche-kbis")
    world.villain.does("quote", changed(subject=HTML))
    number = world.buy()
    world.settle(later)
    for page in (world.buyer.get(f"/purchases/{number}"), world.buyer.get("/purchases"), world.buyer.get(f"/purchases/{number}/receipt"),
                 world.admin.get(f"/admin/purchases/{number}"), world.admin.get("/admin/purchases")):  # fmt: skip
        assert "alert(1)" in page
        assert not ATTACKS.search(page)


def test_html_in_a_refusal_a_stage_or_a_row_is_text(world, later):
    world.villain.does("quote", says(422, error={"code": "x", "fr": HTML, "en": HTML, "field": "siren"}))
    assert world.ask_price() == ""
    assert "alert(1)" in world.buyer.page
    assert not ATTACKS.search(world.buyer.page)

    world.villain.acts.clear()
    world.villain.does("order", changed(state="preparing", stage={"fr": HTML}, retry_after=1))
    number = world.buy()
    page = world.buyer.get(f"/purchases/{number}")
    assert "alert(1)" in page
    assert not ATTACKS.search(page)

    world.villain.does("status", changed(delivery={"kind": "data", "rows": [{"label": {"fr": HTML}, "value": HTML}]}))
    world.settle(later)
    world.read_by_employee(number)
    assert "alert(1)" in world.buyer.page
    assert not ATTACKS.search(world.buyer.page)


def test_a_page_that_shows_it_all_the_same_runs_no_script(world):
    with world.buyer.client.get("/offers/louche-kbis") as response:
        policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


# --- Links --------------------------------------------------------------------------------------------------------------

NO_PAGES = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,<script>",
    "vbscript:x", "file:///etc/passwd", "http://shop.example/", "//shop.example/", "/relative", "", "https://", "https:///x",
    "blob:https://x/y", "mailto:a@b.c", "https://[::1", "https://www.lesechos.fr@evil.example/",
    "https://www.lesechos.fr:443@evil.example/", "https://evil.example\\@www.lesechos.fr/", "https://www.lesechos.fr .evil.example/",
    "https://www.lesechos.fr/\u202egnp.exe", "https://www.lesechos.fr/\r\nX: 1",
]  # fmt: skip


@pytest.mark.parametrize("url", NO_PAGES)
def test_a_link_that_is_no_page_is_no_delivery(url):
    for delivery in (Link(url), Access(url, datetime.now(UTC))):
        with pytest.raises(ContractBroken, match="leads nowhere"):
            require_usable(Done(delivery, 1200))


@pytest.mark.parametrize("value", ["https://www.lesechos.fr@evil.example/", "https://evil.example\\@www.lesechos.fr/"])
def test_an_address_among_data_that_is_not_what_it_looks_like_is_no_link(value, world):
    world.villain.delivery = {"kind": "data", "rows": [{"label": {"fr": "Voir"}, "value": value}]}

    page = world.read_by_employee(world.buy())

    assert value in page
    assert "evil.example" not in "".join(re.findall(r'href="[^"]*"', world.buyer.page))


@pytest.mark.parametrize(("rows", "value"), [(100_000, "1"), (2, "x" * 400_000)])
def test_a_table_longer_than_a_page_is_nobodys_page(rows, value, world, later):
    world.villain.offers = [offer("rows", delivery="data")]
    world.list_again()
    world.villain.delivery = {"kind": "data", "rows": [{"label": {"fr": "Ligne"}, "value": value}] * rows}

    number = world.buy("louche-rows")
    world.settle(later, {"minutes": 5}, {"minutes": 70})

    assert world.state(number) == ("disputed", "merchant_silent")
    assert len(world.read_by_employee(number)) < 100_000
    assert "a document's to bring" in world.read_by_admin(number)
    assert world.paid(number) == []


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "http://shop.example/"]
)
def test_a_purchase_that_brings_such_a_link_is_a_persons_to_decide(url, world, later, tmp_path, monkeypatch):
    linked = MANIFEST.replace(
        'delivery = {kind = "=document", url = "file", filename = "name", sha256 = "sha"}',
        'delivery = {kind = "=link", url = "file"}',
    )
    monkeypatch.setattr("tests.hostile.kinds.MANIFEST", linked)
    with kind("declared", world, tmp_path, monkeypatch) as seller:
        seller.says("order", lambda order: {**order, "file": url})
        # Its look-up says the same.
        seller.shop.answers["GET /v2/orders"] = (200, seller.shop.answers["POST /v2/orders"][1])
        number = world.buy(seller.slug, **seller.inputs)
        world.settle(later, {"minutes": 5}, {"minutes": 70})

        assert world.state(number)[0] == "disputed"
        world.read_by_employee(number)
        assert "javascript:" not in world.buyer.page
        assert "data:text" not in world.buyer.page
        assert "leads nowhere" in world.read_by_admin(number)
        assert world.paid(number) == []


# --- Lists --------------------------------------------------------------------------------------------------------------


def test_duplicate_ids_are_one_offer_and_reported(world):
    dear = {"net": "20.00", "vat_rate": "20", "vat": "4.00", "gross": "24.00", "currency": "EUR"}
    world.villain.offers = [offer(), offer(price=dear), offer("other"), offer("KBIS")]

    read = world.list_again()

    assert read.refused == ("kbis: it is listed twice; the first stands",)
    assert slugs(world) == ["louche-kbis", "louche-other", "louche-KBIS"]
    with world.house.database.reading() as session:
        assert find(session, "louche-kbis").gross_cents == 1200


@pytest.mark.parametrize("bad", [
    {"id": "../../x"}, {"id": "a b"}, {"id": None}, {"id": "x" * 500}, {"title": None}, {"title": "text"}, {"title": {"en": "Only"}},
    {"price": None}, {"price": []}, {"category": "<b>"}, {"delivery": "parcel"}, {"summary": {"fr": "x" * 5000}}, {"keywords": "x" * 5000},
])  # fmt: skip
def test_one_bad_line_is_left_out_and_named_and_the_others_stay(bad, world):
    world.villain.offers = [
        offer("first"),
        offer("bad", **bad) if "id" not in bad else {**offer(), **bad},
        offer("last"),
    ]

    read = world.list_again()

    assert (read.listed, read.problem, read.refused_count) == (2, "", 1)
    assert slugs(world) == ["louche-first", "louche-last"]


def test_a_line_that_is_none_is_left_out(world):
    world.villain.offers = [offer(), None, "text", 3, []]

    read = world.list_again()

    assert (read.listed, read.problem, read.refused_count) == (1, "", 4)


def paged(size, total, more=None):
    """A catalogue of so many offers, page by page."""

    def act(_honest):
        first = int(request.args.get("after", 0))
        page = [offer(f"o{number:05}") for number in range(first, min(first + size, total))]
        return jsonify(offers=page, next=more or (str(first + size) if first + size < total else None))

    return act


def test_an_endless_cursor_ends(world):
    world.villain.does("catalogue", paged(2, 10_000, more="2"))
    read = world.list_again()

    assert "never ends" in read.problem
    assert world.villain.asked["catalogue"] < 5
    assert "louche-kbis" in slugs(world)


def test_50_000_offers_are_read_page_by_page_and_never_held_together(world):
    world.villain.does("catalogue", paged(2_000, 50_000))
    pages = world.villain.asked["catalogue"]

    for read, _offer in enumerate(world.house.merchants.connector("louche").list_offers(), start=1):
        # No page is asked for before the one at hand has been given away.
        assert world.villain.asked["catalogue"] - pages == (read + 1_999) // 2_000
    assert read == 50_000


@pytest.mark.parametrize(
    "act", [login_page, says(200, offers="none"), says(200), says(200, offers=[]), says(500), says(401)]
)
def test_a_page_instead_of_a_list_leaves_what_was_on_sale(act, world):
    world.villain.does("catalogue", act)

    assert world.list_again().problem

    assert slugs(world) == ["louche-kbis"]
    assert world.ask_price()
