"""A merchant whose connector is code of others: it answers from its own process, and is believed as far as it goes.

What goes wrong with the process is told by what has left the machine for the call: nothing, and the merchant
is `Unavailable`; something, and it is a doubt, which is looked up.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO, cast

from connectors.apart import wire
from connectors.apart.believing import Kept, told, typed
from connectors.apart.pool import AllBusy, Pool
from connectors.apart.process import Answering, Gone, Process, Refuses
from connectors.apart.relay import Relay, Traffic
from connectors.contract import (
    BookLine,
    Buyer,
    ConnectorError,
    Context,
    ContractBroken,
    Document,
    Done,
    Listed,
    MerchantConnector,
    NotDone,
    NotFound,
    Offer,
    Outcome,
    Pending,
    Problem,
    Quote,
    Rejected,
    Removed,
    State,
    Suggestion,
    Unavailable,
    Unfit,
    Unknown,
    UnknownOutcome,
)
from connectors.exchange import Download

AT_A_TIME = 500
MOST_REQUESTS = 200
"""For one call that is no list: whoever asks more is in a loop."""
LONGEST_CALL_S = 120.0
"""From the first request of a call that is no list to its last, with all the waiting for the merchant."""
PIECE = 1 << 16
IN_MEMORY = 1 << 20
LISTED = (Offer, Removed, State, Unfit)
OUTCOMES = (Done, Pending, NotDone, Unknown)


class ApartMerchant(MerchantConnector):
    """Speaks for a merchant through processes that hold its connector's code; safe to use from several threads."""

    def __init__(self, context: Context, pool: Pool) -> None:
        super().__init__(context)
        self._pool = pool
        path = str(context.manifest.get("auth", {}).get("path", ""))
        self._relay = Relay(context.http, context.secrets, context.base_url + path if path else "")
        known = {"key": context.key, "base_url": context.base_url, "secrets": self._relay.words}
        self._told = {
            "context": wire.encode({**known, "manifest": context.manifest}),
            "http": {"hosts": sorted(context.http.hosts), "max_body": context.http.max_body},
        }

    # --- The contract -----------------------------------------------------------------------------

    def list_offers(self, state: str = "") -> Iterator[Listed]:
        """The merchant's list, some at a time."""
        return cast(Iterator[Listed], self._stream("list_offers", [state], LISTED))

    def suggest(self, offer_id: str, input_name: str, text: str) -> list[Suggestion]:
        """What its code suggests."""
        return self._several("suggest", [offer_id, input_name, text], Suggestion)

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """Its price."""
        return cast(Quote, self._one(Traffic(), "quote", [offer_id, dict(inputs), buyer], (Quote,)))

    def fulfil(self, quote: Quote, key: str, po_number: str, max_gross_cents: int) -> Outcome:
        """Its order. Whoever lost the answer is not believed that nothing was done."""
        traffic = Traffic()
        try:
            made = self._outcome(traffic, "fulfil", [quote, key, po_number, max_gross_cents], OUTCOMES)
        except (Unavailable, Rejected) as error:
            if not traffic.lost:
                raise
            made = NotDone(type(error).__name__)
        if isinstance(made, NotDone) and traffic.lost:
            return Unknown(f"its connector says {made.code!r}, but the answer was lost: {traffic.lost}")
        return cast(Outcome, made)

    def lookup(self, key: str) -> Outcome | NotFound:
        """What its code found of a key."""
        return cast(Outcome | NotFound, self._outcome(Traffic(), "lookup", [key], (*OUTCOMES, NotFound)))

    def lookup_sent(self, quote: Quote, key: str) -> Outcome | NotFound:
        """What its code found of a key that was sent for a quote."""
        return cast(Outcome | NotFound, self._outcome(Traffic(), "lookup_sent", [quote, key], (*OUTCOMES, NotFound)))

    def status(self, order_ref: str) -> Outcome:
        """Where its code says an order stands."""
        return cast(Outcome, self._outcome(Traffic(), "status", [order_ref], OUTCOMES))

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        """A document as its code fetches it; what is said of its size and hash is what was written here."""
        kept = Kept(into, self.context.http.max_body)
        try:
            made = self._one(Traffic(), "fetch", [document], (Download,), kept)
        except ConnectorError:
            if kept.failed:
                raise kept.failed from None
            raise
        if kept.failed:
            raise kept.failed
        return Download(cast(Download, made).media_type, kept.size, kept.digest.hexdigest())

    def list_orders(self, since: datetime) -> Iterator[BookLine]:
        """The merchant's own book, some lines at a time."""
        return cast(Iterator[BookLine], self._stream("list_orders", [since], (BookLine,)))

    def check(self) -> list[Problem]:
        """What its code finds wrong, or what is wrong with its process."""
        fault = self.fault()
        return [fault] if fault else self._several("check", [], Problem)

    def fault(self) -> Problem | None:
        """Why its code can never be asked: it cannot be isolated here, or does not load."""
        try:
            with self._pool.lent() as process:
                process.begin(self._told, self._answering(process, Traffic(), None))
            return None
        except Refuses as error:
            return _problem(str(error))
        except (Gone, AllBusy):
            return None

    def close(self) -> None:
        """End its processes."""
        self._pool.close()

    # --- Asking -----------------------------------------------------------------------------------

    def _outcome(self, traffic: Traffic, name: str, given: list[Any], takes: tuple[type, ...]) -> Any:
        try:
            return self._one(traffic, name, given, takes)
        except UnknownOutcome as error:
            return Unknown(error.detail)

    def _several(self, name: str, given: list[Any], kind: type) -> list[Any]:
        return [typed(each, (kind,)) for each in _list(self._ask(Traffic(), name, given))]

    def _one(
        self, traffic: Traffic, name: str, given: list[Any], takes: tuple[type, ...], kept: Kept | None = None
    ) -> Any:
        return typed(self._ask(traffic, name, given, kept), takes)

    def _ask(self, traffic: Traffic, name: str, given: list[Any], kept: Kept | None = None) -> Any:
        asked = {"call": secrets.token_hex(8), "method": name, "args": [wire.encode(each) for each in given]}
        try:
            with self._pool.lent() as process:
                answering = self._answering(process, traffic, kept)
                process.begin(self._told, answering)
                said = process.converse(asked, answering)
        except (Gone, AllBusy) as error:
            raise _failure(error, traffic) from error
        return told(said, "gave")

    def _stream(self, name: str, given: list[Any], takes: tuple[type, ...]) -> Iterator[Any]:
        traffic, call = Traffic(), {"call": secrets.token_hex(8), "more": AT_A_TIME}
        asked = {**call, "method": name, "args": [wire.encode(each) for each in given]}
        try:
            with self._pool.lent() as process:
                answering, ended = self._answering(process, traffic, None, lasting=True), False
                process.begin(self._told, answering)
                try:
                    while not ended:
                        said = process.converse(asked, answering)
                        ended, asked = "raised" in said or said.get("end") is not False, call
                        for each in _list(said.get("some")):
                            yield typed(each, takes)
                        if "raised" in said:
                            told(said, "some")
                finally:
                    if not ended:
                        # It waits in the middle of its list, which nobody wants any more.
                        process.end()
        except (Gone, AllBusy) as error:
            raise _failure(error, traffic) from error

    def _answering(self, process: Process, traffic: Traffic, kept: Kept | None, *, lasting: bool = False) -> Answering:
        """What is sent for something that the process asks in the middle of a call."""

        def answer(said: dict[str, Any]) -> Iterator[bytes]:
            content = process.take(said["bytes"]) if "bytes" in said else b""
            if said["ask"] != "write":
                traffic.asked += 1
            traffic.began = traffic.began or time.monotonic()
            if not lasting:
                _require_an_end(traffic)
            try:
                yield from self._carried_out(said, content, traffic, kept)
            except ConnectorError as error:
                yield wire.line({"raised": wire.encode_error(error)})

        return answer

    def _carried_out(
        self, said: Mapping[str, Any], content: bytes, traffic: Traffic, kept: Kept | None
    ) -> Iterator[bytes]:
        if said["ask"] == "request":
            answer = self._relay.request(said, traffic)
            yield wire.line({"status": answer.status, "headers": answer.headers, "bytes": len(answer.body)})
            yield answer.body
        elif said["ask"] == "download" and said.get("here"):
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
                made = self._relay.download(said, cast(BinaryIO, file), traffic)
                file.seek(0)
                yield wire.line({"gave": wire.encode(made), "bytes": made.size})
                while piece := file.read(PIECE):
                    yield piece
        elif said["ask"] == "download" and kept:
            yield wire.line({"gave": wire.encode(self._relay.download(said, cast(BinaryIO, kept), traffic))})
        elif said["ask"] == "write" and kept:
            kept.write(content)
            yield wire.line({"gave": len(content)})
        else:
            raise wire.Rubbish(f"it asks for {said['ask']!r}"[:200])


def _list(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise ContractBroken(f"{type(given).__name__} instead of a list")
    return given


def _require_an_end(traffic: Traffic) -> None:
    if traffic.asked > MOST_REQUESTS:
        raise wire.Rubbish(f"more than {MOST_REQUESTS} requests for one call")
    if time.monotonic() - traffic.began > LONGEST_CALL_S:
        raise wire.Rubbish(f"still asking after {LONGEST_CALL_S:.0f} s")


def _failure(error: Exception, traffic: Traffic) -> ConnectorError:
    """What became of a call whose process failed: only what certainly did not leave may be called away."""
    if traffic.left:
        return UnknownOutcome(f"its process failed after a request had left: {error}")
    return Unavailable(f"its process failed: {error}")


def _problem(detail: str) -> Problem:
    what = {"fr": f"son code ne peut pas servir : {detail}", "en": f"its code cannot be used: {detail}"}
    remedy = {
        "fr": "Corrigez le connecteur, ou changez de machine ou de conteneur si c'est l'isolation qui manque (docs/connectors.md, « Code of others »).",
        "en": "Correct the connector, or change the machine or container where isolation is what lacks (docs/connectors.md, “Code of others”).",
    }
    return Problem(what, remedy)
