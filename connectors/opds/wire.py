"""Requests as a publisher of OPDS wants them: credentials, the authentication document, and where the bookshelf is.

Authentication for OPDS 1.0: a 401 holds the document that says how to sign in (section 2.4), or its `Link` header leads
there. The flow for client credentials is not in that text; it is the one that distributors use,
`http://opds-spec.org/auth/oauth/client_credentials`.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from connectors.contract import AuthFailed, Context, ContractBroken, Unavailable, UnknownOutcome
from connectors.http import Answer
from connectors.merchants.tokens import exchange
from connectors.opds import links
from connectors.opds.manifest import OpdsManifest

SHELF = "http://opds-spec.org/shelf"
DOCUMENT = "http://opds-spec.org/auth/document"
DOCUMENT_TYPE = "application/opds-authentication+json"
FLOWS = {
    "basic": "http://opds-spec.org/auth/basic",
    "oauth2_client": "http://opds-spec.org/auth/oauth/client_credentials",
}
JSON = {"application/opds+json", "application/opds-publication+json", "application/webpub+json", "application/json"}
COLLECTIONS = ("publications", "navigation", "groups")
LINKED = re.compile(r"<([^<>]*)>([^<]*)")
ACCEPT = "application/opds+json, application/opds-publication+json;q=0.9, application/json;q=0.5"
SHELF_LIVES_S = 3600


class Gone(ContractBroken):
    """Nothing stands at this address any more (404, 410)."""


class Wire:
    """The exchanges with one publisher; safe to use from several threads."""

    def __init__(self, context: Context, manifest: OpdsManifest) -> None:
        self._context, self._manifest = context, manifest
        self.root = self._whole(manifest.catalogue.address)
        self.publication = self._whole(manifest.catalogue.publication)
        self._secrets = [context.secrets[name] for name in manifest.auth.secrets]
        self._lock = threading.Lock()
        self._token = ""
        self._tokens_at = self._whole(manifest.auth.path) if manifest.auth.path else ""
        self._shelf, self._shelf_at = "", 0.0
        self._shelf_said = ""

    def read(self, url: str) -> Mapping[str, Any]:
        """A feed, a publication or another document of OPDS.

        Raises:
            Unavailable: it cannot be read now, an answer that is lost among it: reading changes nothing.
            AuthFailed: the credentials are refused. Gone: nothing is there. ContractBroken: it is no OPDS.
        """
        try:
            answer = self.get(url, {"Accept": ACCEPT})
        except UnknownOutcome as error:
            raise Unavailable(error.detail) from error
        require_success(answer)
        kind = media_of(answer)
        if kind not in JSON:
            raise ContractBroken(f"{urlsplit(url).path[:100]} is {kind or 'of no type'}, not application/opds+json")
        content = answer.json()
        if not isinstance(content, dict):
            raise ContractBroken(f"{urlsplit(url).path[:100]} holds no JSON object")
        return content

    def read_feed(self, url: str) -> Mapping[str, Any]:
        """A feed, with at least one of the collections that make it one. Raises like `read`."""
        feed, path = self.read(url), urlsplit(url).path[:100]
        given = {name: feed[name] for name in COLLECTIONS if feed.get(name) is not None}
        if not isinstance(feed.get("metadata"), dict) or not given:
            raise ContractBroken(f"{path} is no OPDS 2.0 feed: it has none of {', '.join(COLLECTIONS)}")
        # Taken for empty, it would withdraw whatever it holds.
        if broken := [name for name, content in given.items() if not isinstance(content, list)]:
            raise ContractBroken(f"{path} is no OPDS 2.0 feed: its {broken[0]} are no list")
        return feed

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """One exchange, signed in, and once more with a new token after a 401: what was refused has not been done.

        Raises:
            Unavailable: certainly nothing was sent. UnknownOutcome: sent, and the answer is lost.
            AuthFailed: the publisher signs in by another way than the manifest says.
        """
        used = self._token
        answer = self._send(url, {**self.signed(url), **headers})
        if answer.status != 401 or not self.is_own(url):
            return answer
        self._hear(answer, url)
        if self._manifest.auth.kind != "oauth2_client":
            return answer
        return self._send(url, {**self.signed(url, refused=used), **headers})

    def sign_in(self) -> None:
        """Learn where tokens are given, before something is sent that must not go unsigned. Raises like `read`."""
        if self._manifest.auth.kind == "oauth2_client" and not self._tokens_at:
            self.read(self.shelf())

    def signed(self, url: str, *, refused: str | None = None) -> dict[str, str]:
        """The headers that sign a request in, for the publisher's own host only; `refused` is a token that is no good."""
        kind = self._manifest.auth.kind
        if kind == "none" or not self.is_own(url):
            return {}
        if kind == "basic":
            return {"Authorization": "Basic " + base64.b64encode(":".join(self._secrets).encode()).decode()}
        token = self._current(refused)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def is_own(self, url: str) -> bool:
        """Whether an address is at the publisher's own host, where its credentials may go."""
        return host_of(url) == host_of(self._context.base_url)

    def shelf(self) -> str:
        """Where the bookshelf is: as the manifest says, or the first feed, or the authentication document.

        Raises:
            ContractBroken: nobody says. Unavailable: it cannot be asked now.
        """
        if self._manifest.purchase and self._manifest.purchase.shelf:
            return self._whole(self._manifest.purchase.shelf)
        if not self._shelf or time.monotonic() - self._shelf_at > SHELF_LIVES_S:
            found = self._find_shelf()
            if not found or not self.is_own(found):
                raise ContractBroken("neither the catalogue nor the authentication document leads to a bookshelf")
            self._shelf, self._shelf_at = found, time.monotonic()
        return self._shelf

    def _find_shelf(self) -> str:
        feed = self.read(self.root)
        if link := links.first(feed, SHELF):
            return links.address(self.root, link)
        if not self._shelf_said and (there := self._document_of(feed)):
            self._learn(there)
        return self._shelf_said

    def _document_of(self, feed: Mapping[str, Any]) -> str:
        """Where the authentication document is, by a link of its own or the `authenticate` of another; "" when nobody says."""
        if link := links.first(feed, DOCUMENT):
            return links.address(self.root, link)
        said = [links.properties(link).get("authenticate") for link in links.links_of(feed)]
        found = [each.get("href") if isinstance(each, dict) else each for each in said]
        return next((links.address(self.root, {"href": each}) for each in found if isinstance(each, str)), "")

    def _whole(self, address: str) -> str:
        return address if address.startswith("https://") else self._context.base_url + address

    def _send(self, url: str, headers: Mapping[str, str]) -> Answer:
        return self._context.http.request(
            "GET", url, headers={"User-Agent": "Guichet", "Accept-Language": "fr", **headers}
        )

    def _current(self, refused: str | None) -> str:
        """The token at hand; "" as long as nobody has said where they are given."""
        with self._lock:
            if not self._tokens_at:
                return ""
            if not self._token or self._token == refused:
                who, password = self._secrets
                form = {"grant_type": "client_credentials", "client_id": who, "client_secret": password}
                self._token = exchange(self._context, self._tokens_at, "access_token", form=form)
            return self._token

    def _hear(self, answer: Answer, url: str) -> None:
        """What a 401 says of how to sign in. Raises `AuthFailed` when it is not as the manifest says."""
        if media_of(answer) == DOCUMENT_TYPE:
            self._read_document(answer, url)
        elif there := _linked(answer, url):
            self._learn(there)
        elif self._manifest.auth.kind == "oauth2_client" and not self._tokens_at:
            raise AuthFailed("401 without an authentication document: say where tokens are given, in [auth] path")

    def _learn(self, url: str) -> None:
        if not self.is_own(url):
            raise ContractBroken(f"the authentication document is at another host, {urlsplit(url).netloc}"[:200])
        try:
            # Without credentials: whoever wants to sign in must be able to read it (section 2.2).
            answer = self._send(url, {"Accept": DOCUMENT_TYPE})
        except UnknownOutcome as error:
            raise Unavailable(error.detail) from error
        require_success(answer)
        self._read_document(answer, url)

    def _read_document(self, answer: Answer, url: str) -> None:
        content = answer.json()
        flows = content.get("authentication") if isinstance(content, dict) else None
        offered = (
            {str(flow.get("type")): flow for flow in flows if isinstance(flow, dict)} if isinstance(flows, list) else {}
        )
        kind = self._manifest.auth.kind
        if kind not in FLOWS:
            raise AuthFailed(f"it wants to be signed in to, by {', '.join(offered)}; [auth] says none"[:300])
        if FLOWS[kind] not in offered:
            raise AuthFailed(f"[auth] says {kind}, and it is signed in to by {', '.join(offered) or 'nothing'}"[:300])
        if link := links.first(content, SHELF):
            self._shelf_said = links.address(url, link)
        link = links.first(offered[FLOWS[kind]], "authenticate")
        if kind == "oauth2_client" and not self._manifest.auth.path:
            there = links.address(url, link) if link else ""
            if not self.is_own(there):
                raise AuthFailed("the authentication document gives no address for tokens at the publisher's own host")
            with self._lock:
                self._tokens_at = there


def host_of(url: str) -> str:
    """The host of an address, with its port if that is not the one of HTTPS; "" when it has none."""
    try:
        return urlsplit(url).netloc.lower().removesuffix(":443")
    except ValueError:
        return ""


def require_success(answer: Answer) -> None:
    """Raises `AuthFailed`, `Gone`, `Unavailable` or `ContractBroken` for an answer that is not a success."""
    if answer.status in {401, 403}:
        raise AuthFailed(f"status {answer.status}")
    if answer.status in {404, 410}:
        raise Gone(answer.summary)
    if answer.status == 429 or answer.status >= 500:
        raise Unavailable(answer.summary, retry_after_s=answer.retry_after_s)
    if answer.status != 200:
        raise ContractBroken(answer.summary)


def media_of(answer: Answer) -> str:
    """An answer's media type, without its parameters."""
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _linked(answer: Answer, url: str) -> str:
    """Where the `Link` header says the authentication document is (section 2.4)."""
    for found in LINKED.finditer(answer.headers.get("link", "")):
        if DOCUMENT in found[2]:
            return str(urljoin(url, found[1]))
    return ""
