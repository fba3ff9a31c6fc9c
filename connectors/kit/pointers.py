"""Bronze, the paths of a manifest: each leads to something in the answers that its fixtures show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from connectors.declared.manifest import DeclaredManifest, OrderTable, Request
from connectors.declared.paths import CONSTANT, Place, find
from connectors.kit.checks import check, fail, skip
from connectors.kit.stage import Stage
from connectors.kit.story import Fixtures

MOST_NAMED = 12
WELL = {200, 201, 202}
MEANT = {
    "after": "pending", "percent": "pending", "stage": "pending", "words": "not_done", "charged": "done",
    "delivery": "done", "rows": "done",
}  # fmt: skip
"""In which orders a path of `[order]` is looked for; the others in each."""


@dataclass(frozen=True)
class Pointer:
    """One path of a manifest, by its key, and the answers in which it should lead somewhere; `steps` name their files."""

    key: str
    path: str
    answers: tuple[Any, ...]
    steps: str
    is_list: bool = False

    @property
    def leads(self) -> bool:
        """Whether it does in one of them; what has no answer yet is shown by nobody."""
        found = [find(each, self.path) for each in self.answers]
        if self.is_list:
            return all(isinstance(each, list) for each in found)
        return not found or any(each is not None for each in found)


@check(
    "paths.found",
    "bronze",
    "Chaque chemin du manifeste mène quelque part dans les exemples",
    "Every path of the manifest leads somewhere in the fixtures",
)
def _found(stage: Stage) -> None:
    manifest = stage.manifest
    if not isinstance(manifest, DeclaredManifest) or (stage.folder / "connector.py").is_file():
        skip(
            "les réponses sont lues par du code, ou par un protocole", "answers are read by code, or by a protocol"
        )  # fmt: skip
    for pointer in pointers(manifest, stage.fixtures):
        if not pointer.leads:
            there = _meant(pointer)
            what = ("une liste", "a list") if pointer.is_list else ("quelque chose", "anything")
            fail(
                f"{pointer.key} = « {pointer.path} » ne mène pas à {what[0]} dans fixtures/{pointer.steps}.json ; il y a {there}",
                f"{pointer.key} = “{pointer.path}” does not lead to {what[1]} in fixtures/{pointer.steps}.json; there is {there}",
                "Corrigez ce chemin dans connector.toml, ou montrez dans les exemples une réponse qui l’a ; retirez la clé si le marchand ne donne rien de tel.",
                "Correct this path in connector.toml, or show in the fixtures an answer that has it; take the key out if the merchant gives no such thing.",
            )  # fmt: skip


def pointers(manifest: DeclaredManifest, fixtures: Fixtures) -> Iterator[Pointer]:
    """Every path of a manifest that fixtures can show, the lists first."""
    listing = manifest.listing
    for name, asked in (("list", listing), ("suggest", manifest.suggest), ("orders", manifest.orders)):
        if asked is None:
            continue
        pages = _answers(fixtures, name)
        items: list[Any] = []
        if asked is listing and listing.offers:
            items = list(listing.offers)
        else:
            yield Pointer(f"[{name}] items", asked.items, pages, name, is_list=True)
            items = [item for page in pages for item in find(page, asked.items)]
        yield from _mapped(name, asked.map, tuple(items))
    if listing.paging and listing.paging.out and len(fixtures.of("list")) > 1:
        yield Pointer("[list] paging.out", listing.paging.out, _answers(fixtures, "list"), "list")
    yield from _mapped("quote", manifest.quote.map, _answers(fixtures, "quote"))
    yield from _refusals(manifest, fixtures)
    yield from _orders(manifest, fixtures)


def _orders(manifest: DeclaredManifest, fixtures: Fixtures) -> Iterator[Pointer]:
    table, found, lookups = manifest.order, list[Any](), list[Any]()
    steps = {"fulfil": manifest.fulfil, "lookup": manifest.lookup, "status": manifest.status}
    for name, asked in steps.items():
        pages = _answers(fixtures, name)
        if asked is None or not pages:
            continue
        at = table.at if asked.at is None else asked.at
        if name == "lookup" and manifest.lookup and manifest.lookup.items:
            yield Pointer("[lookup] items", manifest.lookup.items, pages, name, is_list=True)
            pages = tuple(item for page in pages for item in find(page, manifest.lookup.items))
            at = asked.at or ""
        yield Pointer("[order] at" if asked.at is None else f"[{name}] at", at, pages, name)
        orders = [order for page in pages if (order := find(page, at)) is not None]
        found += orders
        lookups += orders if name == "lookup" else []
    if manifest.lookup and manifest.lookup.key:
        yield Pointer("[lookup] key", manifest.lookup.key, tuple(lookups), "lookup")
    for key, path in _paths_of(table):
        meaning = MEANT.get(key.partition(".")[0], "")
        shown = [each for each in found if not meaning or _meaning(table, each) == meaning]
        yield Pointer(f"[order] {key}", path, tuple(shown), "fulfil")


def _paths_of(table: OrderTable) -> Iterator[tuple[str, str]]:
    for name in ("state", "ref", "charged", "after", "percent", "stage", "words"):
        yield from _each(name, getattr(table, name))
    for name, path in table.delivery.items():
        yield from _each(f"delivery.{name}", path)
    for number, row in enumerate(table.rows, start=1):
        yield from _each(f"rows (no. {number}) value", row.value)


def _refusals(manifest: DeclaredManifest, fixtures: Fixtures) -> Iterator[Pointer]:
    """Where an answer that refuses says why."""
    asked: Mapping[str, Request] = {"quote": manifest.quote, "fulfil": manifest.fulfil}
    refused = tuple(
        each.answer.content
        for name, request in asked.items()
        for each in fixtures.exchanges
        if each.family == name and request.errors.get(str(each.answer.status)) in {"rejected", "not_found"}
    )
    for key, place in (("words", manifest.refusal.words), ("field", manifest.refusal.field)):
        for name, path in _each(key, place):
            yield Pointer(f"[refusal] {name}", path, refused, "quote")


def _mapped(table: str, places: Mapping[str, Place], answers: tuple[Any, ...]) -> Iterator[Pointer]:
    for key, place in places.items():
        for name, path in _each(key, place):
            yield Pointer(f"[{table}] map.{name}", path, answers, table)


def _each(key: str, place: Place) -> Iterator[tuple[str, str]]:
    """A path, or one for each language; constants and what is not given lead nowhere."""
    named = {key: place} if isinstance(place, str) else {f"{key}.{tag}": path for tag, path in place.items()}
    yield from ((name, path) for name, path in named.items() if path and not path.startswith(CONSTANT))


def _answers(fixtures: Fixtures, family: str) -> tuple[Any, ...]:
    """What is answered to a step when it goes well."""
    shown = [each for each in fixtures.exchanges if each.family == family and each.answer.status in WELL]
    return tuple(each.answer.content for each in shown if each.answer.content is not None)


def _meaning(table: OrderTable, order: Any) -> str:
    return table.states.get(str(find(order, table.state)), "") if table.state else "done"


def _meant(pointer: Pointer) -> str:
    """What an author may have meant: the path that is nearest, or what there is."""
    if not pointer.is_list and any(pointer.path in _inside(each, lists=False) for each in pointer.answers):
        return f"{pointer.path} = null"
    there = sorted({path for each in pointer.answers for path in _inside(each, lists=pointer.is_list)})
    near = get_close_matches(pointer.path, there, 3) or there[:MOST_NAMED]
    return ", ".join(near) or "…"


def _inside(content: Any, before: str = "", *, lists: bool) -> Iterator[str]:
    inner = content.items() if isinstance(content, Mapping) else []
    for name, part in inner:
        if isinstance(part, list) == lists and not isinstance(part, Mapping):
            yield f"{before}{name}"
        yield from _inside(part, f"{before}{name}.", lists=lists)
