"""One publication of a feed as an offer, or why it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connectors import intangible
from connectors.contract import ContractBroken, Input, Offer, Removed, Unfit
from connectors.opds import links
from connectors.opds.links import Way, Ways
from connectors.opds.manifest import OpdsManifest, name_in
from connectors.opds.text import people, plain, subjects, words

FORMAT = "format"
FORMAT_WORDS = {"fr": "Format", "en": "Format"}
LANGUAGES = {
    "fr": ("en français", "in French"), "en": ("en anglais", "in English"), "de": ("en allemand", "in German"),
    "es": ("en espagnol", "in Spanish"), "it": ("en italien", "in Italian"),
}  # fmt: skip
LONGEST_REASON = 300
YEAR = re.compile(r"\d{4}")
THINGS = (
    "weight", "width", "height", "depth", "dimensions", "shipping", "shippingWeight", "requiresShipping", "carrier",
)  # fmt: skip
"""What only something physical has; neither OPDS nor Readium knows one of these of a publication."""
BOUND = {"hardcover", "paperback", "audiocdformat", "spiralbound"}


def listed(publication: Any, base: str, template: str, manifest: OpdsManifest) -> Offer | Removed | Unfit:
    """What the catalogue makes of a publication; `template` is the whole address of `self` links.

    One that cannot be read takes no other with it.
    """
    ident = name_of(publication, base, template)
    try:
        return _judged(publication, ident, base, manifest)
    except ContractBroken as error:
        return Unfit(ident or "?", error.detail)
    except (LookupError, TypeError, ArithmeticError, ValueError, AttributeError) as error:
        return Unfit(ident or "?", f"it cannot be read: {type(error).__name__}: {error}"[:LONGEST_REASON])


def _judged(publication: Any, ident: str, base: str, manifest: OpdsManifest) -> Offer | Removed | Unfit:
    metadata = metadata_of(publication)
    if not ident:
        there = "is not where [catalogue] publication says" if links.first(publication, "self") else "is missing"
        return Unfit(_called(metadata), f"its self link {there}, so its price could not be read again")
    if why := thing(publication):
        return Unfit(ident, why)
    ways = links.ways_of(publication, base, manifest)
    if ways.away:
        return Removed(ident)
    if ways.why:
        return Unfit(ident, ways.why)
    return _offer(ident, metadata, ways, manifest)


def metadata_of(publication: Any) -> Mapping[str, Any]:
    """A publication's metadata. Raises `ContractBroken` when it has none."""
    metadata = publication.get("metadata") if isinstance(publication, dict) else None
    if not isinstance(metadata, dict):
        said = "it has no metadata" if isinstance(publication, dict) else f"here stands {publication!r}"
        raise ContractBroken(f"not a publication: {said}"[:200])
    return metadata


def name_of(publication: Any, base: str, template: str) -> str:
    """The offer's id, from the publication's `self` link; "" when it has none of ours."""
    link = links.first(publication, "self") if isinstance(publication, dict) else None
    try:
        return name_in(template, links.address(base, link)) if link else ""
    except ContractBroken:
        return ""


def thing(publication: Mapping[str, Any]) -> str:
    """What makes a publication something physical; "" when nothing does."""
    metadata = metadata_of(publication)
    signs = [name for name in THINGS if metadata.get(name) not in (None, False, "", 0, {}, [])]
    bound = str(metadata.get("bookFormat") or "").rpartition("/")[2].lower()
    signs += ["bookFormat"] if bound in BOUND else []
    for link in links.links_of(publication):
        signs += [name for name in THINGS[4:] if links.properties(link).get(name) not in (None, False, "", 0, {}, [])]
    if signs:
        return f"something physical, by its {signs[0]}: only what is delivered online is sold here"
    return intangible.sign(publication)


