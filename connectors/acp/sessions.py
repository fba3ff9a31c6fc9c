"""A checkout session as the merchant answers it: where it stands, what it costs, and whether anything of it is physical."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from connectors import intangible
from connectors.acp.feed import thing
from connectors.contract import ContractBroken, Quote, Words
from connectors.http import Answer
from connectors.merchants.answers import whole

Standing = Literal["payable", "bought", "approval", "working", "stuck", "closed", "strange"]

STANDINGS: Mapping[str, Standing] = {
    "ready_for_payment": "payable", "completed": "bought", "pending_approval": "approval",
    "complete_in_progress": "working", "in_progress": "working", "requires_escalation": "stuck",
    "authentication_required": "stuck", "incomplete": "stuck", "not_ready_for_payment": "stuck",
    "canceled": "closed", "expired": "closed",
}  # fmt: skip
WORDS: Mapping[str, Words] = {
    "requires_escalation": {
        "fr": "Ce marchand veut d’abord parler à quelqu’un : cet achat ne peut pas se faire ici.",
        "en": "This merchant wants to speak to somebody first: this cannot be bought here.",
    },
    "authentication_required": {
        "fr": "Ce marchand demande l’authentification d’une carte ; l’entreprise paie sur facture.",
        "en": "This merchant asks for a card to be authenticated; the company pays by invoice.",
    },
    "pending_approval": {
        "fr": "Ce marchand doit d’abord approuver cet achat : il ne peut pas se faire ici.",
        "en": "This merchant must approve this purchase first: it cannot be made here.",
    },
    "expired": {
        "fr": "Le prix du marchand a expiré. Rien n’est facturé.",
        "en": "The merchant’s price has expired. Nothing is charged.",
    },
    "canceled": {
        "fr": "Le marchand a annulé cette commande. Rien n’est facturé.",
        "en": "The merchant has cancelled this order. Nothing is charged.",
    },
    "price_changed": {
        "fr": "Le marchand a changé son prix entre-temps. Rien n’est facturé ; redemandez son prix.",
        "en": "The merchant changed its price meanwhile. Nothing is charged; ask for its price again.",
    },
    "physical": intangible.WORDS,
}
APPROVAL: Words = {"fr": "En attente de l’accord du marchand", "en": "Waiting for the merchant’s approval"}
NOT_FOR_SALE: Words = {
    "fr": "Le marchand ne vend pas cela pour l’instant. Rien n’est facturé.",
    "en": "The merchant does not sell this for now. Nothing is charged.",
}
FIELD = re.compile(r"metadata\W+inputs\W+(\w+)")
DEFAULT_VALIDITY = timedelta(minutes=15)
LONGEST_WORDS = 500


@dataclass(frozen=True)
class Session:
    """One answer about a session: the authoritative state, as the merchant gives it."""

    id: str
    status: str
    content: Mapping[str, Any]

    @property
    def standing(self) -> Standing:
        """What its status means to us; closed with an order in it, it says two things, and a person must look."""
        found = STANDINGS.get(self.status, "strange")
        order = self.content.get("order")
        return "strange" if found == "closed" and isinstance(order, dict) and order.get("id") else found

    @property
    def offer_id(self) -> str:
        """The one thing that is bought in it. Raises `ContractBroken` when it is not one."""
        lines = items(self.content, "line_items")
        if len(lines) != 1 or lines[0].get("quantity") != 1 or not isinstance(lines[0].get("item"), dict):
            raise ContractBroken("the session is not about one thing, once")
        return str(lines[0]["item"].get("id", ""))

    @property
    def total_cents(self) -> int:
        """What it costs, VAT included."""
        return total(self.content)


def read(answer: Answer, wanted: str = "") -> Session:
    """The session of an answer. Raises `ContractBroken` when it is none, or not the one that was asked for."""
    content = answer.json()
    if not isinstance(content, dict) or not isinstance(content.get("status"), str) or not content.get("id"):
        raise ContractBroken(f"not a session: {answer.summary}")
    if wanted and content["id"] != wanted:
        raise ContractBroken("the answer is about another session")
    return Session(str(content["id"]), content["status"], content)


def items(content: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects, empty when it is not there. Raises `ContractBroken` for anything else."""
    found = content.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ContractBroken(f"{name} is not a list of objects")
    return found


def total(content: Mapping[str, Any]) -> int:
    """The entry of `totals` that is the whole price, in cents. Raises `ContractBroken`."""
    return _amount(_entry(content, "total"))


