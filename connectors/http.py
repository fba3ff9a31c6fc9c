"""The guarded HTTP client handed to connectors and operators.

It contacts only the hosts it was given, by HTTPS unless the host is this machine, through the
corporate proxy, within limits of time and size. It tells *certainly never sent* (`Unavailable`) from
*sent, and the answer is lost* (`UnknownOutcome`), because only the first may be repeated blindly.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import httpx2

from connectors import addresses
from connectors.attachments import Attachment, opened
from connectors.contract import AuthFailed, ContractBroken, Unavailable, UnknownOutcome
from connectors.decoding import ACCEPTED, decoded
from connectors.exchange import Answer as Answer
from connectors.exchange import Download as Download
from connectors.waiting import Breaker, seconds

REDIRECTS = {301, 302, 303, 307, 308}
LONGEST_CHAIN = 3
HARMLESS = {"accept", "accept-language", "user-agent"}
"""What another host may be told: any other header may be a merchant's way to sign in, whatever it is called."""
SENDABLE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
"""What a header may hold (RFC 9110, 5.5), as far as everybody reads it."""

# Raised before the first byte of the request has left.
NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)


@dataclass(frozen=True)
class Network:
    """The way out: a corporate proxy, and a CA file added to the system's trust store. Empty: the environment's.

    `breaker` is asked before each exchange and told of its end. `private_hosts` are names that may lead into the
    company's own network; an address among a client's hosts is meant as it is written.
    """

    proxy: str = ""
    ca_file: str = ""
    breaker: Breaker | None = None
    private_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timeouts:
    """Limits in seconds; `total` covers the whole exchange."""

    connect: float = 5
    read: float = 15
    total: float = 20


