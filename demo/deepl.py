"""The demonstration's translator: DeepL's interface for documents (OpenAPI 3.11) on a real socket.

As there, an upload costs nothing, a translation can be fetched once, and fetching it is what is billed.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo.served import Served
from demo.sockets import LoopbackServer, cut_connection
from demo.translating import kind_of, translate

API_KEY = "cle-deepl-demo"
LANGUAGES = {
    "AR": "Arabic", "DE": "German", "EN-GB": "English (British)", "EN-US": "English (American)", "ES": "Spanish",
    "FR": "French", "IT": "Italian", "JA": "Japanese", "NL": "Dutch", "PL": "Polish", "PT-BR": "Portuguese (Brazilian)",
    "PT-PT": "Portuguese", "ZH": "Chinese (simplified)",
}  # fmt: skip
LIMIT = 2_000_000
CENTS_PER_MILLION = 2_000
"""What the demonstration's contract says, for its book: 20 EUR."""
STEP = 10_000
FAULTS = (
    "down", "busy", "busier", "quota", "refuse", "too_large", "cut_before", "cut_after", "error500", "garbage",
    "untranslatable", "more", "cut_result", "not_ready", "forgotten",
)  # fmt: skip


@dataclass
class Job:
    """One document; its translation is gone once it was fetched."""

    id: str
    key: str
    po_number: str
    language: str
    body: bytes
    characters: int
    ready_at: float
    fetched_at: datetime | None = None


@dataclass
class DeepL(Served):
    """The server, one of the demonstration's partners. A translation takes `seconds`."""

    name: str = "deepl"
    faults: tuple[str, ...] = FAULTS
    seconds: float = 3
    fault: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    uploads: int = 0
    seen: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.server = LoopbackServer(_application(self))

    @property
    def used(self) -> int:
        """Characters billed so far."""
        return sum(job.characters for job in self.jobs.values() if job.fetched_at)

    def configuration(self) -> str:
        """Its part of `portal.toml`."""
        return (
            f'\n[merchants.{self.name}]\nconnector = "deepl"\nbase_url = "{self.server.url}"\n'
            f'secrets = {{api_key = "{API_KEY}"}}\nsettings = {{price_per_million = "20.00", vat_rate = "0"}}\n'
        )

    def files(self) -> Mapping[str, str]:
        """Nothing beside `portal.toml`."""
        return {}

    def sold(self) -> list[Mapping[str, Any]]:
        """What was fetched, and so is billed, oldest first; at the contract's price, by started ten thousand characters."""
        return [
            {"po_number": job.po_number, "what": f"Traduction vers {job.language}", "state": "delivered", "at": job.fetched_at,
             "gross_cents": -(-job.characters // STEP) * STEP * CENTS_PER_MILLION // 1_000_000}
            for job in self.jobs.values()
            if job.fetched_at
        ]  # fmt: skip

    def kept(self) -> object:
        """Its documents."""
        with self.lock:
            return dict(self.jobs)

    def recall(self, kept: Any) -> None:
        """Go on from what an earlier run has kept; its clock began anew."""
        self.jobs = dict(kept)
        for job in self.jobs.values():
            job.ready_at = 0


def _application(shop: DeepL) -> Flask:
    app = Flask("demo-deepl")

    @app.before_request
    def receive() -> ResponseReturnValue | None:
        shop.seen.append((request.method, request.path))
        if shop.fault == "down":
            return Response("<html>Service unavailable</html>", 503)
        if request.headers.get("Authorization") != f"DeepL-Auth-Key {API_KEY}":
            return jsonify(message="Authorization failed"), 403
        return None

    @app.get("/v2/usage")
    def usage() -> ResponseReturnValue:
        return jsonify(character_count=shop.used, character_limit=1_000 if shop.fault == "quota" else LIMIT)

    @app.get("/v2/languages")
    def languages() -> ResponseReturnValue:
        return jsonify(
            [{"language": code, "name": name, "supports_formality": False} for code, name in LANGUAGES.items()]
        )

    @app.post("/v2/document")
    def upload() -> ResponseReturnValue:
        refusals = {
            "busy": (429, "Too many requests"), "busier": (529, "Too many requests"), "quota": (456, "Quota exceeded"),
            "refuse": (400, "Bad request"), "too_large": (413, "Request too large"), "error500": (500, "Internal error"),
        }  # fmt: skip
        file = request.files.get("file")
        if shop.fault in refusals:
            status, message = refusals[shop.fault]
            return jsonify(message=message), status
        if shop.fault == "cut_before":
            return cut_connection()
        if file is None or request.form.get("target_lang") not in LANGUAGES:
            return jsonify(message="Value for 'target_lang' not supported, or no file"), 400
        job = _begin(shop, file.filename or "", file.read(), request.form["target_lang"])
        if job is None:
            return jsonify(message="Invalid file data"), 400
        if shop.fault == "cut_after":
            return cut_connection()
        if shop.fault == "garbage":
            return Response('{"document_id": tru', mimetype="application/json")
        return jsonify(document_id=job.id, document_key=job.key)

    @app.post("/v2/document/<ident>")
    def status(ident: str) -> ResponseReturnValue:
        job = _asked(shop, ident)
        if job is None:
            return jsonify(message="Document not found"), 404
        if shop.fault == "untranslatable":
            return jsonify(document_id=ident, status="error", message="Source and target language are equal.")
        left = job.ready_at - time.monotonic()
        if left > 0:
            return jsonify(document_id=ident, status="translating", seconds_remaining=max(1, int(left)))
        billed = job.characters + 1_000_000 if shop.fault == "more" else job.characters
        return jsonify(document_id=ident, status="done", billed_characters=billed)

    @app.post("/v2/document/<ident>/result")
    def result(ident: str) -> ResponseReturnValue:
        job = _asked(shop, ident)
        if job is None:
            return jsonify(message="Document not found"), 404
        if shop.fault == "not_ready":
            return jsonify(message="Document is being processed"), 503
        with shop.lock:
            body, job.body, job.fetched_at = job.body, b"", datetime.now(UTC)
        if shop.fault == "cut_result":
            return cut_connection()
        return Response(body, mimetype="application/octet-stream")

    return app


def _begin(shop: DeepL, filename: str, body: bytes, language: str) -> Job | None:
    try:
        made, characters = translate(body, kind_of(filename), language)
    except (ValueError, UnicodeDecodeError):
        return None
    job = Job(
        id=secrets.token_hex(16).upper(), key=secrets.token_hex(32).upper(), po_number=PurePosixPath(filename).stem,
        language=language, body=made, characters=characters, ready_at=time.monotonic() + shop.seconds,
    )  # fmt: skip
    with shop.lock:
        shop.jobs[job.id] = job
        shop.uploads += 1
    return job


def _asked(shop: DeepL, ident: str) -> Job | None:
    """A document that is still there, for who has its key."""
    job = shop.jobs.get(ident)
    key = (request.get_json(silent=True) or request.form).get("document_key")
    if job is None or job.fetched_at or key != job.key or shop.fault == "forgotten":
        return None
    return job
