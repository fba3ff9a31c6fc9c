"""An operator and a merchant in memory, whose next answers a test decides: every way to do, refuse, lose, stall or die."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, BinaryIO, ClassVar

from connectors import contract
from connectors.contract import (
    Data,
    Document,
    Done,
    NotDone,
    NotFound,
    OperatorCharge,
    OperatorRefund,
    Pending,
    Refused,
    Unknown,
    Unreachable,
)
from connectors.http import Download
from portal import clock

WORDS = {"fr": "Refusé.", "en": "Refused."}
PDF = b"%PDF-1.7 what was bought\n%%EOF\n"
LIST_LAG = timedelta(minutes=10)

ANYWHERE = ("lost_before", "lost_after", "stall_before", "stall_after", "crash_before", "crash_after")
"""The request or its reply is lost; our process stops for longer than its lease, or dies, before or after it is heard."""
OPERATOR_FAULTS = (
    *ANYWHERE,
    "unreachable",
    "refused",
    "credentials",
    "processing",
    "denied",
    "expired",
    "not_listed",
    "duplicate",
)
MERCHANT_FAULTS = (
    *ANYWHERE,
    "unreachable",
    "refused",
    "price_changed",
    "pending",
    "other_price",
    "garbage",
    "not_listed",
)


class Crash(BaseException):
    """Our process dies here; nothing catches it, as nothing catches SIGKILL."""


@dataclass
class Faults:
    """What will go wrong, each at the first call it can happen to; `meanwhile` is what others do during a stall."""

    coming: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def before(self, *possible: str) -> str:
        """The fault of the call that now begins, if any."""
        fault = next((item for item in self.coming if item in possible), "")
        if fault:
            self.coming.remove(fault)
        if fault == "crash_before":
            raise Crash
        if fault == "stall_before":
            self.meanwhile()
        return fault

    def after(self, fault: str) -> None:
        """The call was heard and recorded: now its own process may stall or die."""
        if fault == "crash_after":
            raise Crash
        if fault == "stall_after":
            self.meanwhile()


@dataclass
class Operator:
    """Keeps one payment for one correlator, as CAMARA carrier billing says."""

    identity: ClassVar[str] = "generic/camara"
    finds_in_list = True
    faults: Faults = field(default_factory=Faults)
    book: dict[str, OperatorCharge] = field(default_factory=dict)
    refunds: dict[str, OperatorRefund] = field(default_factory=dict)

    def prepare(self, charge: contract.ChargeRequest) -> contract.OperatorOutcome:
        fault = self.faults.before(*ANYWHERE, "unreachable", "refused", "credentials", "processing", "duplicate")
        known = charge.key in self.book
        if answer := _unheard(fault, "line" if fault == "refused" and not known else ""):
            return answer
        if known and fault == "duplicate":
            return Unknown("the correlator is known, but the list does not show it yet", 2)
        if not known:
            state: Any = "processing" if fault == "processing" else "reserved"
            self.book[charge.key] = OperatorCharge(
                f"op-{charge.key}",
                charge.key,
                charge.reference,
                state,
                charge.amount_cents,
                charge.currency,
                clock.now(),
            )
        return self._answer(fault, charge.key)

    def confirm(self, ref: str) -> contract.OperatorOutcome:
        fault = self.faults.before(*ANYWHERE, "unreachable", "credentials", "expired")
        if fault == "expired" and self.of_ref(ref).state == "reserved":
            self._set(ref, "voided")
            return Refused("expired")
        return self._move(fault, ref, "captured")

    def cancel(self, ref: str) -> contract.OperatorOutcome:
        return self._move(self.faults.before(*ANYWHERE, "unreachable", "credentials"), ref, "voided")

    def void_by_hand(self, ref: str) -> None:
        """Somebody over there cancels it."""
        self._set(ref, "voided")

    def status(self, ref: str) -> contract.OperatorOutcome:
        fault = self.faults.before("lost_before", "credentials", "denied", "stall_before", "crash_before")
        if answer := _unheard(fault):
            return answer
        if self.of_ref(ref).state == "processing":
            self._set(ref, "denied" if fault == "denied" else "reserved")
        return self.of_ref(ref)

    def find(self, charge_key: str, since: datetime) -> contract.OperatorOutcome | NotFound:
        fault = self.faults.before("lost_before", "not_listed", "stall_before", "crash_before")
        found = self.book.get(charge_key)
        if fault == "lost_before":
            return Unknown("no answer")
        if found is None or (fault == "not_listed" and clock.now() - found.created_at < LIST_LAG):
            return NotFound()
        return self.status(found.ref)

    def list_charges(self, since: datetime) -> Iterator[OperatorCharge]:
        fault = self.faults.before("lost_before", "unreachable", "not_listed", "stall_before", "crash_before")
        if fault in {"lost_before", "unreachable"}:
            raise (
                contract.Unavailable("connection refused")
                if fault == "unreachable"
                else contract.UnknownOutcome("lost")
            )
        for found in [*self.book.values()]:
            if found.created_at >= since and (fault != "not_listed" or clock.now() - found.created_at >= LIST_LAG):
                yield found

    def refund(self, ref: str, amount_cents: int, key: str) -> contract.RefundOutcome:
        fault = self.faults.before(*ANYWHERE, "unreachable", "credentials", "refused", "processing")
        if answer := _unheard(fault, "denied" if fault == "refused" and key not in self.refunds else ""):
            return answer
        paid = self.of_ref(ref)
        if key not in self.refunds:
            if paid.state != "captured" or self.given_back(ref) + amount_cents > paid.amount_cents:
                return Refused("amount")
            state: Any = "processing" if fault == "processing" else "done"
            self.refunds[key] = OperatorRefund(f"re-{key}", key, ref, state, amount_cents, paid.currency, clock.now())
        said = self.refunds[key]
        self.faults.after(fault)
        return Unknown("the reply is lost") if fault == "lost_after" else said

    def find_refund(self, ref: str, key: str) -> contract.RefundOutcome | NotFound:
        fault = self.faults.before("lost_before", "credentials", "not_listed", "denied", "stall_before", "crash_before")
        if answer := _unheard(fault):
            return answer
        found = self.refunds.get(key)
        if found is None or (fault == "not_listed" and clock.now() - found.created_at < LIST_LAG):
            return NotFound()
        if found.state == "processing":
            self.refunds[key] = replace(found, state="denied" if fault == "denied" else "done")
        return self.refunds[key]

    def list_refunds(self, ref: str) -> Iterator[OperatorRefund]:
        yield from (refund for refund in self.refunds.values() if refund.charge_ref == ref)

    def given_back(self, ref: str) -> int:
        """What of a payment was or is being given back, in cents."""
        return sum(made.amount_cents for made in self.list_refunds(ref) if made.state != "denied")

    def of_ref(self, ref: str) -> OperatorCharge:
        return self.book[ref.removeprefix("op-")]

    def of_order(self, number: str, state: str = "") -> str:
        """In which state an order's charge (or one in `state`) stands here; "" when there is none."""
        kept = (charge.state for charge in self.book.values() if charge.reference == number)
        return next((each for each in kept if state in {"", each}), "")

    def _move(self, fault: str, ref: str, wanted: str) -> contract.OperatorOutcome:
        if answer := _unheard(fault):
            return answer
        if self.of_ref(ref).state in {"processing", "reserved"}:
            self._set(ref, wanted)
        return self._answer(fault, self.of_ref(ref).key)

    def _set(self, ref: str, state: Any) -> None:
        self.book[ref.removeprefix("op-")] = replace(self.of_ref(ref), state=state)

    def _answer(self, fault: str, key: str) -> contract.OperatorOutcome:
        said = self.book[key]
        self.faults.after(fault)
        return Unknown("the reply is lost") if fault == "lost_after" else said


