"""The feeds, publications and documents of the demonstration's digital bookshop, as OPDS 2.0 has them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo import documents
from demo.documents import PDF
from demo.epub import EPUB, epub
from demo.opds_goods import Book

FEED, PUBLICATION = "application/opds+json", "application/opds-publication+json"
DOCUMENT = "application/opds-authentication+json"
MEDIA = {"epub": EPUB, "pdf": PDF}
COVER = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
RELATION = "http://opds-spec.org/acquisition"
REFERENCE, ORDER = "urn:guichet:client-reference", "urn:guichet:client-order"
SHELVES = {"livres": ("Livres", "livre-"), "normes": ("Normes", "norme-"), "presse": ("Revues", "revue-"), "libres": ("Gratuits", "libre-"), "autres": ("Autres", "autre-")}  # fmt: skip


@dataclass
class Sold:
    """One line of the bookshop's book; the amount in cents, VAT included."""

    number: str
    reference: str
    po_number: str
    book: str
    format: str
    gross_cents: int
    at: datetime
    ready: bool = True


def link(relation: str, href: str, media: str = FEED, **more: Any) -> dict[str, Any]:
    """A Link Object."""
    return {"rel": relation, "href": href, "type": media, **more}


def price(cents: int, currency: str = "EUR") -> dict[str, Any]:
    """A Price Object; its value is a JSON number."""
    return {"value": cents / 100, "currency": currency}


