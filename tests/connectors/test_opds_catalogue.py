"""What of an OPDS catalogue is on sale: feeds of any length and form, and reasons for everything that is left out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import ContractBroken, Offer, Removed, State, Unavailable, Unfit
from connectors.merchants.registry import LoadedMerchant
from connectors.opds import catalogue, links, wire
from connectors.opds.manifest import OpdsManifest
from connectors.opds.publications import listed
from connectors.opds.text import plain, words
from demo.opds_feeds import feed, link, price, publication
from demo.opds_goods import BOOKS, MANIFEST
from demo.opds_library import Library
from portal.catalog.merchants import Merchants
from portal.catalog.synchronisation import synchronise
from portal.database import Database
from portal.migrations import schema
from tests.connectors.opds_world import library, load, seller

__all__ = ["library", "load", "seller"]
BASE = "https://librairie.example"
TEMPLATE = f"{BASE}/opds/publications/{{id}}"
LCP = "application/vnd.readium.lcp.license.v1.0+json"
BUY, OPEN = links.BUY, links.OPEN


@pytest.fixture
def manifest() -> OpdsManifest:
    """The demonstration's."""
    return OpdsManifest.model_validate(tomllib.loads(MANIFEST))


def book(*ways: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A publication sold in some ways, or as an EPUB of 10 €."""
    made = json.loads(json.dumps(publication(BOOKS["livre-102"])), parse_float=Decimal)
    made["metadata"] |= metadata
    made["links"] = [made["links"][0], *(ways or [way()])]
    return made


def way(
    media: str = "application/epub+zip", relation: str = BUY, href: str = "/opds/buy/x", **more: Any
) -> dict[str, Any]:
    """One acquisition link; of 10 € if nothing else is said."""
    return {"properties": {"price": {"value": 10, "currency": "EUR"}}, **link(relation, href, media), **more}


def one(content: dict[str, Any], manifest: OpdsManifest) -> Any:
    """What the catalogue makes of it."""
    return listed(content, f"{BASE}/opds/lists/livres", TEMPLATE, manifest)


class Pages:
    """A catalogue in memory, for what is about reading and not about the network."""

    root, publication = f"{BASE}/opds/catalogue", TEMPLATE

    def __init__(self, pages: dict[str, Any]) -> None:
        self.pages, self.read_urls = pages, list[str]()

    def read(self, url: str) -> Any:
        """A page."""
        self.read_urls.append(url)
        made = self.pages[url.removeprefix(BASE)]
        return made() if callable(made) else made

    read_feed = read

    def is_own(self, url: str) -> bool:
        """Ours."""
        return url.startswith(BASE)


def many(count: int, size: int = 100) -> Pages:
    """A catalogue of many publications in one list; each page is parsed from its text, as from the network."""
    text = json.dumps(publication(BOOKS["livre-102"]))

    def page(number: int) -> Any:
        found = [
            text.replace("livre-102", f"b-{each}") for each in range(number * size, min((number + 1) * size, count))
        ]
        more = [link("next", f"/p/{number + 1}")] if (number + 1) * size < count else []
        head = json.dumps({"metadata": {"title": "x"}, "links": [link("self", f"/p/{number}"), *more]})
        return json.loads(f'{head[:-1]}, "publications": [{",".join(found)}]}}', parse_float=Decimal)

    pages: dict[str, Any] = {
        f"/p/{number}": (lambda number=number: page(number)) for number in range(-(-count // size))
    }
    pages["/opds/catalogue"] = feed("x", "/opds/catalogue", navigation=[{"title": "t", **link("subsection", "/p/0")}])
    return Pages(pages)


def read(pages: Any, manifest: OpdsManifest, state: str = "") -> list[Any]:
    """Everything that is listed."""
    return list(catalogue.read(pages, manifest, state))


# --- A bookshop on a socket -----------------------------------------------------------------------


def test_the_bookshop_lists_what_it_sells_once_and_says_why_not_the_rest(library, seller):
    found = list(seller.list_offers())
    offers = [item for item in found if isinstance(item, Offer)]
    assert len(offers) == len({offer.id for offer in offers}) == len(BOOKS) - 7
    assert {item.id: item.why.split(",")[0] for item in found if isinstance(item, Unfit)} == {
        "autre-page": "it is bought on a page of the publisher's",
        "autre-locked": f"it is locked ({LCP}): only a reading application with a passphrase of its own opens it",
        "autre-paper": "something physical", "autre-dollars": "its price is in USD", "autre-lent": "it is lent",
        "autre-spoken": "it comes as audio/mpeg",
    }  # fmt: skip
    assert [item.id for item in found if isinstance(item, Removed)] == ["autre-away"]
    rates = {offer.category: (offer.vat_rate_bp, offer.delivery) for offer in offers}
    assert rates == {"livres": (550, "document"), "normes": (2000, "document"), "presse": (210, "document")}


def test_the_portal_keeps_what_it_can_sell_and_withdraws_what_is_gone(library, seller, tmp_path):
    database = Database(f"sqlite:///{tmp_path}/books.db")
    schema.upgrade(database)
    merchants = Merchants({"librairie": LoadedMerchant(seller.manifest, seller)})
    [first] = synchronise(database, merchants)
    assert (first.listed, first.refused_count, first.problem) == (36, 6, "")
    assert any("autre-page" in said and "card" in said for said in first.refused)
    del library.books["livre-101"]
    library.books["livre-105"] = replace(BOOKS["autre-away"], id="livre-105")
    [second] = synchronise(database, merchants)
    assert (second.listed, second.removed, second.problem) == (34, 2, "")
    library.break_("junk")
    [third] = synchronise(database, merchants)
    assert (third.listed, third.removed, third.refused_count, third.problem) == (34, 0, 6 + 4, "")
    assert any("here stands None (number 11 of /opds/lists/livres)" in said for said in third.refused)
    library.break_("object")
    [fourth] = synchronise(database, merchants)
    assert (fourth.removed, "no list" in fourth.problem) == (0, True), "the last good list stays on sale"
    database.close()


def test_a_place_for_machines_is_read_instead_of_everything_else(library, seller):
    library.break_("whole")
    found = [item for item in seller.list_offers() if isinstance(item, Offer)]
    assert len(found) == len(BOOKS) - 7
    read = {path.partition("?")[0] for _method, path, _headers in library.seen}
    assert read == {"/opds/catalogue", "/opds/lists/all"}


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("garbage", "text/html"), ("strange", "no OPDS 2.0 feed"), ("object", "publications are no list"), ("endless", "never ends"), ("loop", "never ends"),
        ("foreign", "not among the hosts"),
    ],
)  # fmt: skip
def test_what_is_no_list_or_never_ends_is_refused(fault, why, library, seller):
    other = Library()
    other.start()
    try:
        library.elsewhere = other.url
        library.break_(fault)
        with pytest.raises(ContractBroken, match=why):
            list(seller.list_offers())
        assert other.seen == []
        assert len(library.seen) < 100
    finally:
        other.stop()


def test_the_same_twice_on_one_page_is_told_and_the_first_stands(library, seller):
    library.break_("doubled")
    found = list(seller.list_offers())
    told = [item for item in found if isinstance(item, Unfit) and "twice" in item.why]
    assert told
    assert [item.title["fr"] for item in found if isinstance(item, Offer) and item.id == "livre-101"] == [
        BOOKS["livre-101"].title
    ]


def test_a_bookshop_that_is_down_lists_nothing(library, seller):
    library.break_("down")
    with pytest.raises(Unavailable):
        list(seller.list_offers())


# --- Feeds of any length and form -----------------------------------------------------------------


READING = """
import resource, tomllib
from tests.connectors.test_opds_catalogue import MANIFEST, Offer, OpdsManifest, catalogue, many
manifest = OpdsManifest.model_validate(tomllib.loads(MANIFEST))
for count in (1_000, 50_000):
    found = sum(isinstance(item, Offer) for item in catalogue.read(many(count), manifest, ""))
    print(found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_fifty_thousand_publications_cost_no_memory():
    """In a process of its own: what others have used before us would hide what we use."""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", READING], cwd=root, capture_output=True, text=True, check=True)
    (few, little), (lots, much) = [map(int, line.split()) for line in done.stdout.splitlines()]
    assert (few, lots) == (1_000, 50_000)
    assert much - little < 20, "what is kept of each is a mark of a few bytes"


def test_a_long_list_goes_on_where_it_was_interrupted(manifest):
    whole = read(many(2_300), manifest)
    states = [item for item in whole if isinstance(item, State)]
    assert [json.loads(state.cursor) for state in states] == [[f"{BASE}/p/{number}"] for number in (5, 10, 15, 20)]
    pages = many(2_300)
    rest = read(pages, manifest, states[2].cursor)
    assert [item.id for item in rest if isinstance(item, Offer)] == [f"b-{number}" for number in range(1_500, 2_300)]
    assert pages.read_urls[0] == f"{BASE}/p/15"
    with pytest.raises(ContractBroken):
        read(pages, manifest, "{not a place")


def test_an_interrupted_reading_does_not_begin_again_at_the_place_for_machines(manifest):
    pages = many(1_200)
    pages.pages["/opds/catalogue"]["links"].append(link(catalogue.CRAWLABLE, "/p/0"))
    for number in range(12):
        made = pages.pages[f"/p/{number}"]
        pages.pages[f"/p/{number}"] = lambda made=made: {
            **made(), "links": [*made()["links"], link(catalogue.CRAWLABLE, "/p/0")],
        }  # fmt: skip
    whole = read(pages, manifest)
    assert sum(isinstance(item, Offer) for item in whole) == 1_200
    state = next(item for item in whole if isinstance(item, State))
    assert sum(isinstance(item, Offer) for item in read(pages, manifest, state.cursor)) == 700


def test_feeds_that_lead_to_each_other_are_read_once(manifest):
    pages = Pages({
        "/opds/catalogue": feed("x", "/opds/catalogue", navigation=[
            {"title": "a", **link("subsection", "/a")}, {"title": "b", **link(["subsection"], "/b")},
            {"title": "page", **link("subsection", "/c", "text/html")}, {"title": "far", **link("subsection", "https://far.example/d")},
            {"title": "search", **link("subsection", "/s{?query}"), "templated": True}, {"title": "shelf", **link(wire.SHELF, "/e")},
        ]),
        "/a": feed("a", "/a", navigation=[{"title": "up", **link("subsection", "/opds/catalogue")}], publications=[book()]),
        "/b": feed("b", "/b", groups=[{
            "metadata": {"title": "g"}, "links": [link("self", "/b2")], "publications": [book()],
        }, {"metadata": {"title": "h"}, "navigation": [{"title": "a", **link("subsection", "/a")}]}]),
        "/b2": feed("b2", "/b2", publications=[book()]),
    })  # fmt: skip
    found = read(pages, manifest)
    assert [item.id for item in found] == ["livre-102"]
    assert sorted(url.removeprefix(BASE) for url in pages.read_urls) == ["/a", "/b", "/b2", "/opds/catalogue"]


def test_a_catalogue_of_too_many_feeds_is_refused(manifest, monkeypatch):
    monkeypatch.setattr(catalogue, "MOST_FEEDS", 5)
    with pytest.raises(ContractBroken, match="more than 5 feeds"):
        read(many(1_000), manifest)
    far = [{"title": "x", **link("subsection", f"/n/{number}")} for number in range(6)]
    pages = Pages(
        {"/opds/catalogue": feed("x", "/opds/catalogue", navigation=far), "/n/0": feed("x", "/n/0", navigation=[])}
    )
    with pytest.raises(ContractBroken, match="more than 5 feeds"):
        read(pages, manifest)


@pytest.mark.parametrize("value", [10**32, Decimal("1E+30"), Decimal("1E+900000"), Decimal("1E+999999")])
def test_a_price_beyond_all_measure_stops_neither_the_list_nor_the_portal(value, manifest):
    dear = book(way(properties={"price": {"value": value, "currency": "EUR"}}))
    fair = json.loads(json.dumps(dear, default=str).replace("livre-102", "livre-103"))
    fair["links"][1]["properties"]["price"]["value"] = 10
    begun = time.process_time()

    found = read(Pages({"/opds/catalogue": feed("x", "/opds/catalogue", publications=[dear, fair])}), manifest)

    assert [type(each) for each in found] == [Unfit, Offer]
    assert "amount" in found[0].why
    assert time.process_time() - begun < 1


def test_an_address_that_is_none_leaves_the_rest_of_the_catalogue(manifest):
    bad, good = book(), book()
    bad["links"][0]["href"] = "https://[half"
    nowhere = [{"title": "x", **link("subsection", "https://[half")}, {"title": "y", **link("subsection", "/n")}]
    pages = Pages({
        "/opds/catalogue": feed("x", "/opds/catalogue", publications=[bad], navigation=nowhere),
        "/n": feed("x", "/n", publications=[good]),
    })  # fmt: skip

    assert [type(each) for each in read(pages, manifest)] == [Unfit, Offer]


NO_PUBLICATIONS = [
    3,
    "x",
    None,
    [],
    {},
    {"metadata": 3},
    {"metadata": {}},
    {"metadata": {"title": "Seul"}},
    {"links": "x"},
]


@pytest.mark.parametrize("content", NO_PUBLICATIONS, ids=str)
def test_what_is_no_publication_is_reported_with_its_place_and_the_others_are_kept(content, manifest):
    shown = [book(), content, content, named("livre-103")]
    found = read(Pages({"/opds/catalogue": feed("x", "/opds/catalogue", publications=shown)}), manifest)
    assert [type(each) for each in found] == [Offer, Unfit, Unfit, Offer], (
        "each is reported, also when two are the same"
    )
    assert [each.why.rpartition("(")[2] for each in found[1:3]] == [
        "number 2 of /opds/catalogue)", "number 3 of /opds/catalogue)",
    ]  # fmt: skip
    assert "not a publication" in found[1].why or "self link is missing" in found[1].why


def test_without_title_or_links_it_is_reported_by_its_name(manifest):
    bare, unsold = book(), named("livre-103")
    del bare["metadata"]["title"]
    del unsold["links"][1:]
    found = read(Pages({"/opds/catalogue": feed("x", "/opds/catalogue", publications=[bare, unsold])}), manifest)
    assert found == [
        Unfit("livre-102", "it has no title"),
        Unfit("livre-103", "it is neither sold nor free: none of its links says so"),
    ]
    headless = book()
    del headless["metadata"]
    assert one(headless, manifest) == Unfit("livre-102", "not a publication: it has no metadata")


def test_what_a_feed_sorts_in_several_ways_is_reported_once(manifest):
    nowhere = [{"title": "a", **link("subsection", "/a")}, {"title": "b", **link("subsection", "/b")}]
    junk = [None, {"metadata": {"title": "Seul"}}, None]
    pages = Pages({
        "/opds/catalogue": feed("x", "/opds/catalogue", navigation=nowhere),
        "/a": feed("a", "/a", publications=[*junk, book()]), "/b": feed("b", "/b", publications=[book(), *junk]),
    })  # fmt: skip
    assert [type(each) for each in read(pages, manifest)] == [Unfit, Unfit, Unfit, Offer]


def test_a_group_that_is_none_leaves_the_others(manifest):
    groups: list[Any] = ["x", None, {"metadata": {"title": "g"}, "publications": {"0": book()}}]
    groups.append({"metadata": {"title": "h"}, "publications": [book()]})
    found = read(Pages({"/opds/catalogue": feed("x", "/opds/catalogue", groups=groups)}), manifest)
    assert [type(each) for each in found] == [Unfit, Unfit, Unfit, Offer]


@pytest.mark.parametrize(
    "junk", [None, 3, "x", "<![x[", True, [], [None], {}, {"value": "x"}, "1e400", Decimal("NaN")], ids=str
)
def test_whatever_stands_in_a_part_of_a_publication_stops_no_list(junk, manifest):
    """Each part of it in turn, wherever it stands."""
    for place in places(book()):
        broken = book()
        put(broken, place, junk)
        shown = [broken, named("livre-103")]
        found = read(Pages({"/opds/catalogue": feed("x", "/opds/catalogue", publications=shown)}), manifest)
        assert found[-1].id == "livre-103", place
        assert isinstance(found[-1], Offer), place
        assert all(isinstance(each, Offer | Unfit | Removed) for each in found), place


def named(ident: str) -> dict[str, Any]:
    """Another publication."""
    made: dict[str, Any] = json.loads(json.dumps(book(), default=str).replace("livre-102", ident))
    return made


def places(content: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where everything in it stands."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else []
    return [each for name, part in inner for each in ((*place, name), *places(part, (*place, name)))]


def put(content: Any, place: tuple[Any, ...], junk: Any) -> None:
    """Something else at a place."""
    for name in place[:-1]:
        content = content[name]
    content[place[-1]] = junk


# --- One publication ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sold", "why"),
    [
        (way("text/html"), "card"), (way("application/xhtml+xml; charset=utf-8"), "card"), (way(LCP), "locked"),
        (way("application/vnd.adobe.adept+xml"), "locked"), (way(properties={"encrypted": {"scheme": "x"}}), "locked"),
        (way(properties={"indirectAcquisition": [{"type": "application/pdf"}]}), "several steps"),
        (way("application/atom+xml;type=entry"), "not kept"), (way(""), "no type"),
        (way(properties={}), "no price"), (way(properties={"price": 3}), "no price"),
        (way(properties={"price": {"value": "10", "currency": "EUR"}}), "no price"),
        (way(properties={"price": {"value": True, "currency": "EUR"}}), "no price"),
        (way(properties={"price": {"value": 10, "currency": "USD"}}), "USD"),
        (way(properties={"price": {"value": 10}}), "None"),
        (way(properties={"price": {"value": Decimal("9.999"), "currency": "EUR"}}), "decimals"),
        (way(properties={"price": {"value": -1, "currency": "EUR"}}), "below zero"),
        (way(properties={"price": {"value": Decimal("NaN"), "currency": "EUR"}}), "decimals"),
        (way(href="https://elsewhere.example/buy"), "another host"), (way(href="javascript:buy()"), "another host"),
        (way(templated=True), "template"), (way(properties={"copies": {"total": 3}}), "lent"),
        (way(relation=links.BORROW), "lent"), (way(relation=links.ACQUISITION), "neither sold nor free"),
        (way(relation=f"{links.ACQUISITION}/sample"), "neither sold nor free"),
        (way(relation=links.SUBSCRIBE), "how long"), (way(relation=OPEN), "said to be free"),
    ],
)  # fmt: skip
def test_what_cannot_be_invoiced_or_delivered_is_not_listed_and_says_why(sold, why, manifest):
    found = one(book(sold), manifest)
    assert isinstance(found, Unfit)
    assert why in found.why


@pytest.mark.parametrize(
    "disguise",
    [
        {"weight": {"value": 250}}, {"width": 21}, {"requiresShipping": True}, {"carrier": "Colissimo"},
        {"bookFormat": "http://schema.org/Hardcover"}, {"bookFormat": "Paperback"},
    ],
)  # fmt: skip
def test_nothing_printed_is_listed(disguise, manifest):
    found = one(book(**disguise), manifest)
    assert isinstance(found, Unfit)
    assert "physical" in found.why
    if {"requiresShipping", "carrier"} & disguise.keys():
        sold = way(properties={"price": {"value": 10, "currency": "EUR"}, **disguise})
        assert "physical" in one(book(sold), manifest).why


@pytest.mark.parametrize("state", ["unavailable", "reserved"])
def test_what_is_not_available_is_removed(state, manifest):
    sold = way(properties={"price": {"value": 10, "currency": "EUR"}, "availability": {"state": state}})
    assert one(book(sold), manifest) == Removed("livre-102")
    assert isinstance(one(book(sold, way("application/pdf")), manifest), Offer)


def test_a_self_link_that_cannot_be_read_again_is_no_offer(manifest):
    for content in (book(), book(title="x", identifier=None)):
        content["links"][0]["href"] = "https://elsewhere.example/livre-102"
        assert "self link" in one(content, manifest).why
    content = book()
    del content["links"][0]
    assert isinstance(one(content, manifest), Unfit)


def test_prices_are_decimals_and_hold_vat(manifest):
    text = json.dumps({"properties": {"price": {"value": 0.29, "currency": "EUR"}}})
    assert links.cents_of(json.loads(text, parse_float=Decimal)) == 29
    assert links.cents_of({"properties": {"price": price(1990)}}) == 1990
    for category, vat in (("NOR", 167), ("x", 52)):
        found = one(book(subject={"name": "s", "code": category}), manifest)
        assert (found.net_cents + found.vat_cents, found.vat_cents) == (1000, vat)


def test_several_files_are_a_choice_and_the_cheapest_of_each_is_taken(manifest):
    dear = way(properties={"price": {"value": Decimal("12.5"), "currency": "EUR"}})
    found = one(book(dear, way(), way("application/pdf", properties=dear["properties"]), way("text/html")), manifest)
    assert found.gross_cents == 1000
    [choice] = found.inputs
    assert choice.choices == (
        ("epub", {"fr": "EPUB, 10,00 €", "en": "EPUB, €10.00"}), ("pdf", {"fr": "PDF, 12,50 €", "en": "PDF, €12.50"}),
    )  # fmt: skip


def test_a_subscription_is_sold_for_the_time_that_was_agreed(manifest):
    agreed = manifest.model_copy(update={"catalogue": manifest.catalogue.model_copy(update={"subscription": "P1Y"})})
    found = one(book(way(relation=links.SUBSCRIBE)), agreed)
    assert (found.pricing, found.term, found.gross_cents) == ("subscription", "P1Y", 1000)
    bought = one(book(way(relation=links.SUBSCRIBE), way("application/pdf")), agreed)
    assert (bought.pricing, bought.term, bought.inputs) == ("act", "", ())


def test_words_are_plain_in_both_languages(manifest):
    found = one(
        book(
            title={"en-GB": "A <b>book</b>", "fr-FR": "Un livre", "de": "Ein Buch"}, language=["en", "fr"], numberOfPages=212,
            author=["Jules Verne", {"name": {"fr": "Inès O.", "en": "Ines O."}}, 3], publisher={"name": "Éditions X"},
            description="<script>alert(1)</script><p>Une <em>étude</em></p><p>utile &amp; brève.</p>", published="2026-01-02",
        ),
        manifest,
    )  # fmt: skip
    assert found.title == {"fr": "Un livre", "en": "A book"}
    assert (
        found.summary["fr"]
        == "Par Jules Verne, Inès O., Éditions X, 2026, 212 pages, en anglais. Une étude utile & brève."
    )
    assert found.summary["en"].startswith("By Jules Verne, Inès O., Éditions X, 2026, 212 pages, in English.")
    assert "Jules Verne" in found.keywords


def test_a_publication_that_says_little_is_an_offer_too(manifest):
    bare = book()
    bare["metadata"] = {"title": "Seul"}
    found = one(bare, manifest)
    assert found.summary == {"fr": "Seul", "en": "Seul"}
    bare["metadata"] = {"title": {}}
    assert one(bare, manifest).why == "it has no title"
    bare["metadata"] = {
        "title": "x" * 5000,
        "description": "mot " * 5000,
        "author": ["n" * 900] * 9,
        "subject": 3,
        "published": {},
    }
    long = one(bare, manifest)
    assert max(map(len, [*long.title.values(), *long.summary.values(), long.keywords])) <= 2000


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a &lt;b&gt; c", "a <b> c"), ("<p>a</p><p>b", "a b"), ("a<br/>b", "a b"), ("<style>x</style>y", "y"), (None, ""), (3, ""),
        ("a < b", "a < b"), ("Un livre\u00a0: <ul><li>a</li><li>b</li></ul>", "Un livre\u00a0: · a · b"), ("  a \n\t b ", "a b"), ("<!-- x -->y<![CDATA[z]]>", "y"), ("<p>a</p><![x[b", "a"),
    ],
)  # fmt: skip
def test_html_is_taken_off(given, said):
    assert plain(given) == said


def test_a_language_map_without_french_stands_for_it():
    assert words({"de": "Buch"}, "fr") == {"fr": "Buch", "en": "Buch"}
    assert words("Livre", "fr") == {"fr": "Livre", "en": "Livre"}
    assert words({"de": "Buch", "en": "Book"}, "fr") == {"fr": "Book", "en": "Book"}
    assert words("Book", "en") == {"fr": "Book", "en": "Book"}
    assert words(["Book"], "en") == {}
