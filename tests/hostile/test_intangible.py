"""Only what is delivered online: five disguises of a thing, in the feed, at the price and after the order, of every kind
of connector; what the employee reads, and where an administrator sees why.
"""

from __future__ import annotations

import pytest

from connectors.contract import (
    Data,
    Document,
    Done,
    Input,
    Link,
    Offer,
    Pending,
    Physical,
    Quote,
    QuoteLine,
    Unknown,
)
from connectors.declared.manifest import InputTable
from connectors.intangible import asks_for_address, priced, sign, told
from portal import clock
from portal.catalog.offers import on_sale
from portal.catalog.synchronisation import _fault_of
from portal.checkout.quotes import check_quote
from tests.hostile.kinds import KINDS, kind
from tests.hostile.villain import quote_json, says

DISGUISES = {
    "a flag": {"requires_shipping": True},
    "a weight": {"weight": {"value": 250, "unit": "g"}},
    "a carrier": {"carrier": "Colissimo", "trackingNumber": "6A123"},
    "an address to ship to": {"shipping_address": {"line_one": "1 rue X", "city": "Brest"}},
    "a line for shipping": {"lines": [{"description": "Frais de port", "net": "4.90", "vat_rate": "20", "vat": "0.98"}]},
}  # fmt: skip


@pytest.fixture(params=KINDS)
def seller(request, world, tmp_path, monkeypatch):
    with kind(request.param, world, tmp_path, monkeypatch) as made:
        yield made


def merchant_of(seller):
    return seller.slug.partition("-")[0]


@pytest.mark.parametrize("disguise", DISGUISES)
def test_in_the_feed_it_is_left_out_and_named(disguise, seller, world):
    seller.sells(lambda item: {**item, **DISGUISES[disguise]})

    read = world.list_again(merchant_of(seller))

    assert (read.problem, read.refused_count) == ("", 1)
    assert "thing" in read.refused[0]
    assert "something physical" in read.refused[0]
    with world.house.database.reading() as session:
        slugs = [row.slug for row in on_sale(session)]
    assert seller.slug in slugs
    assert f"{merchant_of(seller)}-thing" not in slugs


@pytest.mark.parametrize("disguise", DISGUISES)
def test_at_the_price_it_is_refused_and_the_journal_says_why(disguise, seller, world):
    seller.says("quote", lambda content: {**content, **DISGUISES[disguise]})
    noted = world.journal().count(f"{seller.slug}</")

    assert world.ask_price(seller.slug, **seller.inputs) == ""

    assert "c'est un objet" in world.buyer.text
    assert "Rien n'a été acheté" in world.buyer.text
    assert (world.orders(), seller.made) == (0, 0)
    page = world.journal()
    assert "Objet refusé" in page
    assert "something physical" in page
    assert page.count(f"{seller.slug}</") == noted + 1
    world.ask_price(seller.slug, **seller.inputs)
    assert world.journal().count(f"{seller.slug}</") == noted + 1


@pytest.mark.parametrize("disguise", DISGUISES)
def test_after_the_order_it_is_a_persons_to_decide_and_the_dispute_says_why(disguise, seller, world, later):
    seller.says("order", lambda content: {**content, **DISGUISES[disguise]})

    number = world.buy(seller.slug, **seller.inputs)
    world.settle(later)

    assert world.state(number) == ("disputed", "merchant_ships")
    assert (world.paid(number), seller.made) == ([], 1)
    assert "expédierait quelque chose" in world.read_by_employee(number)
    assert "something physical" in world.read_by_admin(number)
    assert "expédierait quelque chose" in world.read_by_admin(number)


def test_a_new_price_that_is_physical_is_a_refusal(world, later):
    new = {**quote_json(), "requires_shipping": True}
    world.villain.does("order", says(409, error={"code": "price_changed"}, quote=new))

    number = world.buy()
    world.settle(later)

    assert world.state(number)[0] == "failed"
    assert "seul ce qui est livré en ligne" in world.read_by_employee(number)
    assert (world.villain.made, world.paid(number)) == ({}, [])


# --- What gives a thing away, and what does not ---------------------------------------------------------------------

