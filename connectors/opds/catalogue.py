"""The catalogue, feed after feed: pages by `next`, collections by navigation and groups, one page in memory at a time.

A list is always whole: OPDS has no changes to ask for. What is still to be read makes the checkpoint.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from connectors.contract import ContractBroken, Listed, Offer, State, Unfit
from connectors.opds import links, publications
from connectors.opds.manifest import OpdsManifest
from connectors.opds.wire import Wire

CHECKPOINT = 500
MOST_FEEDS = 20_000
MOST_BARREN = 50
"""So many pages in a row that bring nothing new, and the next will not either."""
LONGEST_CURSOR = 20_000
LONGEST_WHY = 400
CRAWLABLE = "http://opds-spec.org/crawlable"
ELSEWHERE = {
    "self", "alternate", "search", "up", "start", "previous", "prev", "first", "last", "next", "http://opds-spec.org/shelf",
    "http://opds-spec.org/facet", "profile", "help", "register", "logo",
}  # fmt: skip
"""Links of a navigation that lead to no part of the catalogue."""


@dataclass
class Walk:
    """One reading of a catalogue; `todo` is a stack of addresses, the last to be read first."""

    wire: Wire
    manifest: OpdsManifest
    todo: list[str]
    visited: set[str] = field(default_factory=set)
    seen: set[bytes] = field(default_factory=set)
    since: int = 0

    def read(self) -> Iterator[Listed]:
        """Every publication once.

        Raises:
            ContractBroken: what stands at an address is no feed, or the list never ends.
        """
        while self.todo:
            yield from self._chain(self.todo.pop())

    def _chain(self, url: str) -> Iterator[Listed]:
        """A feed and the pages that follow it."""
        chain: set[str] = set()
        barren = 0
        while url and url not in self.visited:
            if len(self.visited) + len(self.todo) >= MOST_FEEDS:
                raise ContractBroken(f"the catalogue has more than {MOST_FEEDS} feeds")
            self.visited.add(url)
            chain.add(url)
            feed = self.wire.read_feed(url)
            if url == self.wire.root and (whole := _whole_list(feed, url)) and whole != url:
                self.todo, url = [], whole
                continue
            before = len(self.seen)
            yield from self._items(feed, url)
            barren = 0 if len(self.seen) > before or not feed.get("publications") else barren + 1
            if barren > MOST_BARREN:
                raise ContractBroken(f"the list never ends: {barren} pages in a row have brought nothing new")
            self._note(feed, url)
            url = self._next(feed, url)
            if url in chain:
                raise ContractBroken(f"the list never ends: {url[:200]} came again")
            yield from self._checkpoint(url)

    def _items(self, feed: Mapping[str, Any], url: str) -> Iterator[Listed]:
        page: set[bytes] = set()
        nameless: Counter[bytes] = Counter()
        for number, publication in enumerate(_publications(feed), start=1):
            self.since += 1
            found = publications.listed(publication, url, self.wire.publication, self.manifest)
            mark = _mark(found.id)
            if isinstance(found, Unfit) and not publications.name_of(publication, url, self.wire.publication):
                # Only what it says tells it apart; another that says the same on this page is another all the same.
                said = _mark(_said(publication))
                nameless[said] += 1
                mark = said + str(nameless[said]).encode()
                found = Unfit(found.id, f"{found.why[:LONGEST_WHY]} (number {number} of {_place(url)})")
            if mark in page and isinstance(found, Offer):
                yield Unfit(found.id, "it stands twice on one page; the first stands")
            elif mark not in self.seen:
                # Feeds that sort a catalogue in several ways hold everything several times.
                yield found
            page.add(mark)
            self.seen.add(mark)

    def _note(self, feed: Mapping[str, Any], url: str) -> None:
        """What a feed leads to, in its order."""
        found = links.links_of(feed, "navigation")
        for group in _groups(feed):
            found += links.links_of(group, "navigation")
            found += [
                link for link in links.links_of(group) if "self" in links.relations(link) and group.get("publications")
            ]
        for link in reversed(found):
            try:
                there = links.address(url, link)
            except ContractBroken:
                continue
            inside = "self" in links.relations(link) or not links.relations(link) & ELSEWHERE
            feeds = links.media_type(link) in {"application/opds+json", ""} and not link.get("templated")
            # Another host is another catalogue, whose merchant nobody has agreed to.
            if inside and feeds and self.wire.is_own(there) and there not in self.visited:
                self.todo.append(there)

    def _next(self, feed: Mapping[str, Any], url: str) -> str:
        link = links.first(feed, "next")
        return links.address(url, link) if link else ""

    def _checkpoint(self, url: str) -> Iterator[State]:
        left = [*self.todo, *([url] if url else [])]
        if self.since < CHECKPOINT or not left:
            return
        cursor = json.dumps(left)
        if len(cursor) <= LONGEST_CURSOR:
            self.since = 0
            yield State(cursor)


def read(wire: Wire, manifest: OpdsManifest, state: str) -> Iterator[Listed]:
    """Every publication of the catalogue; `state` is what a reading that was interrupted had still to read."""
    try:
        todo = [str(each) for each in json.loads(state)] if state else [wire.root]
    except (ValueError, TypeError) as error:
        raise ContractBroken("not a place in the catalogue") from error
    return Walk(wire, manifest, todo).read()


def _whole_list(feed: Mapping[str, Any], url: str) -> str:
    """Where everything stands in one list, if the catalogue has such a place for machines."""
    link = links.first(feed, CRAWLABLE)
    return links.address(url, link) if link else ""


def _mark(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()


def _said(publication: Any) -> str:
    try:
        return json.dumps(publication, default=str)
    except RecursionError:
        return type(publication).__name__


def _place(url: str) -> str:
    """A page as an administrator finds it at the publisher's."""
    parts = urlsplit(url)
    return (parts.path + (f"?{parts.query}" if parts.query else ""))[:120]


def _groups(feed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given = feed.get("groups")
    return [each for each in (given if isinstance(given, list) else []) if isinstance(each, dict)]


def _publications(feed: Mapping[str, Any]) -> Iterator[Any]:
    """Whatever stands where publications do; a group that is none stands for those it should hold."""
    groups = feed.get("groups") or []
    for holder in (feed, *groups):
        given = holder.get("publications") if isinstance(holder, dict) else [holder]
        yield from given if isinstance(given, list) else [given] if given is not None else []
