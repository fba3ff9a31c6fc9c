"""Only what is delivered online is sold here: shipping, recognised in whatever JSON a merchant lists, quotes or answers.

Five disguises give a thing away: a flag that says so, its weight, its carrier or tracking number, an address to ship
to, and an option or a line of the price for shipping.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from connectors.contract import Data, Done, Input, Link, NotDone, Outcome, Pending, Physical, Quote, Unknown, Words

WORDS: Words = {
    "fr": "C’est un objet que le marchand expédierait ; seul ce qui est livré en ligne s’achète ici. Rien n’est facturé.",
    "en": "This is a physical thing that the merchant would ship; only what is delivered online is bought here. Nothing is charged.",
}
FLAGS = {
    "requires_shipping", "shipping_required", "needs_shipping", "is_shippable", "shippable", "physical", "is_physical",
    "physical_product", "physical_delivery", "livraison_physique", "a_expedier",
}  # fmt: skip
DENIED = {"is_digital", "digital", "is_virtual", "virtual", "intangible", "dematerialise", "is_dematerialised"}
"""What says so by being false."""
WEIGHTS = {
    "weight", "shipping_weight", "gross_weight", "net_weight", "weight_g", "weight_kg", "grams", "poids", "poids_g",
    "poids_kg", "dimensions", "package_dimensions",
}  # fmt: skip
CARRIERS = {
    "carrier", "carrier_name", "carrier_code", "shipping_carrier", "transporteur", "tracking_number", "tracking_numbers",
    "tracking_code", "tracking_company", "numero_suivi", "numero_de_suivi", "shipment", "shipments", "colis", "shipped_at",
    "date_expedition",
}  # fmt: skip
ADDRESSES = {
    "shipping_address", "ship_to", "shipto", "delivery_address", "shipping_contact", "adresse_livraison",
    "adresse_de_livraison", "adresse_expedition",
}  # fmt: skip
OPTIONS = {
    "shipping", "shipping_option", "shipping_options", "shipping_method", "shipping_methods", "shipping_line",
    "shipping_lines", "shipping_rate", "shipping_rates", "shipping_cost", "shipping_price", "shipping_fee", "postage",
    "shipping_total", "frais_port", "frais_de_port", "frais_livraison", "frais_de_livraison", "frais_expedition",
}  # fmt: skip
KINDS = {"type", "kind", "code", "destination_type", "delivery_type", "fulfillment_type", "delivery", "delivery_method"}
SHIPPING = {
    "shipping", "shipment", "physical", "postage", "parcel", "frais_de_port", "frais_port", "shipping_fee",
    "shipping_cost", "colis",
}  # fmt: skip
NAMES = {"description", "label", "title", "name", "text", "display_text", "libelle"}
AMOUNTS = {"net", "gross", "price", "amount", "total", "vat", "tax", "cost", "cents", "unit_price", "prix", "montant"}
PICTURES = {"image", "images", "media", "thumbnail", "cover", "picture", "pictures", "photo", "photos", "logo", "icon"}
PHONES = re.compile(r"phone|msisdn|line_type|mobile")
"""Beside these a carrier is who carries somebody's calls."""
LINE = re.compile(
    r"(?i)\b(frais\s+(de\s+port|de\s+livraison|postaux|d.?exp[ée]dition)|port\s+et\s+emballage|postage|colissimo|"
    r"chronopost|mondial\s+relay|shipping\s*(&|and)\s*handling|shipping\s+(cost|fee|charge)s?)\b|^\s*shipping\s*$"
)
TRAVELS = re.compile(r"(?i)\b(transporteur|colis|parcel|exp[ée]di[ée]e?\s+par|shipped|colissimo|chronopost)\b")
"""Not a tracking number alone: a registered e-mail has one too."""
SHIP_TO = re.compile(
    r"(?i)(adresse\s+(de\s+|d.)(livraison|exp[ée]dition)|livrer\s+à|où\s+livrer|shipping\s+address|delivery\s+address|ship\s+to)"
)
COURIERS = re.compile(r"(^|\.)(colissimo|chronopost|mondialrelay|dhl|fedex|ups|gls-group|dpd|tnt)\.[a-z.]+$")
NOTHING = {"", "none", "no", "non", "false", "aucun", "digital", "electronic", "email", "online", "n/a", "0"}
MOST, DEEPEST = 20_000, 12


def sign(content: Any) -> str:
    """What in a merchant's JSON says that a thing is shipped, in words for an administrator; "" when nothing does."""
    found = next((said for item, listed in _objects(content) for said in _signs(item, listed)), "")
    return f"something physical: {found}" if found else ""


def require(content: Any) -> None:
    """Raises `Physical` when something in a merchant's JSON says that a thing is shipped."""
    if why := sign(content):
        raise Physical(why, words=WORDS)


def bought(outcome: Outcome, content: Any) -> Outcome:
    """An outcome, unless what was bought turns out to be shipped: then a person decides."""
    why = sign(content) if isinstance(outcome, Done | Pending) else ""
    return doubt(why) if why else outcome


