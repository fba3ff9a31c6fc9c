"""A merchant that is described, not programmed: its `connector.toml` says what is sent and where answers are read.

A folder may add a `connector.py` whose `Connector` inherits `DeclaredMerchant`, for the one thing no
manifest can say: mostly `prepare`, before a request is filled in, or `read`, before an answer is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, NoReturn, cast
from urllib.parse import urljoin, urlsplit

from connectors import intangible
from connectors.contract import (
    AuthFailed,
    BookLine,
    Buyer,
    ConnectorError,
    ContractBroken,
    Document,
    Done,
    Listed,
    NotDone,
    NotFound,
    NotOffered,
    Offer,
    Outcome,
    Pending,
    Physical,
    Problem,
    Quote,
    Rejected,
    Suggestion,
    Unavailable,
    Unfit,
    Unknown,
)
from connectors.declared import reading
from connectors.declared.manifest import ItemsRequest, QuoteRequest, Request
from connectors.declared.paths import find, items, need, text, words
from connectors.declared.sending import GONE, input_values
from connectors.declared.speaking import Speaker
from connectors.http import Answer, Download
from connectors.merchants.answers import decimal_text, problem, require_success, success, whole

MOST_PAGES = 10_000
LONGEST_REASON = 300
LONGEST_ID = 64


class DeclaredMerchant(Speaker):
    """Everything a merchant does, read from its manifest."""

    # --- The contract -----------------------------------------------------------------------------

    def list_offers(self, state: str = "") -> Iterator[Listed]:
        """Every offer of `[list]`, page after page."""
        for content in self._pages():
            for item in items(content, self.manifest.listing.items):
                try:
                    yield self._offer(item)
                except (ContractBroken, ArithmeticError, ValueError) as error:
                    ident = find(item, str(self.manifest.listing.map["id"]))
                    yield Unfit(str(ident)[:LONGEST_ID], f"{type(error).__name__}: {error}"[:LONGEST_REASON])

    def suggest(self, offer_id: str, input_name: str, text: str) -> list[Suggestion]:
        """The first ten completions of `[suggest]`."""
        asked = self.manifest.suggest
        if asked is None:
            return []
        values = {"text": text, "offer.id": offer_id}
        content = self.read("suggest", success(self._send("suggest", asked, values)), values)
        return [reading.suggestion(item, asked) for item in items(content, asked.items)[:10]]

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """The price of `[quote]`, binding until its end or for `valid_s`."""
        asked = self.manifest.quote
        about = {
            "buyer.company": buyer.company,
            "buyer.language": buyer.language,
            "buyer.cost_centre": buyer.cost_centre,
            "buyer.licence": buyer.licence,
        }
        values = {**self._inputs(offer_id, inputs), **about}
        answer = self._send("quote", asked, values)
        if asked.errors.get(str(answer.status)) in {"rejected", "not_found"}:
            self._reject(answer)
        content = success(answer)
        intangible.require(content)
        return self._quote(self.read("quote", content, values), asked, offer_id)

    def fulfil(self, quote: Quote, key: str, po_number: str, max_gross_cents: int) -> Outcome:
        """Order by `[fulfil]` under the key."""
        try:
            given = self._inputs(quote.offer_id, quote.inputs)
        except ContractBroken:
            return NotDone("file_gone", GONE)
        values = {
            **given, "quote.ref": quote.ref, "key": key, "po": po_number, "max": decimal_text(max_gross_cents),
            "max_cents": max_gross_cents,
        }  # fmt: skip
        answer = self._send("fulfil", self.manifest.fulfil, values)
        meaning, _, where = self.manifest.fulfil.errors.get(str(answer.status), "").partition(":")
        if meaning == "rejected":
            return NotDone("rejected", self._words(answer))
        if meaning == "price_changed":
            return self._price_changed(answer, where, quote)
        return self._outcome("fulfil", answer, self.manifest.fulfil, values, quote.gross_cents)

    def lookup(self, key: str) -> Outcome | NotFound:
        """What `[lookup]` knows of the key."""
        asked = self.manifest.lookup
        if asked is None and self.manifest.capabilities.idempotent == "read":
            return NotFound()
        if asked is None:
            return Unknown("this merchant cannot be asked what became of a key")
        answer = self._send("lookup", asked, {"key": key})
        if asked.errors.get(str(answer.status)) == "not_found":
            return NotFound()
        content = self.read("lookup", success(answer), {"key": key})
        if not asked.items:
            return intangible.bought(self._known(self._order_in(content, asked), key, asked), content)
        # What stands in a list is mostly bare, whatever a single order is wrapped in.
        found = [find(item, asked.at or "") for item in items(content, asked.items)]
        ours = [item for item in found if not asked.key or text(item, asked.key) == key]
        if found and (len(ours) != 1):
            return Unknown(f"asked for one key, {len(found)} orders came, {len(ours)} of them under it")
        return self._read(ours[0], None) if ours else NotFound()

    def status(self, order_ref: str) -> Outcome:
        """Where `[status]` says an order stands."""
        asked = self.manifest.status
        if asked is None:
            return Unknown("this merchant cannot be asked where an order stands")
        values = {"order": order_ref}
        outcome = self._outcome("status", self._send("status", asked, values), asked, values, None)
        theirs = outcome.order_ref if isinstance(outcome, Done | Pending) else ""
        return Unknown(f"asked for one order, {theirs!r} came") if theirs not in {"", order_ref} else outcome

    def list_orders(self, since: datetime) -> Iterator[BookLine]:
        """The merchant's own book by `[orders]`. Raises `NotOffered` when it has none."""
        asked = self.manifest.orders
        if asked is None:
            raise NotOffered
        at = since.astimezone(UTC)
        values = {"since": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "since_date": at.date().isoformat()}
        content = self.read("orders", success(self._send("orders", asked, values)), values)
        for item in items(content, asked.items):
            yield reading.book_line(item, asked, self.manifest.amounts, self.manifest.order.states)

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        """A document; credentials go to the merchant's own host, and to no other that it may use."""
        if urlsplit(document.url).netloc != urlsplit(self.context.base_url).netloc:
            return self.context.http.download(document.url, into)
        try:
            return self.context.http.download(document.url, into, headers=self.signer.headers())
        except AuthFailed:
            return self.context.http.download(document.url, into, headers=self.signer.headers(fresh=True))

    def check(self) -> list[Problem]:
        """Sign in, ask what `[check]` asks, and read the first page of the catalogue."""
        try:
            if self.manifest.check:
                require_success(self._send("check", self.manifest.check, {}))
            next(self.list_offers(), None)
        except ConnectorError as error:
            return [problem(error)]
        return []

    # --- Sending ----------------------------------------------------------------------------------

    def _pages(self) -> Iterator[Any]:
        asked, paging = self.manifest.listing, self.manifest.listing.paging
        if asked.offers:
            yield self.read("list", asked.offers, {})
            return
        more: dict[str, Any] = {paging.into: 1} if paging and paging.kind == "page" else {}
        seen: set[str] = set()
        answer = self._send("list", asked, {}, more)
        while True:
            content = self.read("list", success(answer), {})
            yield content
            going_on = self._next(content, len(seen) + 2)
            if not going_on:
                return
            if going_on in seen or len(seen) >= MOST_PAGES:
                raise ContractBroken(f"the list never ends: {going_on[:100]!r} came again, or after {len(seen)} pages")
            seen.add(going_on)
            if paging and paging.kind == "link":
                url = urljoin(self.context.base_url + "/", going_on)
                if urlsplit(url).netloc != urlsplit(self.context.base_url).netloc:
                    raise ContractBroken("the next page is on another host")
                answer = self._signed("GET", url, {}, {"params": self.signer.query() or None})
            elif paging:
                answer = self._send("list", asked, {}, {paging.into: going_on})

    def _next(self, content: Any, page: int) -> str:
        paging = self.manifest.listing.paging
        if paging is None:
            return ""
        if paging.kind == "page":
            return str(page) if items(content, self.manifest.listing.items) else ""
        return text(content, paging.out)

    # --- Reading ----------------------------------------------------------------------------------

    def _inputs(self, offer_id: str, inputs: Mapping[str, str]) -> dict[str, Any]:
        return {**input_values(self.manifest.input, inputs, self.context.uploads), "offer.id": offer_id}

    def _offer(self, item: Any) -> Offer | Unfit:
        places = self.manifest.listing.map
        ident = str(need(item, reading.path(places, "id")))
        if why := intangible.sign(item):
            return Unfit(ident[:LONGEST_ID], why)
        return Offer(
            id=ident, title=words(item, places.get("title", "")), summary=words(item, places.get("summary", "")),
            category=text(item, reading.path(places, "category")), delay=words(item, places.get("delay", "=")),
            delivery=cast(Any, text(item, reading.path(places, "delivery"))),
            keywords=text(item, reading.path(places, "keywords")) if "keywords" in places else "",
            inputs=self.manifest.inputs_of(ident), **reading.sold_as(item, places),
            **reading.price(item, places, self.manifest.amounts),
        )  # fmt: skip

    def _quote(self, content: Any, asked: QuoteRequest, offer_id: str) -> Quote:
        places = asked.map
        intangible.require(content)
        ends = reading.instant(content, reading.path(places, "expires_at")) if "expires_at" in places else None
        return Quote(
            ref=str(need(content, reading.path(places, "ref"))) if "ref" in places else offer_id,
            expires_at=ends or datetime.now(UTC) + timedelta(seconds=asked.valid_s),
            subject=text(content, reading.path(places, "subject")) if "subject" in places else "",
            units=whole(find(content, reading.path(places, "units")) or 0, 1) if "units" in places else 0,
            **reading.price(content, places, self.manifest.amounts),
        )  # fmt: skip

    def _outcome(
        self, step: str, answer: Answer, asked: Request, values: Mapping[str, Any], agreed_cents: int | None
    ) -> Outcome:
        if answer.status in {401, 403}:
            raise AuthFailed(f"status {answer.status}")
        if asked.errors.get(str(answer.status)) == "wait":
            raise Unavailable(f"status {answer.status}", retry_after_s=answer.retry_after_s)
        if answer.status not in {200, 201, 202}:
            return Unknown(answer.summary, answer.retry_after_s)
        try:
            content = answer.json()
            item, lookup = self._order_in(self.read(step, content, values), asked), self.manifest.lookup
            theirs = text(item, lookup.key) if step == "fulfil" and lookup and lookup.key else ""
            if theirs not in {"", values.get("key")}:
                return Unknown(f"ordered under one key, an order under {theirs!r} came")
            return intangible.bought(self._read(item, agreed_cents), content)
        except ContractBroken as error:
            return Unknown(f"the answer cannot be read: {error.detail}"[:LONGEST_REASON])

    def _order_in(self, content: Any, asked: Request) -> Any:
        return find(content, self.manifest.order.at if asked.at is None else asked.at)

    def _known(self, item: Any, key: str, asked: ItemsRequest) -> Outcome:
        theirs = text(item, asked.key) if asked.key else key
        return self._read(item, None) if theirs == key else Unknown(f"asked for one key, the order has {theirs!r}")

    def _read(self, item: Any, agreed_cents: int | None) -> Outcome:
        manifest = self.manifest
        return reading.outcome(item, manifest.order, manifest.amounts, agreed_cents, self.context.base_url)

    def _price_changed(self, answer: Answer, where: str, quote: Quote) -> Outcome:
        try:
            return NotDone(
                "price_changed", {}, self._quote(need(answer.json(), where), self.manifest.quote, quote.offer_id)
            )
        except Physical as error:
            return intangible.refused(error)
        except ContractBroken as error:
            return Unknown(f"status {answer.status}: {error.detail}"[:LONGEST_REASON])

    def _reject(self, answer: Answer) -> NoReturn:
        where = self.manifest.refusal.field
        field = text(_json(answer), where) if where else ""
        raise Rejected(f"status {answer.status}", words=self._words(answer), field=field)

    def _words(self, answer: Answer) -> dict[str, str]:
        place = self.manifest.refusal.words
        return dict(words(_json(answer), place)) if place else {}


def _json(answer: Answer) -> Any:
    try:
        return answer.json()
    except ContractBroken:
        return {}
