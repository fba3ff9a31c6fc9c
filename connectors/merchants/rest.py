"""What REST merchants have in common: quotes, orders under a key, look-ups, and how their answers are read.

A merchant's own module says how requests are signed in, which inputs its offers need, and how a
delivery is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import InvalidOperation
from typing import Any, BinaryIO, ClassVar
from urllib.parse import urlsplit

from connectors import intangible
from connectors.contract import (
    Access,
    AuthFailed,
    BookLine,
    Buyer,
    ConnectorError,
    ContractBroken,
    Data,
    Delivery,
    Document,
    Done,
    Input,
    Licence,
    Link,
    Listed,
    MerchantConnector,
    NotDone,
    NotFound,
    Offer,
    Outcome,
    Pending,
    Physical,
    Problem,
    Quote,
    QuoteLine,
    Rejected,
    Suggestion,
    Unavailable,
    Unfit,
    Unknown,
)
from connectors.http import Answer, Download
from connectors.merchants.answers import decimal_text, problem, success, whole

MOST_PAGES = 10_000
LONGEST_ID = 64


class RestMerchant(MerchantConnector):
    """A merchant with `/catalogue`, `/quotes`, `/orders` and `/suggest`. `inputs` holds each offer's inputs; "" is any."""

    inputs: ClassVar[Mapping[str, tuple[Input, ...]]] = {}

    def sign(self, *, fresh: bool = False) -> dict[str, str]:
        """The headers that sign a request in; `fresh` asks for new credentials after a refusal."""
        raise NotImplementedError

    # --- The contract -----------------------------------------------------------------------------

    def list_offers(self, state: str = "") -> Iterator[Listed]:
        """Every line of the merchant's own catalogue, page after page; titles and prices are its data."""
        after, seen = "", set[str]()
        while after not in seen and len(seen) < MOST_PAGES:
            seen.add(after)
            content = self._read("/catalogue", params={"after": after} if after else None)
            yield from map(self._listed, _need(content, "offers", list))
            if not content.get("next"):
                return
            after = str(content["next"])
        raise ContractBroken(f"the list never ends: {after[:100]!r} came again, or after {len(seen)} pages")

    def suggest(self, offer_id: str, input_name: str, text: str) -> list[Suggestion]:
        """The merchant's own search."""
        found = _need(
            self._read("/suggest", params={"offer": offer_id, "input": input_name, "q": text}), "suggestions", list
        )
        return [Suggestion(str(item["value"]), str(item["label"]), str(item.get("detail", ""))) for item in found[:10]]

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """`POST /quotes`."""
        asked = {"offer": offer_id, "inputs": dict(inputs), "company": buyer.company}
        if buyer.licence:
            asked["licence"] = buyer.licence
        answer = self._call("POST", "/quotes", json=asked)
        if answer.status == 422:
            raise _rejection(answer)
        return _quote(success(answer))

    def fulfil(self, quote: Quote, key: str, po_number: str, max_gross_cents: int) -> Outcome:
        """`POST /orders` under an idempotency key."""
        body = {
            "quote": quote.ref,
            "client_reference": key,
            "purchase_order": po_number,
            "maximum": decimal_text(max_gross_cents),
        }
        answer = self._call("POST", "/orders", json=body, headers={"Idempotency-Key": key})
        if answer.status == 409:
            return _conflict(answer)
        if answer.status == 422:
            return NotDone("rejected", _rejection(answer).words)
        return self._outcome(answer, client_reference=key)

    def lookup(self, key: str) -> Outcome | NotFound:
        """`GET /orders?client_reference=`."""
        orders = _need(self._read("/orders", params={"client_reference": key}), "orders", list)
        ours = [item for item in orders if isinstance(item, dict) and item.get("client_reference") == key]
        if orders and len(ours) != 1:
            return Unknown(f"asked for one key, {len(orders)} orders came, {len(ours)} of them under it")
        return self._read_order(ours[0]) if ours else NotFound()

    def status(self, order_ref: str) -> Outcome:
        """`GET /orders/{id}`."""
        return self._outcome(self._call("GET", f"/orders/{order_ref}"), order=order_ref)

    def list_orders(self, since: datetime) -> Iterator[BookLine]:
        """`GET /orders?since=`."""
        for item in _need(self._read("/orders", params={"since": since.astimezone(UTC).isoformat()}), "orders", list):
            yield BookLine(
                reference=str(item["purchase_order"]), key=str(item["client_reference"]),
                gross_cents=whole(item["price"]["gross"]), currency=str(item["price"]["currency"]),
                state=str(item["state"]), at=datetime.fromisoformat(item["at"]),
            )  # fmt: skip

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        """Documents need the same credentials as everything else, on the merchant's own host."""
        if urlsplit(document.url).netloc != urlsplit(self.context.base_url).netloc:
            return self.context.http.download(document.url, into)
        try:
            return self.context.http.download(document.url, into, headers=self.sign())
        except AuthFailed:
            return self.context.http.download(document.url, into, headers=self.sign(fresh=True))

    def check(self) -> list[Problem]:
        """Sign in and read the catalogue."""
        try:
            next(self.list_offers(), None)
        except ConnectorError as error:
            return [problem(error)]
        return []

    # --- Reading answers --------------------------------------------------------------------------

    def _listed(self, item: Any) -> Offer | Unfit:
        """An offer, or why it is none: one that cannot be read takes no other with it."""
        try:
            if not isinstance(item["id"], str | int):
                raise ContractBroken(f"its id is none: {item['id']!r}"[:100])
            why = intangible.sign(item)
            return Unfit(str(item["id"])[:LONGEST_ID], why) if why else self._offer(item)
        except (ContractBroken, LookupError, TypeError, ArithmeticError, ValueError, AttributeError) as error:
            ident = item.get("id", "?") if isinstance(item, dict) else "?"
            return Unfit(str(ident)[:LONGEST_ID], f"{type(error).__name__}: {error}"[:300])

    def _offer(self, item: Mapping[str, Any]) -> Offer:
        return Offer(
            id=str(item["id"]), title=item["title"], summary=item["summary"], category=str(item["category"]),
            delivery=item["delivery"], delay=item.get("delay", {}), keywords=str(item.get("keywords", "")),
            pricing=item.get("pricing", "act"), term=str(item.get("term", "")),
            units=int(item.get("units", 0)), packs=tuple(map(str, item.get("packs", ()))),
            inputs=self.inputs.get(str(item["id"]), self.inputs.get("", ())), **_price(item),
        )  # fmt: skip

    def delivery(self, item: Mapping[str, Any]) -> Delivery:
        """What an order brings."""
        kind = item.get("kind")
        if kind == "document":
            return Document(
                str(item["media_type"]), str(item["url"]), str(item["filename"]), str(item.get("sha256", ""))
            )
        if kind == "data":
            return Data(tuple((row["label"], str(row["value"])) for row in item["rows"]))
        if kind == "link":
            return Link(str(item["url"]), _instant(item.get("expires_at")))
        if kind == "licence":
            return Licence(str(item["key"]), int(item.get("units", 0)), _instant(item.get("until")))
        if kind == "access":
            return Access(str(item["url"]), datetime.fromisoformat(item["until"]))
        raise ContractBroken(f"a delivery of kind {kind!r}")

    def _outcome(self, answer: Answer, **ours: str) -> Outcome:
        """What an answer says of an order, which says nothing else of whose it is than `ours`."""
        if answer.status in {401, 403}:
            raise AuthFailed(f"status {answer.status}")
        if answer.status == 429 or (answer.status == 503 and _is_merchants_own(answer)):
            raise Unavailable(f"status {answer.status}", retry_after_s=answer.retry_after_s)
        if answer.status not in {200, 201, 202}:
            return Unknown(answer.summary, answer.retry_after_s)
        try:
            item = answer.json()
            if other := next((name for name, value in ours.items() if str(item.get(name, value)) != value), ""):
                return Unknown(f"asked for one order, another came: it has another {other}")
            return self._read_order(item)
        except (ContractBroken, LookupError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
            return Unknown(f"the answer cannot be read: {type(error).__name__}: {error}"[:300])

    def _read_order(self, item: Mapping[str, Any]) -> Outcome:
        return intangible.bought(self._standing(item), item)

    def _standing(self, item: Mapping[str, Any]) -> Outcome:
        state, ref = item["state"], str(item["order"])
        if state == "delivered":
            return Done(self.delivery(item["delivery"]), whole(item["price"]["gross"]), ref)
        if state == "preparing":
            return Pending(ref, int(item.get("retry_after", 5)), item.get("stage", {}), item.get("percent"))
        if state in {"refused", "cancelled"}:
            return NotDone(str(item.get("code", state)), item.get("words", {}))
        return Unknown(f"the merchant says {state!r}")

    def _read(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        return success(self._call("GET", path, params=params))

    def _call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **content: Any) -> Answer:
        """A refusal of our credentials was not carried out, so it is repeated once with fresh ones."""
        for fresh in (False, True):
            signed = {"Accept": "application/json", **self.sign(fresh=fresh), **(headers or {})}
            answer = self.context.http.request(method, self.context.base_url + path, headers=signed, **content)
            if answer.status != 401:
                return answer
        return answer


def _is_merchants_own(answer: Answer) -> bool:
    """Whether it is said in the merchant's own words: a proxy's page knows nothing of what the merchant has done."""
    try:
        return isinstance(answer.json().get("error"), dict)
    except (ContractBroken, AttributeError):
        return False


def _need(content: Any, name: str, kind: type) -> Any:
    if not isinstance(content, dict) or not isinstance(content.get(name), kind):
        raise ContractBroken(f"no {name} in the answer")
    return content[name]


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _rejection(answer: Answer) -> Rejected:
    error = _need(answer.json(), "error", dict)
    words = {language: str(error[language]) for language in ("fr", "en") if error.get(language)}
    return Rejected(str(error.get("code", "")), words=words, field=str(error.get("field", "")))


def _conflict(answer: Answer) -> Outcome:
    try:
        content = answer.json()
        if content["error"]["code"] == "price_changed":
            return NotDone("price_changed", {}, _quote(content["quote"]))
    except Physical as error:
        return intangible.refused(error)
    except (ContractBroken, KeyError, TypeError) as error:
        return Unknown(f"status 409: {error}")
    return Unknown(f"status 409: {content['error']}", answer.retry_after_s)


def _quote(content: Any) -> Quote:
    intangible.require(content)
    try:
        lines = tuple(
            QuoteLine(str(line["description"]), whole(line["net"]), whole(line["vat_rate"]), whole(line["vat"]))
            for line in content.get("lines", [])
        )
        expires = datetime.fromisoformat(content["expires_at"])
        return Quote(
            ref=str(content["quote"]),
            expires_at=expires,
            lines=lines,
            subject=str(content.get("subject", "")),
            units=int(content.get("units", 0)),
            **_price(content),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ContractBroken(f"not a quote: {type(error).__name__}: {error}") from error


def _price(content: Mapping[str, Any]) -> dict[str, Any]:
    price = content["price"]
    return {
        "net_cents": whole(price["net"]), "vat_rate_bp": whole(price["vat_rate"]),
        "vat_cents": whole(price["vat"]), "gross_cents": whole(price["gross"]), "currency": str(price["currency"]),
    }  # fmt: skip
