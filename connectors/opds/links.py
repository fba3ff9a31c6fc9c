"""Link Objects (OPDS 2.0, sections 1 and 4.3): which of a publication's links sell it as a file, and why others do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

from connectors.contract import ContractBroken
from connectors.merchants.answers import whole
from connectors.opds.manifest import OpdsManifest

ACQUISITION = "http://opds-spec.org/acquisition"
BUY, SUBSCRIBE, OPEN = f"{ACQUISITION}/buy", f"{ACQUISITION}/subscribe", f"{ACQUISITION}/open-access"
BORROW = f"{ACQUISITION}/borrow"
SOLD: Mapping[str, Literal["buy", "subscribe", "free"]] = {BUY: "buy", SUBSCRIBE: "subscribe", OPEN: "free"}
FORMATS: Mapping[str, str] = {"application/epub+zip": "epub", "application/pdf": "pdf"}
MEDIA_TYPES = {name: media for media, name in FORMATS.items()}
PAGES = {"text/html", "application/xhtml+xml"}
LOCKED = {
    "application/vnd.readium.lcp.license.v1.0+json", "application/vnd.adobe.adept+xml",
    "application/audiobook+lcp", "application/pdf+lcp", "application/vnd.librarysimplified.axisnow+json",
}  # fmt: skip
AWAY = {"unavailable", "reserved"}
CURRENCY = "EUR"


@dataclass(frozen=True)
class Way:
    """One way to have a publication: as which file, from where, and for how much (cents, VAT included)."""

    kind: Literal["buy", "subscribe", "free"]
    format: str
    url: str
    gross_cents: int


@dataclass(frozen=True)
class Ways:
    """How a publication can be had; with none, `why`, or `away` when it is only not available now."""

    found: tuple[Way, ...] = ()
    why: str = ""
    away: bool = False


def links_of(item: Mapping[str, Any], name: str = "links") -> list[Mapping[str, Any]]:
    """The links of a feed, a group, a publication or a document; what is none is left out."""
    given = item.get(name)
    return [
        each for each in (given if isinstance(given, list) else [])
        if isinstance(each, dict) and isinstance(each.get("href"), str)
    ]  # fmt: skip


def relations(link: Mapping[str, Any]) -> set[str]:
    """The relations of a link: one text, or a list."""
    said = link.get("rel")
    return {str(each) for each in said} if isinstance(said, list) else {str(said)} if said else set()


def first(item: Mapping[str, Any], relation: str) -> Mapping[str, Any] | None:
    """The first link of this relation that is an address and no template."""
    return next((link for link in links_of(item) if relation in relations(link) and not link.get("templated")), None)


def media_type(link: Mapping[str, Any]) -> str:
    """A link's media type without its parameters, "" when it has none."""
    return str(link.get("type") or "").partition(";")[0].strip().lower()


def address(base: str, link: Mapping[str, Any]) -> str:
    """The whole address of a link. Raises `ContractBroken` for what is no address."""
    try:
        return urljoin(base, str(link["href"]))
    except ValueError as error:
        raise ContractBroken(f"not an address: {link['href'][:200]!r}") from error


def properties(link: Mapping[str, Any]) -> Mapping[str, Any]:
    """A link's properties."""
    given = link.get("properties")
    return given if isinstance(given, dict) else {}


def availability(link: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is said of a link's availability: `state`, `since`, `until`."""
    given = properties(link).get("availability")
    return given if isinstance(given, dict) else {}


def cents_of(link: Mapping[str, Any]) -> int:
    """A link's price. Raises `ContractBroken` when it has none that can be invoiced."""
    price = properties(link).get("price")
    value = price.get("value") if isinstance(price, dict) else None
    if not isinstance(price, dict) or value is None or isinstance(value, bool | str):
        raise ContractBroken("the feed gives it no price")
    if price.get("currency") != CURRENCY:
        raise ContractBroken(f"its price is in {price.get('currency')}, and the invoice in {CURRENCY}"[:200])
    cents = whole(value)
    if cents < 0:
        raise ContractBroken("its price is below zero")
    return cents


def ways_of(publication: Mapping[str, Any], base: str, manifest: OpdsManifest) -> Ways:
    """The ways in which a publication may be sold here: the cheapest for each format, bought rather than subscribed to."""
    found: list[Way] = []
    reasons: list[str] = []
    away = False
    for link in links_of(publication):
        kind = next((SOLD[each] for each in SOLD if each in relations(link)), None)
        if kind is None:
            continue
        try:
            way = _way(kind, link, base, manifest)
        except ContractBroken as error:
            reasons.append(error.detail)
            continue
        if availability(link).get("state") in AWAY:
            away = True
        else:
            found.append(way)
    kept: dict[str, Way] = {}
    bought = [way for way in found if way.kind != "subscribe"] or found
    for way in sorted(bought, key=lambda way: way.gross_cents):
        kept.setdefault(way.format, way)
    if kept:
        return Ways(tuple(kept.values()))
    return Ways(why="" if away else next(iter(reasons), _no_sale(publication)), away=away)


def _way(kind: Literal["buy", "subscribe", "free"], link: Mapping[str, Any], base: str, manifest: OpdsManifest) -> Way:
    """Raises `ContractBroken` with the reason why nobody is offered this link."""
    media, url = media_type(link), address(base, link)
    said = properties(link)
    if media in PAGES:
        raise ContractBroken("it is bought on a page of the publisher's, by card: that cannot be invoiced")
    if media in LOCKED or "encrypted" in said:
        raise ContractBroken(
            f"it is locked ({media}): only a reading application with a passphrase of its own opens it"
        )
    if said.get("indirectAcquisition"):
        raise ContractBroken("it is acquired in several steps, of which this link is only the first")
    if media not in FORMATS:
        raise ContractBroken(
            f"it comes as {media}, which is not kept here" if media else "no type says what it comes as"
        )
    if "copies" in said or "holds" in said:
        raise ContractBroken("it is a copy that is lent and waited for")
    if link.get("templated"):
        raise ContractBroken("its address is a template")
    if kind == "free":
        if said.get("price") and cents_of(link):
            raise ContractBroken("it is said to be free, and has a price")
        return Way(kind, FORMATS[media], url, 0)
    if manifest.purchase is None:
        raise ContractBroken("buying was not agreed with this publisher: its manifest has no [purchase]")
    if kind == "subscribe" and not manifest.catalogue.subscription:
        raise ContractBroken("it is a subscription, and nobody agreed for how long: [catalogue] subscription")
    if urlsplit(url)[:2] != urlsplit(base)[:2]:
        raise ContractBroken(f"it is sold at another host, {urlsplit(url).netloc}"[:200])
    return Way(kind, FORMATS[media], url, cents_of(link))


def _no_sale(publication: Mapping[str, Any]) -> str:
    named = {relation for link in links_of(publication) for relation in relations(link)}
    if BORROW in named:
        return "it is lent, not sold"
    return "it is neither sold nor free: none of its links says so"