def category_of(metadata: Mapping[str, Any], manifest: OpdsManifest) -> str:
    """The category of ours, by subject or by type."""
    ours = manifest.catalogue.categories
    said = [*subjects(metadata), str(metadata.get("@type") or "")]
    return next((ours[each] for each in said if each in ours), manifest.catalogue.category)


def price(gross_cents: int, rate_bp: int) -> dict[str, Any]:
    """A price that holds VAT in its parts."""
    vat = int((Decimal(gross_cents) * rate_bp / (10_000 + rate_bp)).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    return {"net_cents": gross_cents - vat, "vat_rate_bp": rate_bp, "vat_cents": vat, "gross_cents": gross_cents}


def title_of(metadata: Mapping[str, Any], manifest: OpdsManifest) -> Mapping[str, str]:
    """A publication's title in words, empty when it has none."""
    return words(metadata.get("title"), manifest.catalogue.language)


def _offer(ident: str, metadata: Mapping[str, Any], ways: Ways, manifest: OpdsManifest) -> Offer | Unfit:
    title = title_of(metadata, manifest)
    if not title:
        return Unfit(ident, "it has no title")
    category = category_of(metadata, manifest)
    term = manifest.catalogue.subscription if ways.found[0].kind == "subscribe" else ""
    about = plain(metadata.get("description"))
    facts = _facts(metadata)
    isbn = str(metadata.get("identifier") or "").rpartition(":")[2]
    return Offer(
        id=ident, title=title, category=category, currency=links.CURRENCY, delivery="document",
        summary={tag: " ".join(filter(None, (facts[tag], about))) or title["fr"] for tag in ("fr", "en")},
        keywords=" ".join([*people(metadata.get("author"), 9), *subjects(metadata)[:9], isbn])[:500],
        inputs=_formats(ways.found), pricing="subscription" if term else "act", term=term,
        **price(ways.found[0].gross_cents, manifest.vat_rate_bp(category)),
    )  # fmt: skip


def _formats(ways: tuple[Way, ...]) -> tuple[Input, ...]:
    """A choice where there are several files to choose from, each with its price where they differ."""
    if len(ways) == 1:
        return ()
    differ = len({way.gross_cents for way in ways}) > 1
    choices = tuple((way.format, _choice(way, priced=differ)) for way in ways)
    return (Input(FORMAT, FORMAT_WORDS, "choice", choices=choices),)


def _choice(way: Way, *, priced: bool) -> dict[str, str]:
    name, euros = way.format.upper(), f"{way.gross_cents // 100}.{way.gross_cents % 100:02d}"
    if not priced:
        return {"fr": name, "en": name}
    return {"fr": f"{name}, {euros.replace('.', ',')} €", "en": f"{name}, €{euros}"}


def _facts(metadata: Mapping[str, Any]) -> dict[str, str]:
    """One line: by whom, published where and when, how long, in which language."""
    authors = ", ".join(people(metadata.get("author")))
    year = YEAR.match(str(metadata.get("published") or ""))
    made = [*people(metadata.get("publisher"), 1), year[0] if year else ""]
    pages, spoken = metadata.get("numberOfPages"), metadata.get("language")
    tag = str(spoken[0] if isinstance(spoken, list) and spoken else spoken or "").partition("-")[0].lower()
    said: dict[str, str] = {}
    for place, (lang, by) in enumerate((("fr", "Par"), ("en", "By"))):
        parts = [f"{by} {authors}" if authors else "", *made]
        parts += [f"{pages} pages"] if isinstance(pages, int) and not isinstance(pages, bool) and pages > 0 else []
        parts += [LANGUAGES[tag][place]] if tag in LANGUAGES else []
        line = ", ".join(filter(None, parts))
        said[lang] = f"{line[:1].upper()}{line[1:]}." if line else ""
    return said


def _called(metadata: Mapping[str, Any]) -> str:
    return str(metadata.get("identifier") or words(metadata.get("title"), "fr").get("fr") or "?")[:60]