def publication(book: Book, percent: int = 100) -> dict[str, Any]:
    """A publication with the links by which it is sold."""
    kind = "http://schema.org/PublicationIssue" if book.subject == "REV" else "http://schema.org/EBook"
    subject = {"name": "Normes", "code": "NOR"} if book.subject == "NOR" else {"name": book.subject}
    metadata: dict[str, Any] = {
        "@type": kind, "identifier": f"urn:guichet-demo:{book.id}", "publisher": "Éditions de la Démonstration",
        "title": {"fr": book.title} if book.language == "fr" else {"en": book.title},
        "language": book.language, "published": f"{book.year}-03-15", "modified": f"{book.year}-03-15T08:00:00Z",
        "numberOfPages": book.pages, "subject": [subject], "description": book.about,
    }  # fmt: skip
    if book.author:
        metadata["author"] = {"name": book.author, "sortAs": ", ".join(reversed(book.author.split(" ", 1)))}
    ways = [_way(book, form, cents * percent // 100) for form, cents in book.prices.items()]
    made = {
        "metadata": metadata, "links": [link("self", f"/opds/publications/{book.id}", PUBLICATION), *ways],
        "images": [{"href": "/opds/cover.png", "type": "image/png", "width": 1, "height": 1}],
    }  # fmt: skip
    if book.trap == "paper":
        metadata["weight"] = 320
    return made


def _way(book: Book, form: str, cents: int) -> dict[str, Any]:
    if book.free:
        return link(f"{RELATION}/open-access", f"/opds/free/{book.id}.{form}", MEDIA[form])
    made = link(f"{RELATION}/buy", f"/opds/buy/{book.id}.{form}", MEDIA[form], properties={"price": price(cents)})
    lcp = "application/vnd.readium.lcp.license.v1.0+json"
    if book.trap == "page":
        made |= {"type": "text/html"}
        made["properties"] = {"price": price(cents), "indirectAcquisition": [{"type": EPUB}]}
    elif book.trap == "locked":
        made |= {"type": lcp}
        made["properties"] = {"price": price(cents), "indirectAcquisition": [{"type": EPUB}]}
    elif book.trap == "dollars":
        made["properties"] = {"price": price(cents, "USD")}
    elif book.trap == "lent":
        made = link(f"{RELATION}/borrow", f"/opds/borrow/{book.id}", MEDIA[form], properties={"copies": {"total": 2}})
    elif book.trap == "away":
        made["properties"] = {"price": price(cents), "availability": {"state": "unavailable"}}
    elif book.trap == "spoken":
        made |= {"type": "audio/mpeg"}
    return made


def feed(title: str, address: str, shelf: bool = True, **collections: Any) -> dict[str, Any]:
    """A feed that stands at an address."""
    own = [link("self", address)]
    if shelf:
        own.append(
            link("http://opds-spec.org/shelf", "/opds/shelf", properties={"authenticate": "/opds/authentication"})
        )
    return {"metadata": {"title": title}, "links": own, **collections}


def root(news: Sequence[dict[str, Any]], shelf: bool = True) -> dict[str, Any]:
    """Where the catalogue begins: a group of what is new, and where to go on."""
    entries = [
        {"href": f"/opds/lists/{name}", "title": title, "type": FEED, "rel": "subsection"}
        for name, (title, _start) in SHELVES.items()
    ]
    help_page = {"href": "/aide", "title": "Aide", "type": "text/html", "rel": "help"}
    groups = [
        {
            "metadata": {"title": "Nouveautés", "numberOfItems": len(news)},
            "links": [link("self", "/opds/lists/livres")], "publications": list(news),
        }
    ]  # fmt: skip
    return feed("Librairie Démo", "/opds/catalogue", shelf, navigation=[*entries, help_page], groups=groups)


def page(title: str, path: str, found: Sequence[dict[str, Any]], number: int, size: int) -> dict[str, Any]:
    """One page of a list, which may be empty."""
    start = (number - 1) * size
    made = feed(title, f"{path}?page={number}", publications=list(found[start : start + size]))
    made["metadata"] |= {"numberOfItems": len(found), "itemsPerPage": size, "currentPage": number}
    if start + size < len(found):
        made["links"].append(link("next", f"{path}?page={number + 1}"))
    return made


def broken(made: dict[str, Any], path: str, number: int, fault: str, elsewhere: str) -> dict[str, Any]:
    """A page as a careless publisher has it: where it leads next, or what stands on it twice."""
    next_page = {
        "endless": f"{path}?page={number + 1}", "loop": f"{path}?page=1", "foreign": f"{elsewhere}{path}?page=2",
    }.get(fault)  # fmt: skip
    if next_page:
        made["links"] = [*(each for each in made["links"] if each["rel"] != "next"), link("next", next_page)]
    elif fault == "doubled":
        made["publications"].append({**made["publications"][0], "metadata": {"title": "Le même, autrement"}})
    elif fault == "junk":
        made["publications"] += [None, "x", {}, {"metadata": {"title": "Seul"}}]
    elif fault == "object":
        made["publications"] = {str(place): each for place, each in enumerate(made["publications"])}
    return made


def bought(book: Book, sold: Sold) -> dict[str, Any]:
    """A purchase as the bookshelf has it: had again for nothing, at the price that was charged."""
    made = publication(book)
    availability = {"state": "available" if sold.ready else "unavailable", "since": sold.at.astimezone(UTC).isoformat()}
    said = {"price": price(sold.gross_cents), "availability": availability}
    made["metadata"]["altIdentifier"] = [
        {"scheme": REFERENCE, "value": sold.reference}, {"scheme": ORDER, "value": sold.po_number},
    ]  # fmt: skip
    held = link(RELATION, f"/opds/files/{sold.number}.{sold.format}", MEDIA[sold.format], properties=said)
    made["links"] = [made["links"][0], held]
    return made


def authentication(url: str, flow: str, *, shelf: bool = True) -> dict[str, Any]:
    """The document that says how to sign in."""
    way: dict[str, Any] = {"type": "http://opds-spec.org/auth/basic", "labels": {"login": "Client", "password": "Clé"}}
    if flow == "oauth2_client":
        token = link("authenticate", f"{url}/oauth/token", "application/json")
        way = {"type": "http://opds-spec.org/auth/oauth/client_credentials", "links": [token]}
    help_link = link("help", "mailto:aide@librairie.example", "text/plain")
    shelves = [link("http://opds-spec.org/shelf", f"{url}/opds/shelf")] if shelf else []
    return {
        "id": f"{url}/opds/authentication", "title": "Librairie Démo", "description": "Le compte de votre entreprise.",
        "links": [help_link, *shelves], "authentication": [way],
    }  # fmt: skip


def file_of(book: Book, form: str, po_number: str) -> bytes:
    """A publication in one of its formats, with the order it was bought by in it."""
    lines = [f"Acquis sous la commande {po_number}." if po_number else "Texte libre.", "Publication fictive."]
    author = book.author or "Collectif"
    if form == "pdf":
        return documents.pdf(book.title, lines, [("Auteur", author), ("Année", str(book.year))])
    return epub(f"urn:guichet-demo:{book.id}", book.title, author, book.language, lines)