@lru_cache(maxsize=16)
def trusted(ca_file: str) -> ssl.SSLContext:
    """The system's trust store and one more file; shared, since reading the store takes 50 ms. Raises `OSError`."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


class GuardedClient:
    """One client for one merchant or operator; safe to use from several threads.

    Args:
        hosts: the only `host` or `host:port` values ever contacted; without a port it is that of HTTPS.
        max_body: bytes accepted in one answer, after decompression.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        network: Network = Network(),
        timeouts: Timeouts = Timeouts(),
        max_body: int = 20_000_000,
    ) -> None:
        self.hosts = {host.lower().removesuffix(":443") for host in hosts}
        self.timeouts = timeouts
        self.max_body = max_body
        self._breaker = network.breaker
        limits = httpx2.Timeout(timeouts.read, connect=timeouts.connect)
        self._client = httpx2.Client(
            verify=trusted(network.ca_file),
            proxy=network.proxy or None,
            timeout=limits,
            follow_redirects=False,
            trust_env=True,
            headers={"accept-encoding": ACCEPTED},
            # Kept, they would grow for as long as a merchant likes, and tell it that two buyers are one visitor.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )
        written = {urlsplit(f"//{host}").hostname or "" for host in self.hosts}
        addresses.guard(
            self._client, {host for host in written if addresses.is_private(host)} | {*network.private_hosts}
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, Attachment] | None = None,
        raw: Attachment | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One exchange; any status is an answer.

        Args:
            files: sent with `form` as `multipart/form-data` (RFC 7578), by the names of their fields.
            raw: a file that is the whole body.

        Raises:
            Unavailable: certainly never sent.
            UnknownOutcome: sent, and the answer is lost.
            ContractBroken: a host that is not listed, or a way that is not safe.
        """
        with (
            opened(files, raw, form, self.timeouts.total) as (sent, described),
            self._exchange(
                method, url, {**described, **(headers or {})}, {"json": json, "data": form, "params": params, **sent}
            ) as (response, deadline),
        ):
            body = b"".join(self._chunks(response, deadline))
            return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)

    def download(
        self, url: str, into: BinaryIO, *, headers: Mapping[str, str] | None = None, json: Any = None
    ) -> Download:
        """Write a document into a file; with `json` it is asked for by POST.

        Raises:
            AuthFailed: 401 or 403. ContractBroken: it is gone (404, 410). Unavailable: any other status.
            UnknownOutcome: it came incomplete, late or too large.
        """
        digest, size = hashlib.sha256(), 0
        asked = ("GET", {}) if json is None else ("POST", {"json": json})
        with self._exchange(asked[0], url, dict(headers or {}), asked[1]) as (response, deadline):
            _require_success(response)
            for chunk in self._chunks(response, deadline):
                into.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            media = Message()
            media["content-type"] = response.headers.get("content-type", "application/octet-stream")
            return Download(media.get_content_type(), size, digest.hexdigest())

    def close(self) -> None:
        """Close every kept connection."""
        self._client.close()

    @contextmanager
    def _exchange(
        self, method: str, url: str, headers: dict[str, str], content: dict[str, Any]
    ) -> Iterator[tuple[httpx2.Response, float]]:
        if self._breaker is None:
            with self._hops(method, url, headers, content) as exchange:
                yield exchange
            return
        self._require_allowed(url)
        self._breaker.before()
        response, lost = None, ""
        try:
            with self._hops(method, url, headers, content) as exchange:
                response = exchange[0]
                yield exchange
        except (Unavailable, UnknownOutcome) as error:
            lost = error.detail if response is None or isinstance(error, UnknownOutcome) else ""
            raise
        finally:
            if lost:
                self._breaker.failed(lost)
            elif response is not None:
                _tell(self._breaker, response)

    @contextmanager
    def _hops(
        self, method: str, url: str, headers: dict[str, str], content: dict[str, Any]
    ) -> Iterator[tuple[httpx2.Response, float]]:
        _require_sendable(headers)
        deadline = time.monotonic() + self.timeouts.total
        host = _host_of(url)
        if content.get("params"):
            # The client would take them for the whole query, and forget that of the address.
            url = str(httpx2.URL(url).copy_merge_params(content["params"]))
            content = {**content, "params": None}
        for hop in range(LONGEST_CHAIN + 1):
            self._require_allowed(url)
            try:
                with (
                    addresses.until(deadline),
                    self._client.stream(method, url, headers=headers, **content) as response,
                ):
                    location = response.headers.get("location")
                    if method != "GET" or response.status_code not in REDIRECTS or not location:
                        yield response, deadline
                        return
            except NEVER_SENT as error:
                # Sent on to where nobody answers: whoever sent us there has had the request.
                raise (UnknownOutcome if hop else Unavailable)(f"{host}: {type(error).__name__}: {error}") from error
            except httpx2.InvalidURL as error:
                raise ContractBroken(f"{host}: {error}") from error
            except httpx2.HTTPError as error:
                raise UnknownOutcome(f"{host}: {type(error).__name__}: {error}") from error
            url, content = _joined(url, location), {}
            if _host_of(url) != host:
                headers = {name: value for name, value in headers.items() if name.lower() in HARMLESS}
            host = _host_of(url)
        raise ContractBroken(f"more than {LONGEST_CHAIN} redirections")

    def _chunks(self, response: httpx2.Response, deadline: float) -> Iterator[bytes]:
        size = 0
        # As it arrives: waiting for a chunk to fill would let a dripping answer outlive its deadline.
        for chunk in decoded(response.iter_raw(), response.headers.get("content-encoding", "")):
            size += len(chunk)
            if size > self.max_body:
                raise UnknownOutcome(f"the answer is longer than {self.max_body} bytes")
            if time.monotonic() > deadline:
                raise UnknownOutcome(f"the answer took longer than {self.timeouts.total} s")
            yield chunk

    def _require_allowed(self, url: str) -> None:
        address = _host_of(url)
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if address.removesuffix(":443") not in self.hosts:
            raise ContractBroken(f"{host or 'no host'} is not among the hosts of this connector")
        if parts.scheme != "https" and not (parts.scheme == "http" and addresses.is_this_machine(host)):
            raise ContractBroken(f"{parts.scheme}://{host}: only https leaves this machine")


def _joined(url: str, location: str) -> str:
    """Where a redirection leads. Raises `ContractBroken` when it leads nowhere."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        # Where to is not repeated: a merchant that is signed in by the address may send us on with our own key in it.
        raise ContractBroken("sent on to what is no address") from error


def _require_sendable(headers: Mapping[str, str]) -> None:
    """Raises `AuthFailed` for a header that cannot leave; the client's own error would tell what it holds, a secret mostly."""
    for name, value in headers.items():
        if not SENDABLE.fullmatch(value):
            raise AuthFailed(f"{name} holds what no header can: a line's end, an accent, or a space at its end")


def _host_of(url: str) -> str:
    """`host` or `host:port` of an address. Raises `ContractBroken` for what is no address."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError as error:
        raise ContractBroken(f"not an address: {url[:200]!r}") from error


def _tell(breaker: Breaker, response: httpx2.Response) -> None:
    if response.status_code == 429 or response.status_code >= 500:
        breaker.failed(f"status {response.status_code}", seconds(response.headers.get("retry-after", "")))
    else:
        breaker.answered()


def _require_success(response: httpx2.Response) -> None:
    status = response.status_code
    if status == 200:
        return
    if status in {401, 403}:
        raise AuthFailed(f"the document was refused with status {status}")
    if status in {404, 410}:
        raise ContractBroken(f"the document is gone (status {status})")
    wait_s = seconds(response.headers.get("retry-after", ""))
    raise Unavailable(f"the document came with status {status}", retry_after_s=wait_s)
