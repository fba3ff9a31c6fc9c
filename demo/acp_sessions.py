"""The checkout sessions of the demonstration's ACP merchant, as they are answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.acp_goods import Good

LINE = "line-1"


@dataclass
class Checkout:
    """One session; `percent` is of the good's price, `fault` what is wrong with it, `stays_open` when told to close."""

    id: str
    good: Good
    inputs: dict[str, str]
    buyer: dict[str, Any] | None
    ends: datetime
    fault: str = ""
    selected: bool = True
    status: str = "ready_for_payment"
    percent: int = 100
    refusal: tuple[str, str] | None = None
    refusal_at: str = ""
    order: str = ""
    stays_open: bool = False
    paying: dict[str, Any] = field(default_factory=dict)


@dataclass
class Sold:
    """One line of the merchant's book; the amount in cents, VAT included."""

    number: str
    po_number: str
    terms: str
    offer: str
    gross_cents: int
    inputs: dict[str, str]
    at: datetime


def error(kind: str, code: str, message: str, param: str = "") -> dict[str, Any]:
    """An answer that refuses, in the protocol's flat form."""
    made = {"type": kind, "code": code, "message": message}
    return {**made, "param": param} if param else made


def discovery(url: str, versions: list[str]) -> dict[str, Any]:
    """The document at `/.well-known/acp.json`."""
    return {
        "protocol": {"name": "acp", "version": versions[-1], "supported_versions": versions},
        "api_base_url": f"{url}/api", "transports": ["rest"],
        "capabilities": {"services": ["checkout", "orders"], "supported_currencies": ["eur"]},
    }  # fmt: skip


def definition_of(path: str, status: int, content: Any) -> str:
    """The name under which the protocol defines an answer."""
    if status >= 400:
        return "Error"
    if path.endswith("acp.json"):
        return "DiscoveryResponse"
    if "/feeds/" in path:
        return "ProductsResponse"
    whole = path.endswith("/complete") and content.get("status") == "completed"
    return "CheckoutSessionWithOrder" if whole else "CheckoutSession"


def price_of(checkout: Checkout) -> tuple[int, int]:
    """Net and VAT in cents."""
    return checkout.good.net * checkout.percent // 100, checkout.good.vat * checkout.percent // 100


def session_json(url: str, checkout: Checkout) -> dict[str, Any]:
    """The authoritative state of a session."""
    way = "shipping" if checkout.fault == "ships" else "digital"
    content: dict[str, Any] = {
        "id": checkout.id, "protocol": {"version": "2026-04-17"}, "capabilities": {"payment": {"handlers": []}},
        "status": checkout.status, "currency": "eur", "line_items": _lines(checkout),
        "fulfillment_options": [{"type": way, "id": way, "title": "Livraison", "totals": [_total("total", "Livraison", 0)]}],
        "totals": _totals(checkout), "messages": _messages(checkout),
        "links": [{"type": "terms_of_use", "url": "https://normes.example/conditions"}],
        "quote_expires_at": checkout.ends.isoformat(), "expires_at": (checkout.ends + timedelta(hours=1)).isoformat(),
        "metadata": {"inputs": checkout.inputs},
    }  # fmt: skip
    if checkout.selected:
        content["selected_fulfillment_options"] = [{"type": way, "option_id": way, "item_ids": [LINE]}]
    if checkout.buyer:
        content["buyer"] = checkout.buyer
    if checkout.status == "authentication_required":
        content["authentication_metadata"] = {
            "acquirer_details": {
                "acquirer_bin": "1", "acquirer_country": "FR", "acquirer_merchant_id": "1", "merchant_name": "Normes",
            },
            "directory_server": "visa",
        }  # fmt: skip
    if checkout.order:
        content["order"] = _order(url, checkout)
    return content


def _lines(checkout: Checkout) -> list[dict[str, Any]]:
    line: dict[str, Any] = {
        "id": LINE, "item": {"id": checkout.good.id}, "quantity": 2 if checkout.fault == "two_things" else 1,
        "name": checkout.good.title, "totals": _totals(checkout),
    }  # fmt: skip
    if checkout.inputs:
        line["custom_attributes"] = [{"display_name": name, "value": value} for name, value in checkout.inputs.items()]
    if checkout.fault == "heavy":
        line["weight"] = {"value": 250, "unit": "g"}
    return [line]


def _total(kind: str, text: str, amount: int) -> dict[str, Any]:
    return {"type": kind, "display_text": text, "amount": amount}


def _totals(checkout: Checkout) -> list[dict[str, Any]]:
    net, vat = price_of(checkout)
    tax = {
        **_total("tax", "TVA", vat),
        "breakdown": [{"jurisdiction": "FR", "rate": checkout.good.rate, "amount": vat}],
    }
    return [_total("subtotal", "Sous-total", net), tax, _total("total", "Total", net + vat)]


def _messages(checkout: Checkout) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    if checkout.percent != 100:
        text = "Le prix a changé."
        made.append({"type": "warning", "code": "price_change", "content_type": "plain", "content": text})
    if checkout.refusal:
        code, text = checkout.refusal
        made.append({"type": "error", "code": code, "content_type": "plain", "content": text})
        if checkout.refusal_at:
            made[-1]["param"] = checkout.refusal_at
    return made


def _order(url: str, checkout: Checkout) -> dict[str, Any]:
    state = {"making": "processing", "lost": "failed"}.get(checkout.fault, "delivered")
    sent: dict[str, Any] = {
        "id": "f-1", "type": "shipping" if checkout.fault == "shipped" else "digital", "status": state,
        "description": "Préparation" if state == "processing" else "Livré en ligne",
    }  # fmt: skip
    if state == "delivered":
        sent["digital_delivery"] = _digital(url, checkout)
    return {
        "id": checkout.order, "checkout_session_id": checkout.id, "permalink_url": f"{url}/orders/{checkout.order}",
        "status": "canceled" if checkout.fault == "refunded" else "confirmed",
        "fulfillments": [] if checkout.fault == "refunded" else [sent], "totals": _totals(checkout),
    }  # fmt: skip


def _digital(url: str, checkout: Checkout) -> dict[str, Any]:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0).isoformat()
    return {
        "document": {"access_url": f"{url}/files/{checkout.order}.pdf"},
        "licence": {"license_key": f"NORM-{checkout.order[-6:].upper()}"},
        "access": {"access_url": f"{url}/lire/{checkout.order}", "expires_at": tomorrow},
        "link": {"access_url": f"{url}/livres/{checkout.order}"},
    }[checkout.good.brings]
