"""The bookshelf: what was bought, each with the reference it was bought by, and where it is had again.

"All purchases must show up in an OPDS bookshelf where they can be freely downloaded again" (Buying publications with
OPDS 2.0, section 3). OPDS has no place for a buyer's reference: agreed with the publisher are two alternate
identifiers, known by their schemes, and the charged price at the link.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote as escaped
from urllib.parse import urldefrag, urljoin

from connectors.contract import (
    DELIVERED,
    BookLine,
    ContractBroken,
    Document,
    Done,
    NotFound,
    Outcome,
    Pending,
    Unknown,
    Words,
)
from connectors.opds import links
from connectors.opds.links import FORMATS
from connectors.opds.manifest import OpdsManifest
from connectors.opds.publications import metadata_of, name_of, thing, title_of
from connectors.opds.wire import Wire

REFERENCE, ORDER = "urn:guichet:client-reference", "urn:guichet:client-order"
MOST_PAGES = 500
AGAIN_S = 30
HELD = {links.ACQUISITION, links.OPEN}
QUERY = re.compile(r"\{([?&])([A-Za-z,]*)\}")
MAKING: Words = {"fr": "L’éditeur prépare votre exemplaire", "en": "The publisher is preparing your copy"}


@dataclass(frozen=True)
class Entry:
    """One purchase as the bookshelf has it: the page it stands on, its content, and whether a search has found it."""

    page: str
    content: Mapping[str, Any]
    searched: bool = False

    def said(self, scheme: str) -> str:
        """An alternate identifier, by its scheme."""
        given = metadata_of(self.content).get("altIdentifier")
        found = [each for each in (given if isinstance(given, list) else []) if isinstance(each, dict)]
        return next((str(each.get("value") or "") for each in found if each.get("scheme") == scheme), "")

    def held(self, wanted: str = "") -> list[Mapping[str, Any]]:
        """The links by which it is had again: in the wanted format, or in any."""
        found = [link for link in links.links_of(self.content) if links.relations(link) & HELD]
        return [link for link in found if wanted in {"", FORMATS.get(links.media_type(link), "?")}]


def entries(wire: Wire, reference: str = "") -> Iterator[Entry]:
    """What was bought, page after page; with a reference, what a search of the bookshelf finds comes first.

    Raises:
        ContractBroken: it is no bookshelf, or never ends. Unavailable: it cannot be read now.
    """
    url, pages, asked = wire.shelf(), set[str](), False
    while url not in pages:
        if len(pages) >= MOST_PAGES:
            raise ContractBroken(f"the bookshelf has more than {MOST_PAGES} pages")
        pages.add(url)
        page = wire.read_feed(url)
        if reference and not asked:
            asked = True
            if search := _search(page, url, reference):
                yield from _of(wire.read_feed(search), search, searched=True)
        yield from _of(page, url)
        link = links.first(page, "next")
        if link is None:
            return
        url = links.address(url, link)
    raise ContractBroken(f"the bookshelf never ends: {url[:200]} came again")


def find(wire: Wire, manifest: OpdsManifest, reference: str, wanted: str, offer: str = "") -> Outcome | NotFound:
    """What the bookshelf says of a reference; `wanted` is the format that was bought, `offer` what it must be.

    Raises like `entries`.
    """
    found: list[Entry] = []
    others: set[str] = set()
    for entry in entries(wire, reference):
        if found and entry.page != found[0].page:
            break
        if entry.said(REFERENCE) == reference:
            found.append(entry)
        elif entry.searched:
            others.add(entry.said(REFERENCE))
        else:
            others.discard(entry.said(REFERENCE))
    if len(found) > 1:
        return Unknown(f"{len(found)} purchases stand at the bookshelf under one reference", needs_admin=True)
    if others and not found:
        return Unknown("asked for our reference, the bookshelf finds another that it does not show")
    return _outcome(wire, manifest, found[0], reference, wanted, offer) if found else NotFound()


def book_line(entry: Entry) -> BookLine:
    """An entry as a line of the merchant's book. Raises `ContractBroken` when it does not say enough."""
    held = entry.held()
    if not held:
        raise ContractBroken("a purchase at the bookshelf without a file")
    when = links.availability(held[0]).get("since") or metadata_of(entry.content).get("modified")
    try:
        at = datetime.fromisoformat(str(when))
    except ValueError as error:
        raise ContractBroken(f"a purchase at the bookshelf without a time: {error}"[:200]) from error
    if at.tzinfo is None:
        raise ContractBroken("a purchase at the bookshelf whose time has no time zone")
    state = "preparing" if links.availability(held[0]).get("state") in links.AWAY else DELIVERED
    return BookLine(
        entry.said(ORDER), entry.said(REFERENCE), links.cents_of(held[0]), links.CURRENCY, state, at
    )  # fmt: skip


def _outcome(wire: Wire, manifest: OpdsManifest, entry: Entry, reference: str, wanted: str, offer: str) -> Outcome:
    if why := thing(entry.content):
        return Unknown(f"bought as a file, and {why}", needs_admin=True)
    if offer and name_of(entry.content, entry.page, wire.publication) != offer:
        return Unknown("what stands at the bookshelf under our reference is another publication", needs_admin=True)
    held = entry.held(wanted)
    if not held:
        return Unknown(f"the bookshelf has no {wanted or 'file'} of it", needs_admin=True)
    link = held[0]
    if links.availability(link).get("state") in links.AWAY:
        return Pending(ref_of(reference, wanted), AGAIN_S, MAKING)
    media = links.media_type(link)
    # Behind the sign that no request carries: whose copy it is, where one address is that of everybody's.
    url = f"{urldefrag(links.address(entry.page, link)).url}#{escaped(reference, safe='')}"
    document = Document(media, url, filename(entry.content, manifest, FORMATS[media]))
    return Done(document, links.cents_of(link), ref_of(reference, wanted))


def ref_of(reference: str, wanted: str) -> str:
    """What an order is asked for again by: our reference, and the format."""
    return f"{reference}.{wanted}"


def filename(content: Mapping[str, Any], manifest: OpdsManifest, ending: str) -> str:
    """A name made of a publication's title, of plain letters."""
    title = title_of(metadata_of(content), manifest).get("fr", "")
    bare = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return f"{re.sub('[^A-Za-z0-9]+', '-', bare).strip('-')[:60].lower() or 'publication'}.{ending}"


def _search(page: Mapping[str, Any], url: str, reference: str) -> str:
    """The address that searches this bookshelf (OPDS 2.0, section 2), "" when there is none."""
    found = [link for link in links.links_of(page) if "search" in links.relations(link) and link.get("templated")]
    template = str(found[0]["href"]) if found else ""
    form = QUERY.search(template)
    if form is None or "query" not in form[2].split(",") or template.count("{") != 1:
        return ""
    return urljoin(url, template.replace(form[0], f"{form[1]}query={escaped(reference, safe='')}"))


def _of(page: Mapping[str, Any], url: str, *, searched: bool = False) -> Iterator[Entry]:
    given = page.get("publications")
    for content in given if isinstance(given, list) else []:
        metadata_of(content)
        yield Entry(url, content, searched)
