"""What a completed session has brought: the order in it, its fulfilments, and the digital delivery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from connectors import intangible
from connectors.acp.manifest import AcpManifest
from connectors.acp.sessions import WORDS, Session, items, physical, total
from connectors.contract import (
    Access,
    ContractBroken,
    Delivery,
    Document,
    Done,
    Licence,
    Link,
    NotDone,
    Outcome,
    Pending,
    Unknown,
)

ASK_AGAIN_S = 30
LOST = {"failed", "canceled"}
ENDINGS = {
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}


def outcome(session: Session, manifest: AcpManifest) -> Outcome:
    """Where the order of a completed session stands.

    Raises:
        ContractBroken: it cannot be read, which is a doubt and never a no.
    """
    order = session.content.get("order")
    if not isinstance(order, dict) or not order.get("id"):
        raise ContractBroken("a completed session without an order")
    if order.get("checkout_session_id") != session.id:
        raise ContractBroken("the order is another session's")
    found = items(order, "fulfillments")
    shipped = [str(each.get("type")) for each in found if each.get("type") != "digital"]
    if shipped or physical(session, bought=True):
        why = f"it is delivered by {shipped[0]}" if shipped else physical(session, bought=True)
        return intangible.doubt(why)
    states = {str(each.get("status") or ("delivered" if each.get("digital_delivery") else "pending")) for each in found}
    if order.get("status") == "canceled":
        if "delivered" in states:
            return Unknown("the merchant cancelled an order it had delivered", needs_admin=True)
        return NotDone("canceled", WORDS["canceled"])
    if states & LOST:
        return Unknown(f"the merchant says of its delivery: {', '.join(sorted(states))}", needs_admin=True)
    if not found or states != {"delivered"}:
        return Pending(session.id, ASK_AGAIN_S, _stage(found))
    return Done(_delivery(session, found, manifest), _charged(session, order), str(order["id"]))


def _charged(session: Session, order: Mapping[str, Any]) -> int:
    return total(order) if items(order, "totals") else session.total_cents


def _stage(found: list[Mapping[str, Any]]) -> dict[str, str]:
    said = next((str(each["description"]) for each in found if each.get("description")), "")
    return {"fr": said[:200]} if said else {}


def _delivery(session: Session, found: list[Mapping[str, Any]], manifest: AcpManifest) -> Delivery:
    brought = [each["digital_delivery"] for each in found if isinstance(each.get("digital_delivery"), dict)]
    if len(brought) != 1:
        raise ContractBroken(f"{len(brought)} digital deliveries for one thing")
    given, offer = brought[0], session.offer_id
    kind = manifest.kind_of(offer)
    if kind == "licence":
        return Licence(_need(given, "license_key"))
    url = _need(given, "access_url")
    if kind == "document":
        ending = ENDINGS.get(manifest.delivery.media_type, "")
        return Document(manifest.delivery.media_type, url, f"{offer}{ending}")
    if urlsplit(url).scheme not in {"https", "http"}:
        raise ContractBroken("the address of the delivery is none for a browser")
    if kind == "access":
        return Access(url, _time(_need(given, "expires_at")))
    return Link(url, _time(given["expires_at"]) if given.get("expires_at") else None)


def _need(given: Mapping[str, Any], name: str) -> str:
    if not given.get(name):
        raise ContractBroken(f"the delivery has no {name}")
    return str(given[name])


def _time(text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ContractBroken(f"no time: {error}"[:200]) from error
    if at.tzinfo is None:
        raise ContractBroken("a time without a time zone")
    return at
