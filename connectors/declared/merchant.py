"""A merchant that is described, not programmed: its `connector.toml` says what is sent and where answers are read.

A folder may add a `connector.py` whose `Connector` inherits `DeclaredMerchant`, for the one thing no
manifest can say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, NoReturn, cast
from urllib.parse import urljoin, urlsplit

from connectors.contract import (
    DELIVERED,
    AuthFailed,
    BookLine,
    Buyer,
    ConnectorError,
    Context,
    ContractBroken,
    Document,
    Listed,
    MerchantConnector,
    NotDone,
    NotFound,
    NotOffered,
    Offer,
    Outcome,
    Problem,
    Quote,
    Rejected,
    Suggestion,
    Unavailable,
    Unfit,
    Unknown,
)
from connectors.declared import reading, templates
from connectors.declared.manifest import DeclaredManifest, ItemsRequest, QuoteRequest, Request
from connectors.declared.paths import find, items, need, text, words
from connectors.declared.sending import GONE, body_of, input_values
from connectors.declared.signing import Signer
from connectors.http import Answer, Download
from connectors.merchants.answers import decimal_text, problem, success, whole

MOST_PAGES = 10_000
LONGEST_REASON = 300
LONGEST_ID = 64


class DeclaredMerchant(MerchantConnector):
    """Everything a merchant does, read from its manifest."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.manifest = DeclaredManifest.model_validate(dict(context.manifest))
        self.signer = Signer(self.manifest.auth, context)

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
        content = success(self._send(asked, {"text": text, "offer.id": offer_id}))
        return [_suggestion(item, asked) for item in items(content, asked.items)[:10]]

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """The price of `[quote]`, binding until its end or for `valid_s`."""
        asked = self.manifest.quote
        about = {
            "buyer.company": buyer.company,
            "buyer.language": buyer.language,
            "buyer.cost_centre": buyer.cost_centre,
        }
        answer = self._send(asked, {**self._inputs(offer_id, inputs), **about})
        if asked.errors.get(str(answer.status)) in {"rejected", "not_found"}:
            self._reject(answer)
        return self._quote(success(answer), asked, offer_id)

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
        answer = self._send(self.manifest.fulfil, values)
        meaning, _, where = self.manifest.fulfil.errors.get(str(answer.status), "").partition(":")
        if meaning == "rejected":
            return NotDone("rejected", self._words(answer))
        if meaning == "price_changed":
            return self._price_changed(answer, where, quote)
        return self._outcome(answer, self.manifest.fulfil, quote.gross_cents)

    def lookup(self, key: str) -> Outcome | NotFound:
        """What `[lookup]` knows of the key."""
        asked = self.manifest.lookup
        if asked is None:
            return Unknown("this merchant cannot be asked what became of a key")
        answer = self._send(asked, {"key": key})
        if asked.errors.get(str(answer.status)) == "not_found":
            return NotFound()
        content = success(answer)
        if not asked.items:
            return self._known(self._order_in(content, asked), key, asked)
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
        return self._outcome(self._send(asked, {"order": order_ref}), asked, None)

    def list_orders(self, since: datetime) -> Iterator[BookLine]:
        """The merchant's own book by `[orders]`. Raises `NotOffered` when it has none."""
        asked = self.manifest.orders
        if asked is None:
            raise NotOffered
        at = since.astimezone(UTC)
        values = {"since": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "since_date": at.date().isoformat()}
        content = success(self._send(asked, values))
        for item in items(content, asked.items):
            yield self._book_line(item, asked)

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        """A document; credentials go to the merchant's own host, and to no other that it may use."""
        if urlsplit(document.url).netloc != urlsplit(self.context.base_url).netloc:
            return self.context.http.download(document.url, into)
        try:
            return self.context.http.download(document.url, into, headers=self.signer.headers())
        except AuthFailed:
            return self.context.http.download(document.url, into, headers=self.signer.headers(fresh=True))

    def check(self) -> list[Problem]:
        """Sign in and read the first page of the catalogue."""
        try:
            next(self.list_offers(), None)
        except ConnectorError as error:
            return [problem(error)]
        return []

    # --- Sending ----------------------------------------------------------------------------------

    def _send(self, asked: Request, values: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> Answer:
        """One request; a refusal of our credentials was not carried out, so it is repeated once with fresh ones."""
        content = body_of(asked, values, self.context.uploads)
        query = {name: templates.in_text(value, values) for name, value in asked.query.items()}
        content["params"] = {**query, **(more or {}), **self.signer.query()} or None
        headers = {name: templates.in_header(value, values) for name, value in asked.headers.items()}
        url = self.context.base_url + templates.in_path(asked.path, values)
        return self._signed(asked.method, url, headers, content)

    def _signed(self, method: str, url: str, headers: Mapping[str, str], content: dict[str, Any]) -> Answer:
        for fresh in (False, True):
            signed = {"Accept": "application/json", **self.signer.headers(fresh=fresh), **headers}
            answer = self.context.http.request(method, url, headers=signed, **content)
            if answer.status != 401:
                return answer
        return answer

    def _pages(self) -> Iterator[Any]:
        asked, paging = self.manifest.listing, self.manifest.listing.paging
        more: dict[str, Any] = {paging.into: 1} if paging and paging.kind == "page" else {}
        seen: set[str] = set()
        answer = self._send(asked, {}, more)
        while True:
            content = success(answer)
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
                answer = self._send(asked, {}, {paging.into: going_on})

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

    def _offer(self, item: Any) -> Offer:
        places = self.manifest.listing.map
        ident = str(need(item, reading.path(places, "id")))
        return Offer(
            id=ident, title=words(item, places.get("title", "")), summary=words(item, places.get("summary", "")),
            category=text(item, reading.path(places, "category")), delay=words(item, places.get("delay", "=")),
            delivery=cast(Any, text(item, reading.path(places, "delivery"))),
            keywords=text(item, reading.path(places, "keywords")) if "keywords" in places else "",
            inputs=self.manifest.inputs_of(ident), **reading.price(item, places, self.manifest.amounts),
        )  # fmt: skip

    def _quote(self, content: Any, asked: QuoteRequest, offer_id: str) -> Quote:
        places = asked.map
        ends = reading.instant(content, reading.path(places, "expires_at")) if "expires_at" in places else None
        return Quote(
            ref=str(need(content, reading.path(places, "ref"))) if "ref" in places else offer_id,
            expires_at=ends or datetime.now(UTC) + timedelta(seconds=asked.valid_s),
            subject=text(content, reading.path(places, "subject")) if "subject" in places else "",
            **reading.price(content, places, self.manifest.amounts),
        )  # fmt: skip

    def _outcome(self, answer: Answer, asked: Request, agreed_cents: int | None) -> Outcome:
        if answer.status in {401, 403}:
            raise AuthFailed(f"status {answer.status}")
        if asked.errors.get(str(answer.status)) == "wait":
            raise Unavailable(f"status {answer.status}", retry_after_s=answer.retry_after_s)
        if answer.status not in {200, 201, 202}:
            return Unknown(answer.summary, answer.retry_after_s)
        try:
            return self._read(self._order_in(answer.json(), asked), agreed_cents)
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
        except ContractBroken as error:
            return Unknown(f"status {answer.status}: {error.detail}"[:LONGEST_REASON])

    def _book_line(self, item: Any, asked: ItemsRequest) -> BookLine:
        places = asked.map
        said = text(item, reading.path(places, "state"))
        return BookLine(
            reference=text(item, reading.path(places, "reference")), key=text(item, reading.path(places, "key")),
            gross_cents=whole(need(item, reading.path(places, "gross")), reading.UNITS[self.manifest.amounts.unit]),
            currency=text(item, reading.path(places, "currency")).upper() if "currency" in places else "EUR",
            state=DELIVERED if self.manifest.order.states.get(said) == "done" else said, at=reading.instant(item, reading.path(places, "at")),
        )  # fmt: skip

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


def _suggestion(item: Any, asked: ItemsRequest) -> Suggestion:
    places = asked.map
    detail = text(item, reading.path(places, "detail")) if "detail" in places else ""
    return Suggestion(text(item, reading.path(places, "value")), text(item, reading.path(places, "label")), detail)
