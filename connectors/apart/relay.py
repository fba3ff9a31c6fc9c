"""The portal's side of a request that a connector's own process asks for: it is signed in here, sent from here, and watched.

The process holds a word in place of each secret. The word becomes the secret only in what goes to a host of the manifest,
and the secret becomes the word again in whatever comes back: a merchant that repeats what it was sent tells it nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, urlsplit

from connectors.apart.wire import Rubbish, decode
from connectors.contract import ConnectorError, ContractBroken, Unavailable, UnknownOutcome
from connectors.exchange import Answer, Download
from connectors.http import HARMLESS, GuardedClient

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
NOT_THEIRS = {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "expect"}
"""Headers that say where a request goes and how it travels: they are the client's."""
Made = TypeVar("Made")
Mask = tuple[re.Pattern[bytes], str]
"""How a secret is written, and the word in its place."""
LEAST_SECRET = 6
"""Characters; what is shorter stands in any answer by chance."""


@dataclass
class Traffic:
    """What has left the machine for one call, since when (monotonic seconds); `lost` says how the last answer was lost."""

    left: bool = False
    lost: str = ""
    asked: int = 0
    began: float = 0.0


class Relay:
    """The client and the secrets of one merchant; safe to use from several threads.

    Args:
        sign_in: where credentials are traded for a token: an answer that is lost there is no order's.
    """

    def __init__(self, http: GuardedClient, given: Mapping[str, str], sign_in: str = "") -> None:
        self.http, self._sign_in = http, sign_in
        self.words = {name: f"apart-{secrets.token_hex(20)}" for name in given}
        self._secrets = {self.words[name]: secret for name, secret in given.items() if secret}
        self._masks = [
            (_written(secret), word) for word, secret in self._secrets.items() if len(secret) >= LEAST_SECRET
        ]

    def request(self, asked: Mapping[str, Any], traffic: Traffic) -> Answer:
        """One exchange, and what of its answer the process may see. Raises `Rubbish`, and like the client."""
        method, url = _text(asked, "method"), _text(asked, "url")
        headers, params, form = (_table(asked, name) for name in ("headers", "params", "form"))
        if method not in METHODS:
            raise ContractBroken(f"no request is made by {method[:20]!r}")
        if any(name.lower() in NOT_THEIRS or not isinstance(text, str) for name, text in (headers or {}).items()):
            raise ContractBroken("a header that a connector does not set")
        content: dict[str, Any] = {
            "headers": headers,
            "params": params,
            "form": form,
            "json": decode(asked.get("json")),
        }
        if self._goes_to_the_merchant(url):
            url = self._in_address(url)
            content = {name: self._filled(each) for name, each in content.items()} | {"headers": self._signed(headers)}
        answer = self._watched(url, traffic, lambda: self.http.request(method, url, **content))
        masks = [*self._masks, *_coded(headers or {}, content["headers"] or {})]
        shown = {name: _masked(value, masks) for name, value in answer.headers.items()}
        return Answer(answer.status, shown, _hidden(answer.body, masks))

    def download(self, asked: Mapping[str, Any], into: BinaryIO, traffic: Traffic) -> Download:
        """A document into a file of the portal. Raises `Rubbish`, and like the client."""
        url, headers = _text(asked, "url"), _table(asked, "headers")
        if self._goes_to_the_merchant(url):
            url, headers = self._in_address(url), self._signed(headers)
        return self._watched(url, traffic, lambda: self.http.download(url, into, headers=headers))

    def masked(self, text: str) -> str:
        """A text with words in place of secrets."""
        return _masked(text, self._masks)

    def _watched(self, url: str, traffic: Traffic, send: Callable[[], Made]) -> Made:
        """Send, and note what may have left; errors are told without secrets."""
        before, traffic.left = traffic.left, True
        signs_in = url.partition("?")[0] == self._sign_in
        try:
            made = send()
        except Unavailable as error:
            traffic.left = before
            raise Unavailable(self.masked(error.detail), retry_after_s=error.retry_after_s) from None
        except ConnectorError as error:
            if isinstance(error, UnknownOutcome) and not signs_in:
                traffic.lost = self.masked(error.detail) or "the answer was lost"
            raise type(error)(self.masked(error.detail)) from None
        except Exception as error:
            # What the client cannot send as it was asked, like a header of the wrong signs.
            raise ContractBroken(self.masked(f"{type(error).__name__}: {error}")) from None
        if not signs_in:
            traffic.lost = ""
        return made

    def _goes_to_the_merchant(self, url: str) -> bool:
        """Whether a secret may stand in a request: it names the host itself, and the client would go there."""
        try:
            host = urlsplit(url).netloc.lower()
        except ValueError:
            return False
        return host.removesuffix(":443") in self.http.hosts

    def _in_address(self, url: str) -> str:
        for word, secret in self._secrets.items():
            url = url.replace(word, quote(secret, safe=""))
        return url

    def _signed(self, headers: Mapping[str, str] | None) -> dict[str, str] | None:
        """Headers that other hosts may be told as well, after a redirect, never hold a secret."""
        if headers is None:
            return None
        return {name: text if name.lower() in HARMLESS else self._in_header(text) for name, text in headers.items()}

    def _in_header(self, text: str) -> str:
        """A header with its secrets, also within the user and password of RFC 7617."""
        scheme, _, coded = text.partition(" ")
        if scheme.lower() == "basic":
            try:
                pair = base64.b64decode(coded, validate=True).decode()
            except (binascii.Error, ValueError):
                return text
            return f"{scheme} {base64.b64encode(str(self._filled(pair)).encode()).decode()}"
        return str(self._filled(text))

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            for word, secret in self._secrets.items():
                value = value.replace(word, secret)
            return value
        if isinstance(value, Mapping):
            return {name: self._filled(each) for name, each in value.items()}
        return [self._filled(each) for each in value] if isinstance(value, list | tuple) else value


