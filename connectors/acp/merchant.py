"""A merchant that speaks the Agentic Commerce Protocol: a checkout session is the quote, completing it is the order.

A repeat after a 5xx is executed afresh (rfc.agentic_checkout, 6.5), so nothing is ever completed before the session was
read, and "not done" is said only of a session that is closed: one that could still be completed is cancelled first.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from connectors.acp import deliveries, feed, sessions
from connectors.acp.manifest import AcpManifest
from connectors.acp.sessions import Session
from connectors.acp.wire import Wire, refusal, require_success, segment
from connectors.contract import (
    AuthFailed,
    Buyer,
    ConnectorError,
    Context,
    ContractBroken,
    Document,
    Listed,
    MerchantConnector,
    NotDone,
    NotFound,
    Outcome,
    Pending,
    Physical,
    Problem,
    Quote,
    Rejected,
    Unavailable,
    Unknown,
    UnknownOutcome,
    Words,
)
from connectors.http import Answer, Download
from connectors.merchants.answers import problem

CREATE = "/checkout_sessions"
KEY_LIVES_AFTER_END = timedelta(hours=23)
"""A key lives 24 h from its first use, which is never before the price was given, at most an hour before its end."""
WORKING_AGAIN_S = 5
APPROVAL_AGAIN_S = 600
LAST = 300


class AcpMerchant(MerchantConnector):
    """One merchant; safe to use from several threads."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.manifest = AcpManifest.model_validate(dict(context.manifest))
        self.wire = Wire(context, {"Authorization": f"Bearer {context.secrets['api_key']}"})

    # --- The contract -----------------------------------------------------------------------------

    def list_offers(self, state: str = "") -> Iterator[Listed]:
        """The variants of the feed that can be bought; the others are reported or, when there are none left, left out."""
        return feed.read(self._fetch_feed, self.manifest, state)

    def quote(self, offer_id: str, inputs: Mapping[str, str], buyer: Buyer) -> Quote:
        """Create a session, select its digital delivery if that is left to us, and read its price."""
        email = self.manifest.payment.buyer_email
        about = {"email": email, "account_type": "business", "company": _company(buyer)} if email else None
        session = self._create(offer_id, inputs, about, str(uuid.uuid4()), buyer.language)
        if session.standing != "payable":
            raise Rejected(session.status, words=sessions.words(session, buyer.language), field=sessions.field(session))
        if why := sessions.physical(session):
            raise Physical(why, words=sessions.WORDS["physical"])
        return self._price(session, offer_id)

    def fulfil(self, quote: Quote, key: str, po_number: str, max_gross_cents: int) -> Outcome:
        """Complete the session against a purchase order, once it was seen to be open at the agreed price."""
        try:
            session = self._session(quote.ref)
        except ContractBroken as error:
            raise Unavailable(error.detail) from error
        found = self._became(session, quote, key)
        if not isinstance(found, NotFound):
            return found
        if quote.gross_cents > max_gross_cents:
            return self._give_up(quote, key, "too_dear", sessions.NOT_FOR_SALE)
        payment = {"purchase_order_number": po_number, "payment_terms": self.manifest.payment.terms}
        try:
            answer = self.wire.post(f"{_path(quote.ref)}/complete", {"payment_data": payment}, key)
        except UnknownOutcome as error:
            return Unknown(error.detail)
        return self._completed(answer, quote, key)

    def lookup(self, key: str) -> Outcome | NotFound:
        """The protocol knows no key: `lookup_sent` finds the session by its quote."""
        return Unknown("a session is found by its quote")

    def lookup_sent(self, quote: Quote, key: str) -> Outcome | NotFound:
        """What became of the session; `NotFound` when it is open still, so that completing it again makes one order."""
        try:
            session = self._session(quote.ref)
        except ContractBroken as error:
            return Unknown(error.detail)
        found = self._became(session, quote, key)
        if isinstance(found, NotFound) and datetime.now(UTC) > quote.expires_at + KEY_LIVES_AFTER_END:
            return Unknown("still open after a day: the key no longer makes a repeat harmless", needs_admin=True)
        return found

    def status(self, order_ref: str) -> Outcome:
        """Where a session stands that was waiting for an approval, or for its delivery."""
        try:
            session = self._session(order_ref)
        except ContractBroken as error:
            return Unknown(error.detail)
        if session.standing in {"payable", "stuck"}:
            return Unknown(f"completed once, the session is {session.status} again", needs_admin=True)
        return self._standing(session)

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        """A document; credentials go to the merchant's own hosts only."""
        headers = self.wire.signed() if self.wire.is_own_host(document.url) else {}
        return self.context.http.download(document.url, into, headers=headers)

    def check(self) -> list[Problem]:
        """Discovery, the credentials by a session that does not exist, and the beginning of the feed."""
        try:
            answer = self.wire.get(f"{CREATE}/guichet-check")
            if answer.status != 404:
                require_success(answer)
            next(iter(self.list_offers()), None)
        except ConnectorError as error:
            return [problem(error)]
        return []

    # --- Asking -----------------------------------------------------------------------------------

    def _fetch_feed(self, into: BinaryIO) -> Download:
        address = self.manifest.feed.address
        url = self.wire.place().root + address if address.startswith("/") else address
        headers = self.wire.signed() if self.wire.is_own_host(url) else {}
        return self.context.http.download(url, into, headers=headers)

    def _create(
        self, offer_id: str, inputs: Mapping[str, str], buyer: Mapping[str, Any] | None, key: str, language: str
    ) -> Session:
        body: dict[str, Any] = {
            "line_items": [{"id": offer_id}], "currency": feed.CURRENCY.lower(), "capabilities": {}, "locale": language,
        }  # fmt: skip
        # What is absent is left as it is, what is null is cleared: nothing of ours is ever null.
        if inputs:
            body["metadata"] = {"inputs": dict(inputs)}
        if buyer:
            body["buyer"] = dict(buyer)
        session = _made(self.wire.post(CREATE, body, key, language), language)
        choice = sessions.digital_choice(session)
        if not choice:
            return session
        answer = self.wire.post(_path(session.id), {"selected_fulfillment_options": choice}, key, language)
        return _made(answer, language, session.id)

    def _session(self, ident: str) -> Session:
        """Raises `Unavailable` when it cannot be read now, `ContractBroken` when it is gone."""
        answer = self.wire.get(_path(ident))
        if answer.status == 404:
            raise ContractBroken("the merchant does not know this session any more")
        require_success(answer)
        return sessions.read(answer, ident)

    def _price(self, session: Session, offer_id: str) -> Quote:
        return sessions.quote(session, offer_id, self.manifest.vat_rate_bp(offer_id))

    # --- Deciding ---------------------------------------------------------------------------------

    def _completed(self, answer: Answer, quote: Quote, key: str) -> Outcome:
        """What the answer to a completion means; after it left, whatever cannot be read is a doubt."""
        if answer.status in {401, 403}:
            raise AuthFailed(f"status {answer.status}")
        if answer.status == 429:
            raise Unavailable("status 429", retry_after_s=answer.retry_after_s)
        if answer.status >= 500 or answer.status == 409:
            return Unknown(answer.summary, answer.retry_after_s)
        no = refusal(answer)
        if no.code == "idempotency_conflict":
            return Unknown("our key was used with another body: a fault of ours or theirs", needs_admin=True)
        try:
            if answer.status >= 400:
                session, code = self._session(quote.ref), no.code
                words = sessions.spoken(no.message, "fr") if no.message else sessions.NOT_FOR_SALE
            else:
                session = sessions.read(answer, quote.ref)
                code, words = session.status, sessions.words(session)
            found = self._became(session, quote, key)
            # Answered, and open still: it was refused, and is closed so that it stays so.
            return self._give_up(quote, key, code, words) if isinstance(found, NotFound) else found
        except ConnectorError as error:
            return Unknown(f"{type(error).__name__}: {error.detail}"[:LAST])

    def _became(self, session: Session, quote: Quote, key: str) -> Outcome | NotFound:
        """What a session says of an order; `NotFound` when it can be completed as agreed."""
        try:
            if session.standing == "payable":
                return self._payable(session, quote, key)
            if session.standing == "stuck":
                words = sessions.words(session)
                return self._give_up(quote, key, session.status, words)
            if session.standing == "bought" and session.offer_id != (quote.offer_id or session.offer_id):
                raise ContractBroken("the session is about something else")
            return self._standing(session)
        except ConnectorError as error:
            return Unknown(f"{type(error).__name__}: {error.detail}"[:LAST])

    def _standing(self, session: Session) -> Outcome:
        if session.standing == "bought":
            try:
                return deliveries.outcome(session, self.manifest)
            except ContractBroken as error:
                return Unknown(f"the answer cannot be read: {error.detail}"[:LAST])
        if session.standing == "approval":
            return Pending(session.id, APPROVAL_AGAIN_S, sessions.APPROVAL)
        if session.standing == "working":
            return Unknown(f"the merchant says {session.status}", WORKING_AGAIN_S)
        if session.standing == "closed":
            return NotDone(session.status, sessions.words(session))
        return Unknown(f"the merchant says {session.status!r}"[:LAST])

    def _payable(self, session: Session, quote: Quote, key: str) -> Outcome | NotFound:
        if sessions.physical(session):
            return self._give_up(quote, key, "physical", sessions.WORDS["physical"])
        offer = quote.offer_id or session.offer_id
        now = self._price(session, offer)
        if (now.gross_cents, now.currency) != (quote.gross_cents, quote.currency):
            return self._price_changed(session, quote, key, offer)
        return NotFound()

    def _price_changed(self, session: Session, quote: Quote, key: str, offer: str) -> Outcome:
        """Close the session, so that nothing is bought at the old price or the new, and ask for another."""
        closed = self._give_up(quote, key, "price_changed", sessions.WORDS["price_changed"])
        if not isinstance(closed, NotDone) or closed.code != "price_changed":
            return closed
        buyer = session.content.get("buyer")
        try:
            fresh = self._create(offer, quote.inputs, buyer if isinstance(buyer, dict) else None, key, "fr")
            if fresh.standing != "payable" or sessions.physical(fresh):
                return closed
            return NotDone("price_changed", {}, self._price(fresh, offer))
        except ConnectorError:
            return closed

    def _give_up(self, quote: Quote, key: str, code: str, words: Words) -> Outcome:
        """Cancel a session that is not to be completed; only then is it certain that it never will be."""
        try:
            answer = self.wire.post(f"{_path(quote.ref)}/cancel", {}, key)
            session = sessions.read(answer, quote.ref) if answer.status == 200 else self._session(quote.ref)
        except ConnectorError as error:
            return Unknown(f"it should be closed and cannot be: {type(error).__name__}: {error.detail}"[:LAST])
        if session.standing == "closed":
            return NotDone(code, words)
        if session.standing == "bought":
            return self._standing(session)
        return Unknown(f"it should be closed and is {session.status}: {answer.summary}"[:LAST], answer.retry_after_s)


def _path(ident: str) -> str:
    return f"{CREATE}/{segment(ident)}"


def _company(buyer: Buyer) -> dict[str, str]:
    made = {"name": buyer.company, "cost_center": buyer.cost_centre}
    return {name: value for name, value in made.items() if value}


def _made(answer: Answer, language: str, wanted: str = "") -> Session:
    """The session that was created or changed. Raises `Rejected` in the merchant's words when it will not have it."""
    if answer.status in {400, 404, 405, 409, 422}:
        no = refusal(answer)
        words = sessions.spoken(no.message, language) if no.message else {}
        raise Rejected(no.code, words=words, field=sessions.field_of(no.param))
    require_success(answer)
    return sessions.read(answer, wanted)