PHYSICAL = [
    {"requiresShipping": "true"}, {"is-physical": 1}, {"livraison physique": True}, {"virtual": False}, {"isDigital": False},
    {"Weight": "0.5 kg"}, {"poids": 12}, {"grams": 300}, {"dimensions": {"height": 3}}, {"data": [{"item": {"weight_g": 1}}]},
    {"transporteur": "Chronopost"}, {"numéro de suivi": "X"}, {"shipments": [{"id": 1}]}, {"tracking_number": "6A"},
    {"adresseLivraison": "1 rue X, Brest"}, {"ship_to": {"city": "Brest"}}, {"shippingAddress": [{"zip": "29"}]},
    {"shipping": {"amount": 4.9, "currency": "EUR"}}, {"shipping_cost": "4,90"}, {"frais de port": 3}, {"options": [{"type": "shipping"}]},
    {"delivery": "parcel"}, {"lines": [{"label": "Port et emballage", "amount": 4}]}, {"fees": [{"name": "Shipping & handling", "price": 1}]},
]  # fmt: skip
INTANGIBLE = [
    {}, [], None, "colis", 3, {"requires_shipping": False}, {"weight": 0}, {"weight": None}, {"weight": "0 g"}, {"virtual": True},
    {"shipping": {"amount": 0, "currency": "EUR"}}, {"shipping": None}, {"shipping_cost": "0.00"}, {"shipping_method": "none"},
    {"tracking_number": ""}, {"shipments": []}, {"delivery_address": "chloe@acme.example"}, {"shipping_address": {"email": "a@b.c"}},
    {"phone": "+33142685300", "carrier": "Orange", "line_type": "mobile"}, {"carrier_name": "SFR", "mobile_network_code": "10"},
    {"cover": {"dimensions": {"width": 100}}}, {"title": "Calculer ses frais de port", "price": 12}, {"type": "digital"}, {"type": "post"}, {"parcels": ["AB 12"]}, {"lines": [{"label": "Shipping industry report", "price": 3}]},
    {"siege": {"address": "1 rue X", "city": "Brest"}}, {"lines": [{"description": "Livraison en ligne", "net": 1}]},
]  # fmt: skip


@pytest.mark.parametrize("content", PHYSICAL, ids=str)
def test_what_gives_a_thing_away(content):
    assert sign(content).startswith("something physical: ")


@pytest.mark.parametrize("content", INTANGIBLE, ids=str)
def test_what_does_not(content):
    assert sign(content) == ""


def test_a_merchant_that_nests_without_end_is_looked_at_for_a_moment():
    deep: dict = {"weight": 1}
    for _level in range(5000):
        deep = {"a": deep}

    assert sign(deep) == ""
    assert sign([{"a": 1}] * 100_000) == ""


# --- Connectors of any code: the core has only what they say --------------------------------------------------------

WORDS = {"fr": "Un", "en": "One"}
ADDRESSES = [
    Input("shipping_address", WORDS), Input("place", {"fr": "Adresse de livraison"}), Input("to", WORDS, help={"fr": "Où livrer ?"}),
    Input("where", {"fr": "Lieu", "en": "Delivery address"}), Input("shipTo", WORDS),
]  # fmt: skip
HARMLESS = [
    Input("address", {"fr": "Adresse du siège"}), Input("mail", {"fr": "Adresse de livraison électronique"}, "email"),
    Input("city", {"fr": "Fait à"}), Input("delivery_address", WORDS, "email"),
]  # fmt: skip


@pytest.mark.parametrize("asked", ADDRESSES)
def test_an_offer_that_asks_where_to_ship_is_none(asked):
    assert asks_for_address(asked)
    bad = Offer("o", WORDS, WORDS, "presse", 1000, 2000, 200, 1200, "EUR", "document", (asked,))
    assert "where to ship" in _fault_of(bad)


@pytest.mark.parametrize("asked", HARMLESS)
def test_other_addresses_may_be_asked_for(asked):
    assert not asks_for_address(asked)


def test_a_manifest_that_asks_where_to_ship_is_refused():
    with pytest.raises(ValueError, match="where to ship"):
        InputTable.model_validate({"name": "place", "label": {"fr": "Adresse de livraison"}})


def test_a_quote_with_a_line_for_shipping_is_refused_whoever_wrote_the_connector():
    quote = Quote("q", 1000, 2000, 200, 1200, "EUR", clock.now(), (QuoteLine("Frais de livraison", 1000, 2000, 200),))

    with pytest.raises(Physical, match="Frais de livraison"):
        priced(quote)
    with pytest.raises(Physical):
        check_quote(quote)


@pytest.mark.parametrize("outcome", [
    Done(Data((({"fr": "Transporteur"}, "DHL"),)), 1200), Done(Data((({"fr": "N", "en": "Parcel"}, "6A"),)), 1200),
    Done(Link("https://www.chronopost.fr/suivi"), 1200), Pending("r", 5, {"fr": "Votre colis est en route"}),
])  # fmt: skip
def test_a_delivery_that_travels_is_a_persons_to_decide_whoever_wrote_the_connector(outcome):
    found = told(outcome)

    assert isinstance(found, Unknown)
    assert (found.needs_admin, found.cause) == (True, "physical")


@pytest.mark.parametrize("outcome", [
    Done(Data((({"fr": "Titulaire"}, "Colis SA"),)), 1200), Done(Data((({"fr": "Opérateur", "en": "Carrier"}, "Orange"),)), 1200),
    Done(Link("https://www.laposte.fr/lettre-recommandee-en-ligne"), 1200), Done(Data((({"fr": "Numéro de suivi"}, "LRE-1"),)), 1200), Done(Document("application/pdf", "https://m.example/d", "d.pdf"), 1200),
    Done(Link("https://www.lesechos.fr/a"), 1200), Pending("r", 5, {"fr": "Analyse"}),
])  # fmt: skip
def test_other_deliveries_are_what_they_are(outcome):
    assert told(outcome) is outcome