def _masked(text: str, masks: Iterable[Mask]) -> str:
    return _hidden(text.encode("utf-8", "surrogatepass"), masks).decode("utf-8", "surrogatepass")


def _hidden(content: bytes, masks: Iterable[Mask]) -> bytes:
    for written, word in masks:
        content = written.sub(word.encode(), content)
    return content


def _written(secret: str) -> re.Pattern[bytes]:
    """A secret in whichever way a merchant may repeat it, each sign for itself: as it is, in an address, a form, JSON or a page."""
    return re.compile(b"".join(b"(?:" + b"|".join(_forms(sign)) + b")" for sign in secret))


def _forms(sign: str) -> Iterator[bytes]:
    """One sign as it is written; patterns begin with what they match, or a long answer would take long to search."""
    yield re.escape(sign.encode())
    yield b"".join(b"%%%b" % _either_case(f"{byte:02x}") for byte in sign.encode())
    # Half of a sign beyond the first 65,536 is escaped by itself.
    halves = sign.encode("utf-16-be").hex()
    yield b"".join(rb"\\u" + _either_case(halves[at : at + 4]) for at in range(0, len(halves), 4))
    yield b"&#(?:0*%d|[xX]0*%b);" % (ord(sign), _either_case(f"{ord(sign):x}"))
    if sign == " ":
        yield rb"\+"
    if sign in "\"\\/'":
        yield rb"\\" + re.escape(sign.encode())
    if sign in "&<>\"'":
        yield {"&": b"&amp;", "<": b"&lt;", ">": b"&gt;", '"': b"&quot;", "'": b"&apos;"}[sign]


def _either_case(digits: str) -> bytes:
    """Hexadecimal digits, small or large."""
    return "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in digits).encode()


def _coded(said: Mapping[str, str], sent: Mapping[str, str]) -> Iterator[Mask]:
    """The user and password as they were sent, coded, and as they were said."""
    for name, text in sent.items():
        if text != said[name] and text.lower().startswith("basic "):
            yield _written(text.partition(" ")[2]), said[name].partition(" ")[2]


def _text(asked: Mapping[str, Any], name: str) -> str:
    text = asked.get(name)
    if not isinstance(text, str):
        raise Rubbish(f"a request without {name}")
    return text


def _table(asked: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    table = decode(asked.get(name))
    if table is not None and not isinstance(table, dict):
        raise Rubbish(f"{name} is no table")
    return table
