"""A publisher of OPDS in a folder of its own, proved by the kit like any other connector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.kit import gold, prove
from demo import documents
from demo.opds_feeds import FEED, ORDER, PUBLICATION, REFERENCE, RELATION, feed, file_of, link, price, publication
from demo.opds_goods import BOOKS, MANIFEST

IDENT = "norme-9001"
STORY = """\
[buy]
offer = "norme-9001"

[[also]]
offer = "libre-2"

[skip]
"inputs.refused" = {fr = "un livre ne demande rien", en = "a book asks for nothing"}
"offers.many" = {fr = "les pages d’un catalogue OPDS sont éprouvées dans test_opds_catalogue.py", en = "the pages of an OPDS catalogue are tried in test_opds_catalogue.py"}
"""
HASTY = """\
from connectors.contract import Unavailable, Unknown
from connectors.opds.merchant import OpdsMerchant


class Connector(OpdsMerchant):
    ordering = False

    def fulfil(self, *order):
        self.ordering = True
        outcome = super().fulfil(*order)
        self.ordering = False
        if isinstance(outcome, Unknown):
            raise Unavailable(outcome.detail)
        return outcome

    def _publication(self, offer_id, answer=None):
        if not self.ordering or offer_id not in KEPT:
            KEPT[offer_id] = super()._publication(offer_id, answer)
        return KEPT[offer_id]


KEPT = {}
"""
README = """\
# librairie-demo

A bookshop that speaks OPDS 2.0. It needs a contract, in which buying by reference was promised; this is its sandbox.

```toml
[merchants.librairie]
connector = "librairie-demo"
secrets = {client_id = "…", client_secret = "…"}
```
"""


def exchange(path: str, content: Any, media: str, *, status: int = 200, query: Any = None, headers: Any = None) -> Any:
    """One exchange of the fixtures."""
    request: dict[str, Any] = {"path": path, "query": query or {}, "headers": headers or {}}
    return {"request": request, "answer": {"status": status, "headers": {"Content-Type": media}, **content}}


def entry(reference: str = "{key}") -> dict[str, Any]:
    """A purchase at the bookshelf; ours, or an earlier one."""
    made = publication(BOOKS[IDENT])
    made["metadata"]["altIdentifier"] = [
        {"scheme": REFERENCE, "value": reference},
        {"scheme": ORDER, "value": "G-KIT00-00001"},
    ]
    said = {"price": price(4900), "availability": {"state": "available", "since": "2026-11-01T08:00:00+00:00"}}
    made["links"] = [made["links"][0], link(RELATION, "/opds/files/1.pdf", "application/pdf", properties=said)]
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a connector without code: its manifest, and fixtures made of the demonstration's feeds."""
    monkeypatch.setattr(gold, "MANY", 3_000)
    made = tmp_path / "librairie-demo"
    (made / "fixtures").mkdir(parents=True)
    manifest = MANIFEST.replace(
        '[auth]\nkind = "oauth2_client"', '[auth]\nkind = "oauth2_client"\npath = "/oauth/token"'
    )
    (made / "connector.toml").write_text(manifest, encoding="utf-8")
    (made / "README.md").write_text(README, encoding="utf-8")
    (made / "fixtures" / "story.toml").write_text(STORY, encoding="utf-8")
    (made / "fixtures" / "norme.pdf").write_bytes(documents.pdf("Norme", ["Fictive."]))
    (made / "fixtures" / "libre.epub").write_bytes(file_of(BOOKS["libre-2"], "epub", ""))
    books = [publication(BOOKS[each]) for each in (IDENT, "norme-9002", "libre-2")]
    second = feed("x", "/opds/catalogue?page=2", publications=books[2:])
    first = feed("x", "/opds/catalogue", publications=books[:2])
    first["links"].append(link("next", "/opds/catalogue?page=2"))
    shelf = feed("x", "/opds/shelf", publications=[])
    shelf["links"].append(link("search", "/opds/shelf{?query}", templated=True))
    dearer = publication(BOOKS[IDENT], 120)
    sent = {"Client-Reference": "{key}", "Client-Order": "{po}", "Maximum-Price": "49.00 EUR"}
    pdf, asked = {"file": "norme.pdf"}, {"query": "{key}"}
    steps = {
        "sign-in": {
            "request": {"method": "POST", "path": "/oauth/token", "body": {"grant_type": "client_credentials", "client_id": "{any}", "client_secret": "{any}"}},
            "answer": {"json": {"access_token": "{token}", "token_type": "Bearer"}},
        },
        "list": [
            exchange("/opds/catalogue", {"json": first}, FEED),
            exchange("/opds/catalogue", {"json": second}, FEED, query={"page": "2"}),
        ],
        "quote": [
            exchange(f"/opds/publications/{IDENT}", {"json": books[0]}, PUBLICATION),
            exchange("/opds/publications/libre-2", {"json": books[2]}, PUBLICATION),
        ],
        "fulfil": exchange(f"/opds/buy/{IDENT}.pdf", pdf, "application/pdf", headers=sent),
        "fulfil-changed": exchange(f"/opds/buy/{IDENT}.pdf", {"json": dearer}, PUBLICATION, status=409, headers=sent),
        "lookup": exchange("/opds/shelf", {"json": {**shelf, "publications": [entry()]}}, FEED, query=asked),
        "lookup-none": exchange("/opds/shelf", {"json": shelf}, FEED, query=asked),
        "orders": exchange("/opds/shelf", {"json": {**shelf, "publications": [entry("earlier")]}}, FEED),
        "document": [
            exchange("/opds/files/1.pdf", pdf, "application/pdf"),
            exchange("/opds/free/libre-2.epub", {"file": "libre.epub"}, "application/epub+zip"),
        ],
    }  # fmt: skip
    for name, content in steps.items():
        (made / "fixtures" / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return made


def test_a_folder_without_code_is_proved_to_gold(folder):
    report = prove(folder)
    assert {result.check.id: result.why["en"] for result in report.failed} == {}
    assert report.tier == "gold"
    skipped = {result.check.id for result in report.results if result.outcome == "skipped"}
    assert skipped == {
        "code.stays_inside", "offers.delta", "inputs.refused", "file.sent_whole", "nothing.done", "status.pending_to_done",
        "offers.many", "paths.found", "suggest.read",
    }  # fmt: skip


def test_an_order_that_left_and_is_called_unavailable_is_found(folder):
    """The kit lets it be said of what was read before; of the order itself it is the worst mistake there is."""
    (folder / "connector.py").write_text(HASTY, encoding="utf-8")
    report = prove(folder, up_to="silver")
    found = {result.check.id: result.why["en"] for result in report.failed}
    assert "fulfil" in found["fault.server_error"]
    assert "fulfil" in found["limits.time"]
