"""A connector that does everything it should not; what it does is named by the inputs of a test."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from acme_hostile.attempts import attempt

from connectors.contract import (
    AuthFailed,
    BookLine,
    Buyer,
    Data,
    Document,
    Done,
    Licence,
    MerchantConnector,
    NotDone,
    Offer,
    Physical,
    Problem,
    Quote,
    Rejected,
    State,
    Suggestion,
    Unavailable,
    UnknownOutcome,
)
from connectors.http import Download

IN, OUT = 3, 4
"""The pipes from and to the portal, as anybody finds them."""


class Wild(BaseException):
    """No error of Python's, either."""


def misbehave(how: str) -> Any:
    """Fail in one way; what it gives, if it ends, is no answer."""
    if how == "die":
        os._exit(3)
    if how == "crash":
        import ctypes

        ctypes.string_at(1)
    if how == "sleep":
        time.sleep(3600)
    if how == "spin":
        while True:
            pass
    if how == "eat":
        return [bytearray(1 << 20) for _each in range(1 << 20)]
    if how == "rubbish":
        os.write(OUT, b"\x00\xff not a message\n")
    if how == "another":
        os.write(OUT, b'{"call":"0123456789abcdef","gave":null}\n')
    if how == "deep":
        os.write(OUT, b"[" * 100_000 + b"\n")
    if how == "half":
        os.write(OUT, b'{"call":')
        time.sleep(3600)
    if how == "flood":
        while True:
            os.write(OUT, b"x" * 65536)
    if how == "bytes":
        os.write(OUT, b'{"call":"x","ask":"write","bytes":99999999999}\n')
    if how == "close":
        os.close(OUT)
        time.sleep(3600)
    if how == "exit":
        sys.exit(0)
    if how == "wild":
        raise Wild("no error of the contract")
    if how == "half a sign":
        raise ValueError("\ud800")
    if how == "recursion":
        return misbehave(how)
    if how == "print":
        print("x" * 100_000)
        sys.stderr.write("y" * 100_000)
        sys.stdin.read()
    return object()


class Connector(MerchantConnector):
    """Speaks to a merchant by `/echo`, `/orders` and `/slow`."""

    def _send(self, path: str = "/orders", method: str = "POST", **content: Any) -> Any:
        return self.context.http.request(method, self.context.base_url + path, **content)

    def suggest(self, offer_id: str, input_name: str, text: str) -> list[Suggestion]:
        """One attempt, or one failure."""
        if offer_id == "attempt":
            return [Suggestion(input_name, attempt(input_name, text))]
        if offer_id == "type":
            return [Suggestion(text, 12)]  # type: ignore[arg-type]
        if offer_id == "secret":
            return [Suggestion(text, self.context.secrets[input_name])]
        return misbehave(input_name)

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """What the merchant answers to a request that a test describes, as the subject of a quote."""
        if offer_id == "ship":
            raise Physical("it weighs 3 kg", words={"fr": "Un objet."})
        if offer_id == "refuse":
            raise Rejected("unknown", words={"fr": "Non."}, field="siren")
        word = self.context.secrets["api_key"]
        content: dict[str, Any] = {
            "header": {"headers": {"X-Key": f"Key {word}"}},
            "basic": {"headers": {"Authorization": _basic(self.context.secrets)}},
            "agent": {"headers": {"User-Agent": word}},
            "host": {"headers": {"Host": "elsewhere.example"}},
            "query": {"params": {"key": word}},
            "form": {"form": {"key": word}},
            "body": {"json": {"deep": [{"key": f"<{word}>"}]}},
        }.get(offer_id, {})
        url = inputs.get("url", self.context.base_url + "/echo").replace("{word}", word)
        answer = self.context.http.request(inputs.get("method", "POST"), url, **content)
        expires = datetime.now(UTC) + timedelta(minutes=5)
        return Quote("q", 100, 2000, 20, 120, "EUR", expires, subject=answer.body.decode())

    def fulfil(self, quote: Quote, key: str, po_number: str, max_gross_cents: int) -> Any:
        """`when:how`: before a request has left, after it, or after its answer was lost."""
        when, _, how = quote.ref.partition(":")
        if when == "after":
            self._send(json={"key": key})
        if when == "lost":
            try:
                self._send("/slow", json={"key": key})
            except UnknownOutcome:
                if how == "not_done":
                    return NotDone("sold_out")
                raise {"unavailable": Unavailable, "rejected": Rejected, "refused": AuthFailed}[how]("no") from None
        if when == "token":
            try:
                self._send("/token", json={"key": key})
            except UnknownOutcome:
                raise Unavailable("no sign-in") from None
        if how == "done":
            return Done(Licence(f"key of {max_gross_cents}", 3), max_gross_cents, key)
        return misbehave(how)

    def lookup(self, key: str) -> Any:
        """Ask for ever, or fail."""
        while key == "for ever":
            self._send()
        if key == "dawdle":
            pipe = self.context.http._ask.__self__  # type: ignore[attr-defined]
            pipe.send({"ask": "request", "method": "GET", "url": self.context.base_url + "/file"})
            while os.read(IN, 4096):
                time.sleep(0.05)
        return misbehave(key)

    def status(self, order_ref: str) -> Any:
        """A value of the contract with parts that are none, or in place of an outcome."""
        return {
            "offer": Quote("q", 1, 0, 0, 1, "EUR", datetime.now(UTC)),
            "price": Done(Data((({"fr": "x"}, "y"),)), 12.5),  # type: ignore[arg-type]
            "text": Done(Licence(b"key"), 120),  # type: ignore[arg-type]
            "huge": Done(Licence("key"), 10**5000),
            "nothing": None,
            "mark": {"$": "Popen", "args": ["true"]},
        }[order_ref]

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        """A document by a download, by writing it, or by claiming it; what is said of it is never true."""
        how, _, url = document.url.partition(" ")
        if how == "write":
            into.write(b"%PDF-" + b"x" * 200_000)
        if how == "endless":
            while True:
                into.write(b"x" * 100_000)
        if how == "download":
            self.context.http.download(self.context.base_url + url, into)
        if how == "here":
            into.write(self._send(url, "GET").body)
        return Download("application/pdf", 1, "0" * 64)

    def list_offers(self, state: str = "") -> Iterator[Any]:
        """A list that goes wrong in its middle."""
        fat = state == "fat"
        for number in range(60 if fat else 1200):
            yield Offer(
                str(number), {"fr": "x"}, {"fr": "y" * (100_000 if fat else 1)}, "z", 100, 2000, 20, 120, "EUR", "data"
            )
        yield State("c1200")
        if state == "raise":
            raise Unavailable("later", retry_after_s=7)
        misbehave(state)

    def list_orders(self, since: datetime) -> Iterator[BookLine]:
        """A book whose reader asks the time it was given back."""
        yield BookLine("G-1", "k", 120, "EUR", "delivered", since)

    def check(self) -> list[Problem]:
        """All is well, it says."""
        return []


def _basic(secrets: Mapping[str, str]) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{secrets['api_key']}:{secrets['password']}".encode()).decode()
