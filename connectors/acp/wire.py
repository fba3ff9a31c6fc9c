"""Requests as the protocol wants them: discovery, the version, credentials, and a key on every POST."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote as escaped
from urllib.parse import urlsplit

from connectors.contract import AuthFailed, Context, ContractBroken, Unavailable, UnknownOutcome
from connectors.http import Answer

SPOKEN = ("2026-04-17",)
"""The versions this connector speaks; of those the merchant speaks too, the highest is used."""
WELL_KNOWN = "/.well-known/acp.json"
DISCOVERY_LIVES_S = 3600
DISCOVERY_AGAIN_S = 60
"""How long what was known stands in, when it cannot be asked for anew."""


@dataclass(frozen=True)
class Place:
    """Where a merchant's interface is, and in which version it is spoken to."""

    root: str
    version: str


class Wire:
    """The exchanges with one merchant; safe to use from several threads."""

    def __init__(self, context: Context, credentials: Mapping[str, str]) -> None:
        self._context, self._credentials = context, dict(credentials)
        self._lock = threading.Lock()
        self._place: Place | None = None
        self._found_at = 0.0

    def get(self, path: str) -> Answer:
        """Read something. Raises `Unavailable` also for an answer that is lost: reading changes nothing."""
        try:
            return self._send("GET", path, {})
        except UnknownOutcome as error:
            raise Unavailable(error.detail) from error

    def post(self, path: str, body: Mapping[str, Any], key: str, language: str = "") -> Answer:
        """Send a body under a key, which the merchant takes for one request at this path only."""
        headers = {"Idempotency-Key": key}
        if language:
            headers["Accept-Language"] = language
        return self._send("POST", path, headers, body)

    def place(self) -> Place:
        """Where the merchant says it is; without a discovery document, at its base address.

        Raises:
            Unavailable: it cannot be asked now. ContractBroken: it speaks no version of ours, or cannot check out.
        """
        with self._lock:
            if self._place is None or time.monotonic() - self._found_at > DISCOVERY_LIVES_S:
                try:
                    self._place, self._found_at = self._discover(), time.monotonic()
                except Unavailable:
                    # What it said an hour ago is better than nothing; a place never heard of is nowhere.
                    if self._place is None:
                        raise
                    self._found_at = time.monotonic() - DISCOVERY_LIVES_S + DISCOVERY_AGAIN_S
            return self._place

    def is_own_host(self, url: str) -> bool:
        """Whether an address is at the merchant's own, where its credentials may go."""
        own = {urlsplit(self._context.base_url).netloc, urlsplit(self.place().root).netloc}
        return urlsplit(url).netloc in own

    def signed(self) -> dict[str, str]:
        """The headers that sign a request in."""
        return dict(self._credentials)

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> Answer:
        answer = self._once(method, path, headers, body, self.place())
        if answer.status == 400 and (spoken := _offered(answer)):
            # Refused for its version alone, so nothing was done.
            agreed = Place(self.place().root, common(spoken))
            with self._lock:
                self._place = agreed
            answer = self._once(method, path, headers, body, agreed)
        return answer

    def _once(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None, place: Place
    ) -> Answer:
        sent = {
            "Accept": "application/json", "Accept-Language": "fr", "User-Agent": "Guichet", "API-Version": place.version,
            "Request-Id": str(uuid.uuid4()), "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **self._credentials, **headers,
        }  # fmt: skip
        content: dict[str, Any] = {} if body is None else {"json": body}
        return self._context.http.request(method, place.root + path, headers=sent, **content)

    def _discover(self) -> Place:
        base = self._context.base_url
        parts = urlsplit(base)
        try:
            # Without credentials: anybody may read it.
            answer = self._context.http.request("GET", f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}")
        except UnknownOutcome as error:
            raise Unavailable(f"discovery: {error.detail}") from error
        if answer.status == 429 or answer.status >= 500:
            raise Unavailable(f"discovery: {answer.summary}", retry_after_s=answer.retry_after_s)
        document = _document(answer)
        if document is None:
            return Place(base, SPOKEN[-1])
        if "rest" not in document["transports"] or "checkout" not in document["capabilities"]["services"]:
            raise ContractBroken("discovery: this merchant has no checkout to ask by HTTP")
        return Place(str(document["api_base_url"]).rstrip("/"), common(document["protocol"]["supported_versions"]))


def common(theirs: Any) -> str:
    """The highest version that both speak. Raises `ContractBroken` when there is none."""
    both = set(SPOKEN) & {str(version) for version in theirs}
    if not both:
        raise ContractBroken(f"this merchant speaks ACP {', '.join(map(str, theirs))[:200]}, we speak {SPOKEN[-1]}")
    return max(both)


def require_success(answer: Answer) -> None:
    """Raises `AuthFailed`, `Unavailable` or `ContractBroken` for an answer that is not a success."""
    if answer.status in {401, 403}:
        raise AuthFailed(f"status {answer.status}")
    if answer.status == 429 or answer.status >= 500:
        raise Unavailable(answer.summary, retry_after_s=answer.retry_after_s)
    if answer.status not in {200, 201}:
        raise ContractBroken(answer.summary)


@dataclass(frozen=True)
class Refusal:
    """An answer that refuses, in the protocol's form: `param` is a JSONPath into what was sent."""

    code: str
    message: str = ""
    param: str = ""


def refusal(answer: Answer) -> Refusal:
    """What an answer refuses and why; its status alone when it says nothing that can be read."""
    content = _content(answer)
    code = str(content.get("code") or f"status {answer.status}")
    return Refusal(code, str(content.get("message") or ""), str(content.get("param") or ""))


def segment(ident: str) -> str:
    """An identifier as one segment of a path, whatever it is made of."""
    made = escaped(ident, safe="")
    return made if made.strip(".") else "_"


def _document(answer: Answer) -> Mapping[str, Any] | None:
    """The discovery document, None when there is none: a page of another kind is no document either."""
    content = _content(answer) if answer.status == 200 else {}
    protocol = content.get("protocol")
    if not isinstance(protocol, dict) or protocol.get("name") != "acp":
        return None
    try:
        content["api_base_url"], content["transports"], protocol["supported_versions"]
        content["capabilities"]["services"]
    except (KeyError, TypeError) as error:
        raise ContractBroken(f"discovery: no {error} in the document") from error
    return content


def _offered(answer: Answer) -> list[Any]:
    """The versions a refusal offers instead, when it is the version that was refused."""
    offered = _content(answer).get("supported_versions")
    return offered if isinstance(offered, list) else []


def _content(answer: Answer) -> Mapping[str, Any]:
    try:
        content = answer.json()
    except ContractBroken:
        return {}
    return content if isinstance(content, dict) else {}