def _unheard(fault: str, refusal: str = "") -> contract.OperatorOutcome | None:
    """What is answered when nothing was done; None when the request is heard."""
    if fault == "unreachable":
        return Unreachable("connection refused")
    if fault == "lost_before":
        return Unknown("the request is lost")
    if fault == "credentials":
        return Refused("credentials")
    return Refused(refusal) if refusal else None


@dataclass
class Made:
    """One order a merchant really made; `asked` is how often it will still say that it prepares it."""

    key: str
    number: str
    cents: int
    asked: int = 0


@dataclass
class Merchant(contract.MerchantConnector):
    """Makes an order for every request it hears, or, when it promises idempotence, one for every key.

    `heard` is told each order number when it is made.
    """

    idempotent: bool
    document: bool
    faults: Faults = field(default_factory=Faults)
    made: list[Made] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    heard: Callable[[str], None] = lambda _number: None

    def fulfil(self, quote: contract.Quote, key: str, po_number: str, max_gross_cents: int) -> contract.Outcome:
        fault = self.faults.before(
            *ANYWHERE, "unreachable", "refused", "price_changed", "pending", "other_price", "garbage"
        )
        if fault == "unreachable":
            raise contract.Unavailable("connection refused")
        if fault == "lost_before":
            raise contract.UnknownOutcome("the request is lost")
        if not self._known(key) and (key in self.refused or fault in {"refused", "price_changed"}):
            self.refused.add(key)
            return _refusal(quote, fault)
        if not (self._known(key) and self.idempotent):
            cents = quote.gross_cents + (100 if fault == "other_price" else 0)
            self.made.append(Made(key, po_number, cents, 2 if fault == "pending" else 0))
            self.heard(po_number)
        said = self._state(key)
        self.faults.after(fault)
        if fault == "garbage":
            raise ValueError("no such field")
        if fault == "lost_after":
            raise contract.UnknownOutcome("the reply is lost")
        return said

    def lookup(self, key: str) -> contract.Outcome | NotFound:
        fault = self.faults.before("lost_before", "not_listed", "stall_before", "crash_before")
        if fault == "lost_before":
            return Unknown("no answer")
        if key in self.refused:
            return NotDone("refused", WORDS)
        return self._state(key) if self._known(key) and fault != "not_listed" else NotFound()

    def status(self, order_ref: str) -> contract.Outcome:
        fault = self.faults.before("lost_before", "garbage", "refused", "stall_before", "crash_before")
        if fault == "lost_before":
            return Unknown("no answer")
        if fault == "garbage":
            raise KeyError("state")
        if order_ref in self.refused:
            return NotDone("refused", WORDS)
        if fault == "refused" and self._of(order_ref).asked:
            self.made.remove(self._of(order_ref))
            self.refused.add(order_ref)
            return NotDone("refused", WORDS)
        return self._state(order_ref)

    def fetch(self, document: Document, into: BinaryIO) -> Download:
        fault = self.faults.before(
            "unreachable", "garbage", "stall_before", "stall_after", "crash_before", "crash_after"
        )
        if fault == "unreachable":
            raise contract.Unavailable("connection refused")
        content = b"<html>an error page" if fault == "garbage" else PDF
        into.write(content)
        self.faults.after(fault)
        return Download("application/pdf", len(content), hashlib.sha256(content).hexdigest())

    def list_orders(self, since: datetime) -> Iterator[contract.BookLine]:
        for made in self.made:
            yield contract.BookLine(made.number, made.key, made.cents, "EUR", "delivered", clock.now())

    def _known(self, key: str) -> bool:
        return any(made.key == key for made in self.made)

    def _of(self, key: str) -> Made:
        return next(made for made in self.made if made.key == key)

    def _state(self, key: str) -> contract.Outcome:
        made = self._of(key)
        if made.asked:
            made.asked -= 1
            return Pending(key, 5)
        document = Document("application/pdf", "https://m.example/d", "d.pdf", hashlib.sha256(PDF).hexdigest())
        return Done(document if self.document else Data(((WORDS, "value"),)), made.cents, key)


def _refusal(quote: contract.Quote, fault: str) -> NotDone:
    if fault != "price_changed":
        return NotDone("refused", WORDS)
    net, vat, gross = 2 * quote.net_cents, 2 * quote.vat_cents, 2 * quote.gross_cents
    return NotDone(fault, {}, replace(quote, ref="dearer", net_cents=net, vat_cents=vat, gross_cents=gross))


def loaded(merchant: Merchant) -> Any:
    """The merchant as the portal holds it, with the parts of a manifest that purchases read."""
    seller = SimpleNamespace(name="Merchant", siren="", vat="", terms_url="", support="")
    promise = SimpleNamespace(idempotent="key" if merchant.idempotent else "none", days=3)
    return SimpleNamespace(manifest=SimpleNamespace(merchant=seller, capabilities=promise), connector=merchant)


def quoted(net_cents: int) -> contract.Quote:
    """A price with VAT at 20 %, good for an hour."""
    vat = net_cents // 5
    return contract.Quote("q", net_cents, 2000, vat, net_cents + vat, "EUR", clock.now() + timedelta(hours=1))
