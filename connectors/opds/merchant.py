"""A publisher that speaks OPDS 2.0: reading a publication again is the quote, the GET of its buy link is the order.

A GET may be repeated by whoever carries it (RFC 9110, 9.2.1), so nothing is bought this way from a publisher who has
not promised that one reference buys once. What became of a reference, the bookshelf says, and nothing else.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from urllib.parse import urldefrag

from connectors.contract import (
    AuthFailed,
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
    NotOffered,
    Outcome,
    Pending,
    Problem,
    Quote,
    Rejected,
    Unavailable,
    Unknown,
    UnknownOutcome,
)
from connectors.http import Answer, Download
from connectors.merchants.answers import decimal_text, problem
from connectors.opds import catalogue, links, publications, refusals, shelf
from connectors.opds.brought import Brought
from connectors.opds.links import MEDIA_TYPES, Way
from connectors.opds.manifest import OpdsManifest, address_of
from connectors.opds.wire import Gone, Wire, media_of

PUBLICATION = "application/opds-publication+json"
FREE_BINDS_S = 900
SHELF_AGAIN_S = 5
LAST = 300
NO = {402, 404, 409, 410, 429}
MOST_DOUBTED = 1_000


class OpdsMerchant(MerchantConnector):
    """One publisher; safe to use from several threads."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.manifest = OpdsManifest.model_validate(dict(context.manifest))
        self.wire = Wire(context, self.manifest)
        self._lock = threading.Lock()
        self._doubted: dict[str, None] = {}
        self._brought = Brought()

    # --- The contract -----------------------------------------------------------------------------

    def list_offers(self, state: str = "") -> Iterator[Listed]:
        """The publications that are sold as a file or free; the others are reported, or removed when unavailable."""
        self._brought.forget_old()
        return catalogue.read(self.wire, self.manifest, state)

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """Read the publication again where its `self` link says, and bind its price for the time that was agreed."""
        self._brought.forget_old()
        try:
            content, url = self._publication(offer_id)
        except Gone as error:
            raise Rejected(error.detail, words=refusals.GONE) from error
        way = self._way(content, url, inputs)
        if way.kind != "free":
            # Without a bookshelf nobody could say what became of the order.
            self.wire.shelf()
        return self._price(content, offer_id, way, inputs)

    def fulfil(self, quote: Quote, key: str, po_number: str, max_gross_cents: int) -> Outcome:
        """Read the publication once more, and get its buy link under our reference if the price is what was agreed.

        After a doubt nothing is decided from what the catalogue says: the publisher is asked again, by the reference.
        """
        doubted = self._is_doubted(key)
        try:
            content, url = self._publication(quote.offer_id)
            way = self._way(content, url, quote.inputs)
            now = self._price(content, quote.offer_id, way, quote.inputs)
            if way.kind != "free":
                self.wire.sign_in()
        except (ConnectorError, UnknownOutcome) as error:
            return _cannot_begin(error, doubted=doubted)
        if not doubted and (now.gross_cents, now.currency) != (quote.gross_cents, quote.currency):
            return NotDone("price_changed", {}, now)
        if way.kind == "free" and quote.gross_cents == 0:
            name = shelf.filename(content, self.manifest, way.format)
            return Done(Document(MEDIA_TYPES[way.format], way.url, name), 0)
        if quote.gross_cents > max_gross_cents:
            return NotDone("too_dear", refusals.NOT_FOR_SALE)
        try:
            answer = self.wire.get(way.url, self._references(way, key, po_number, max_gross_cents))
        except (UnknownOutcome, ContractBroken) as error:
            # Whatever cannot be followed or read came after the request.
            return Unknown(f"{type(error).__name__}: {error.detail}"[:LAST])
        return self._bought(answer, quote, key, way, doubted=doubted)

    def lookup(self, key: str) -> Outcome | NotFound:
        """What the bookshelf has under a reference, in whatever format."""
        return self._at_shelf(key, "", "")

    def lookup_sent(self, quote: Quote, key: str) -> Outcome | NotFound:
        """What the bookshelf has under the reference of an order; `NotFound` may be sent again, as the publisher promised."""
        if quote.gross_cents == 0:
            return NotFound()
        found = self._at_shelf(key, _format(quote), quote.offer_id)
        if isinstance(found, NotFound):
            with self._lock:
                self._doubted[key] = None
                while len(self._doubted) > MOST_DOUBTED:
                    del self._doubted[next(iter(self._doubted))]
        return found

    def status(self, order_ref: str) -> Outcome:
        """Where an order stands that was being prepared; it is on its way as long as the bookshelf does not have it."""
        key, _, wanted = order_ref.rpartition(".")
        found = self._at_shelf(key, wanted, "")
        return Pending(order_ref, shelf.AGAIN_S, shelf.MAKING) if isinstance(found, NotFound) else found

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        """A file: as its purchase brought it, or from the bookshelf, or a free one.

        Credentials go to the publisher's own host only.
        """
        if body := self._brought.take(document.url):
            into.write(body)
            return Download(document.media_type, len(body), hashlib.sha256(body).hexdigest())
        url = urldefrag(document.url).url
        signed = self.wire.signed(url)
        try:
            return self.context.http.download(url, into, headers=signed)
        except AuthFailed:
            if self.wire.is_own(url):
                # Whoever goes on for a process that ended may not have been told yet where tokens are given.
                self.wire.sign_in()
            refused = signed.get("Authorization", "").removeprefix("Bearer ")
            again = self.wire.signed(url, refused=refused)
            if again == signed:
                raise
            return self.context.http.download(url, into, headers=again)

    def list_orders(self, since: datetime) -> Iterator[BookLine]:
        """What stands at the bookshelf under references of ours."""
        if self.manifest.purchase is None:
            raise NotOffered("nothing is bought from this publisher")
        lines = (shelf.book_line(each) for each in shelf.entries(self.wire) if each.said(shelf.REFERENCE))
        return (line for line in lines if line.at >= since)

    def check(self) -> list[Problem]:
        """The beginning of the catalogue and, where buying was agreed, the bookshelf, which needs the credentials."""
        try:
            next(iter(self.list_offers()), None)
            if self.manifest.purchase:
                next(iter(shelf.entries(self.wire)), None)
        except ConnectorError as error:
            return [problem(error)]
        return []

    # --- Asking -----------------------------------------------------------------------------------

    def _publication(self, offer_id: str, answer: Answer | None = None) -> tuple[Mapping[str, Any], str]:
        """A publication, read again or from an answer, and its address.

        Raises:
            Gone: there is none. ContractBroken: it is another. What `Wire.read` raises.
        """
        url = address_of(self.wire.publication, offer_id)
        if not url:
            raise Gone(f"no offer of this catalogue: {offer_id[:60]!r}")
        content = self.wire.read(url) if answer is None else answer.json()
        publications.metadata_of(content)
        if publications.name_of(content, url, self.wire.publication) != offer_id:
            raise ContractBroken(f"{offer_id}: what stands there says that it is another publication")
        return content, url

    def _way(self, content: Mapping[str, Any], url: str, inputs: Mapping[str, str]) -> Way:
        """How a publication is had in the format that was chosen. Raises `Rejected`."""
        if why := publications.thing(content):
            raise Rejected(why, words=refusals.PHYSICAL)
        ways = links.ways_of(content, url, self.manifest)
        if not ways.found:
            raise Rejected(ways.why or "unavailable", words=refusals.GONE if ways.away else refusals.NOT_FOR_SALE)
        wanted = inputs.get(publications.FORMAT) or ways.found[0].format
        found = [way for way in ways.found if way.format == wanted]
        if not found:
            raise Rejected(f"no {wanted} any more", words=refusals.NO_FORMAT, field=publications.FORMAT)
        return found[0]

    def _price(self, content: Mapping[str, Any], offer_id: str, way: Way, inputs: Mapping[str, str]) -> Quote:
        category = publications.category_of(publications.metadata_of(content), self.manifest)
        binds_s = self.manifest.purchase.binds_s if self.manifest.purchase else FREE_BINDS_S
        return Quote(
            ref=f"{offer_id}.{way.format}", currency=links.CURRENCY,
            subject=way.format.upper() if inputs.get(publications.FORMAT) else "",
            expires_at=datetime.now(UTC) + timedelta(seconds=binds_s),
            **publications.price(way.gross_cents, self.manifest.vat_rate_bp(category)),
        )  # fmt: skip

    def _references(self, way: Way, key: str, po_number: str, most: int) -> dict[str, str]:
        agreed = self.manifest.purchase
        if agreed is None:
            raise ContractBroken("buying was not agreed with this publisher")
        return {
            "Accept": MEDIA_TYPES[way.format], "Cache-Control": "no-store", agreed.reference: key, agreed.order: po_number,
            agreed.maximum: f"{decimal_text(most)} {links.CURRENCY}",
        }  # fmt: skip

    # --- Deciding ---------------------------------------------------------------------------------

    def _is_doubted(self, key: str) -> bool:
        """Whether this order may have been sent before: a look-up of ours has not found it."""
        with self._lock:
            return key in self._doubted

    def _bought(self, answer: Answer, quote: Quote, key: str, way: Way, *, doubted: bool) -> Outcome:
        """What the answer to a purchase means; whatever was not agreed on is a doubt."""
        if answer.status in {401, 403}:
            raise AuthFailed(f"status {answer.status}")
        if answer.status == 202:
            again = answer.retry_after_s or shelf.AGAIN_S
            return Pending(shelf.ref_of(key, way.format), again, shelf.MAKING)
        if answer.status in NO:
            # It may have been sold, and the no be that of a host it sends its files from.
            found = self._at_shelf(key, way.format, quote.offer_id)
            return self._refused(answer, quote, doubted=doubted) if isinstance(found, NotFound) else found
        if answer.status != 200:
            return Unknown(answer.summary, answer.retry_after_s)
        if media_of(answer) != MEDIA_TYPES[way.format] or not answer.body:
            return Unknown(f"asked for the {way.format}, this came: {answer.summary}")
        found = self._at_shelf(key, way.format, quote.offer_id)
        if isinstance(found, Done) and isinstance(found.delivery, Document):
            self._brought.keep(found.delivery.url, answer.body)
        return Unknown("sold, and not at the bookshelf yet", SHELF_AGAIN_S) if isinstance(found, NotFound) else found

    def _refused(self, answer: Answer, quote: Quote, *, doubted: bool) -> Outcome:
        """What a no means, once the bookshelf does not have it."""
        if answer.status == 429:
            raise Unavailable("status 429", retry_after_s=answer.retry_after_s)
        if answer.status == 402:
            return NotDone("payment_required", refusals.words_of(answer) or refusals.OTHER_PAYMENT)
        if answer.status == 409:
            return self._other_price(quote, answer)
        if doubted:
            return Unknown(answer.summary)
        return NotDone("gone", refusals.words_of(answer) or refusals.GONE)

    def _other_price(self, quote: Quote, answer: Answer) -> Outcome:
        """Refused for its price: nothing was bought under this reference, nor ever will be. What it costs now, the answer may say."""
        words = refusals.words_of(answer) or refusals.PRICE_CHANGED
        try:
            content, url = self._publication(quote.offer_id, answer if media_of(answer) == PUBLICATION else None)
            now = self._price(content, quote.offer_id, self._way(content, url, quote.inputs), quote.inputs)
        except ConnectorError:
            return NotDone("price_changed", words)
        return NotDone("price_changed", words, now if now.gross_cents != quote.gross_cents else None)

    def _at_shelf(self, key: str, wanted: str, offer_id: str) -> Outcome | NotFound:
        try:
            return shelf.find(self.wire, self.manifest, key, wanted, offer_id)
        except ConnectorError as error:
            wait = error.retry_after_s if isinstance(error, Unavailable) else None
            return Unknown(f"the bookshelf: {type(error).__name__}: {error.detail}"[:LAST], wait)


def _format(quote: Quote) -> str:
    return quote.ref.rpartition(".")[2]


def _cannot_begin(error: ConnectorError, *, doubted: bool) -> Outcome:
    """The publication cannot be read, or is not sold any more, before anything was sent by this call."""
    if doubted:
        wait = error.retry_after_s if isinstance(error, Unavailable) else None
        return Unknown(f"{type(error).__name__}: {error.detail}"[:LAST], wait)
    if isinstance(error, Gone):
        return NotDone("gone", refusals.GONE)
    if isinstance(error, Rejected):
        return NotDone("not_for_sale", error.words)
    if isinstance(error, AuthFailed | Unavailable):
        raise error
    raise Unavailable(error.detail) from error