def _entry(content: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = [entry for entry in items(content, "totals") if entry.get("type") == kind]
    if len(found) != 1:
        raise ContractBroken(f"{len(found)} totals of type {kind}")
    return found[0]


def _amount(entry: Mapping[str, Any]) -> int:
    amount = entry.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise ContractBroken(f"an amount that is no whole number of minor units: {amount!r}"[:200])
    return amount


def quote(session: Session, offer_id: str, agreed_rate_bp: int) -> Quote:
    """A session as a binding price. Raises `ContractBroken` when it is for something else, or does not add up."""
    if session.offer_id != offer_id:
        raise ContractBroken(f"the session is about {session.offer_id!r}"[:200])
    gross, vat, rate = session.total_cents, 0, 0
    if any(entry.get("type") == "tax" for entry in items(session.content, "totals")):
        tax = _entry(session.content, "tax")
        vat = _amount(tax)
        rate = _rate(tax, agreed_rate_bp if vat else 0)
    return Quote(
        ref=session.id, net_cents=gross - vat, vat_rate_bp=rate, vat_cents=vat, gross_cents=gross,
        currency=str(session.content.get("currency", "")).upper(), expires_at=_end(session), subject=_subject(session),
    )  # fmt: skip


def _rate(tax: Mapping[str, Any], agreed_bp: int) -> int:
    rates = {whole(part.get("rate"), 10_000) for part in items(tax, "breakdown")}
    if len(rates) > 1:
        raise ContractBroken("several VAT rates in one price")
    return rates.pop() if rates else agreed_bp


def _end(session: Session) -> datetime:
    """When the price or the session ends, whichever is first."""
    given = [session.content[name] for name in ("quote_expires_at", "expires_at") if session.content.get(name)]
    try:
        ends = [datetime.fromisoformat(str(each)) for each in given]
    except ValueError as error:
        raise ContractBroken(f"no time: {error}"[:200]) from error
    if any(end.tzinfo is None for end in ends):
        raise ContractBroken("an end without a time zone")
    return min(ends, default=datetime.now(UTC) + DEFAULT_VALIDITY)


def _subject(session: Session) -> str:
    line = items(session.content, "line_items")[0]
    said = [str(each.get("value", "")) for each in items(line, "custom_attributes")]
    return ", ".join(filter(None, said))[:300]


def physical(session: Session, *, bought: bool = False) -> str:
    """Why a session is not wholly delivered online, "" when it is; once `bought`, its order says how it is delivered."""
    content = session.content
    chosen = items(content, "selected_fulfillment_options")
    others = [str(each.get("type")) for each in chosen if each.get("type") != "digital"]
    others += [
        str(each.get("destination_type")) for each in items(content, "fulfillment_groups")
        if each.get("destination_type") != "digital"
    ]  # fmt: skip
    if others:
        return f"it would be delivered by {others[0]}"
    if not chosen and not bought:
        return "no digital delivery is selected"
    reached = {str(ident) for each in chosen for ident in each.get("item_ids") or []}
    for line in items(content, "line_items"):
        if found := thing(line):
            return found
        item = line.get("item")
        named = {str(line.get("id")), str(item.get("id")) if isinstance(item, dict) else ""}
        if chosen and not named & reached:
            return "no delivery is selected for one of its lines"
    return ""


def digital_choice(session: Session) -> list[dict[str, Any]]:
    """The digital delivery to select, where the merchant offers one and has selected none; otherwise nothing."""
    if items(session.content, "selected_fulfillment_options"):
        return []
    lines = [str(line.get("id")) for line in items(session.content, "line_items")]
    offered = [each for each in items(session.content, "fulfillment_options") if each.get("type") == "digital"]
    return [{"type": "digital", "option_id": str(offered[0].get("id")), "item_ids": lines}] if offered else []


def words(session: Session, language: str = "fr") -> Words:
    """Why a session cannot be paid, in the merchant's words or ours."""
    said = " ".join(str(each.get("content", "")) for each in _errors(session)).strip()
    return spoken(said, language) if said else WORDS.get(session.status, NOT_FOR_SALE)


def field(session: Session) -> str:
    """The input that a message is about, "" when none is."""
    return next(filter(None, (field_of(str(each.get("param", ""))) for each in _errors(session))), "")


def field_of(param: str) -> str:
    """The input that a JSONPath leads to."""
    found = FIELD.search(param)
    return found[1] if found else ""


def spoken(said: str, language: str) -> Words:
    """A sentence of the merchant's, in the language it was asked in; shown to everybody for want of another."""
    return {"fr": said[:LONGEST_WORDS], language: said[:LONGEST_WORDS]}


def _errors(session: Session) -> list[Mapping[str, Any]]:
    return [each for each in items(session.content, "messages") if each.get("type") == "error"]