def doubt(why: str) -> Unknown:
    """The outcome of an order for a service that brings a thing."""
    return Unknown(f"bought as something delivered online, but {why}"[:500], needs_admin=True, cause="physical")


# --- What is known without the merchant's JSON: any connector's own answers -------------------------------------------


def asks_for_address(asked: Input) -> bool:
    """Whether an input wants to know where something is shipped to."""
    said = " ".join([*asked.label.values(), *asked.help.values()])
    return asked.type != "email" and (_plain(asked.name) in ADDRESSES or bool(SHIP_TO.search(said)))


def priced(quote: Quote) -> None:
    """Raises `Physical` when one of a quote's lines is for shipping."""
    line = next((each.description for each in quote.lines if LINE.search(each.description)), "")
    if line:
        raise Physical(f"a line of its price is for shipping: {line!r}"[:300], words=WORDS)


def told(outcome: Outcome) -> Outcome:
    """An outcome, unless what it shows the employee is how a parcel travels."""
    if isinstance(outcome, Done):
        brought = outcome.delivery
        if isinstance(brought, Data):
            labels = [word for words, _value in brought.rows for word in words.values()]
            if found := next(filter(TRAVELS.search, labels), ""):
                return doubt(f"what it brought names how it travels: {found!r}")
        if isinstance(brought, Link) and COURIERS.search(urlsplit(brought.url).hostname or ""):
            return doubt(f"what it brought is a courier's page: {urlsplit(brought.url).hostname}")
    if isinstance(outcome, Pending) and (said := next(filter(TRAVELS.search, outcome.stage.values()), "")):
        return doubt(f"the merchant says {said!r}")
    return outcome


def refused(error: Physical) -> NotDone:
    """What an order becomes that can only go on as something shipped: nothing was bought."""
    return NotDone("physical", error.words)


# --- Looking through JSON ----------------------------------------------------------------------------------------------


def _objects(content: Any) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Every object in it, and whether it stands in a list; so many at most, and not for ever deeper."""
    waiting, seen = [(content, False, 0)], 0
    while waiting and seen < MOST:
        here, listed, depth = waiting.pop()
        seen += 1
        if depth > DEEPEST:
            continue
        if isinstance(here, Mapping):
            yield here, listed
            inner = [value for name, value in here.items() if _plain(str(name)) not in PICTURES]
            waiting += [(each, False, depth + 1) for each in inner if isinstance(each, Mapping | list)]
        elif isinstance(here, list):
            waiting += [(each, True, depth + 1) for each in here if isinstance(each, Mapping | list)]


def _signs(item: Mapping[str, Any], listed: bool) -> Iterator[str]:
    names = {_plain(str(name)): name for name in item}
    calls = any(PHONES.search(name) for name in names)
    for plain, name in names.items():
        value = item[name]
        if (plain in FLAGS and _says(value)) or (plain in DENIED and value is False):
            yield f"{name} says so"
        elif plain in WEIGHTS and _says(value):
            yield f"it weighs or measures something: {name}"
        elif plain in CARRIERS and _says(value) and not (plain.startswith("carrier") and calls):
            yield f"it travels with somebody: {name}"
        elif plain in ADDRESSES and _is_postal(value):
            yield f"it goes to an address: {name}"
        elif (plain in OPTIONS and _says(value)) or (plain in KINDS and _plain_text(value) in SHIPPING):
            yield f"it is shipped: {name}" + (f" is {value}" if isinstance(value, str) else "")[:60]
        elif listed and plain in NAMES and isinstance(value, str) and LINE.search(value) and names.keys() & AMOUNTS:
            yield f"a line of its price is for shipping: {value[:100]!r}"


def _says(value: Any) -> bool:
    """Whether a value says something: a number above nothing, a text, or an object in which one stands."""
    if isinstance(value, bool) or value is None:
        return value is True
    if isinstance(value, int | float | Decimal):
        return value > 0
    if isinstance(value, str):
        number = re.match(r"\s*(\d+(?:[.,]\d+)?)", value)
        return float(number[1].replace(",", ".")) > 0 if number else value.strip().lower() not in NOTHING
    inner = list(value.values()) if isinstance(value, Mapping) else list(value) if isinstance(value, list) else []
    numbers = [each for each in inner if isinstance(each, int | float | Decimal) and not isinstance(each, bool)]
    # An amount with its currency is nothing when the amount is.
    return any(map(_says, numbers or inner))


def _is_postal(value: Any) -> bool:
    """Whether something is an address of a place; a mail address is none."""
    if isinstance(value, Mapping):
        return any(_is_postal(each) for name, each in value.items() if "mail" not in str(name).lower())
    if isinstance(value, list):
        return any(map(_is_postal, value))
    return isinstance(value, str) and bool(value.strip()) and "@" not in value


def _plain_text(value: Any) -> str:
    return _plain(value) if isinstance(value, str) and len(value) < 40 else ""


@lru_cache(maxsize=4096)
def _spelled(name: str) -> str:
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    bare = unicodedata.normalize("NFKD", apart).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")


def _plain(name: str) -> str:
    """A name as `requires_shipping`, however it is written."""
    return _spelled(name) if len(name) < 40 else ""
