"""The demonstration's provider of electronic signatures, on a real socket: packs of envelopes, each with its key."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo.served import Served
from demo.sockets import LoopbackServer, cut_connection

API_KEY = "cle-signature"
FAULTS = ("down", "price_up", "cut_after", "error500", "fewer")
VAT = 20


@dataclass(frozen=True)
class PackOnSale:
    """One pack; its price in cents, VAT included."""

    code: str
    envelopes: int
    price: int
    about: tuple[str, str]

    @property
    def title(self) -> tuple[str, str]:
        """Its name in French and in English."""
        return f"{self.envelopes} enveloppes de signature", f"{self.envelopes} signature envelopes"


PACKS = {
    pack.code: pack
    for pack in (
        PackOnSale(
            "pack10", 10, 2880, ("Dix documents à faire signer en ligne.", "Ten documents to be signed online.")
        ),
        PackOnSale(
            "pack50", 50, 12000,
            ("Cinquante documents à faire signer en ligne.", "Fifty documents to be signed online."),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Purchase:
    """One line of its book."""

    id: str
    key: str
    reference: str
    code: str
    total: int
    licence: str
    envelopes: int
    at: datetime
    sent: Any


@dataclass
class Signature(Served):
    """The server, one of the demonstration's partners."""

    name: str = "signature"
    faults: tuple[str, ...] = FAULTS
    fault: str = ""
    prices: dict[str, tuple[str, int]] = field(default_factory=dict)
    purchases: dict[str, Purchase] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.server = LoopbackServer(_application(self))

    def configuration(self) -> str:
        """Its part of `portal.toml`."""
        return (
            f'\n[merchants.{self.name}]\nconnector = "signature"\nbase_url = "{self.server.url}"\n'
            f'secrets = {{api_key = "{API_KEY}"}}\n'
        )

    def files(self) -> Mapping[str, str]:
        """Nothing beside `portal.toml`."""
        return {}

    def sold(self) -> list[Mapping[str, Any]]:
        """Its book, oldest first."""
        return [
            {"po_number": each.reference, "what": PACKS[each.code].title[0], "gross_cents": each.total,
             "state": "delivered", "at": each.at}
            for each in list(self.purchases.values())
        ]  # fmt: skip

    def kept(self) -> object:
        """Prices and purchases."""
        with self.lock:
            return dict(self.prices), dict(self.purchases)

    def recall(self, kept: Any) -> None:
        """Go on from what an earlier run has kept."""
        self.prices, self.purchases = dict(kept[0]), dict(kept[1])


def _application(shop: Signature) -> Flask:
    app = Flask("demo-signature")

    @app.before_request
    def receive() -> ResponseReturnValue | None:
        if shop.fault == "down":
            return Response("<html>Maintenance</html>", 503)
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return jsonify(why=_why("Clé refusée", "Key refused")), 401
        return None

    @app.get("/v1/packs")
    def packs() -> ResponseReturnValue:
        return jsonify(packs=[
            {"code": each.code, "title": _why(*each.title), "about": _why(*each.about), "envelopes": each.envelopes,
             "price": each.price, "vat": VAT, "keywords": "parapheur signer contrat électronique"}
            for each in PACKS.values()
        ])  # fmt: skip

    @app.post("/v1/packs/<code>/price")
    def price(code: str) -> ResponseReturnValue:
        if code not in PACKS:
            return jsonify(why=_why("Ce pack n'est plus vendu.", "This pack is not sold any more.")), 404
        return jsonify(_price(shop, code, PACKS[code].price))

    @app.post("/v1/purchases")
    def buy() -> ResponseReturnValue:
        if shop.fault == "error500":
            return jsonify(why=_why("Erreur", "Error")), 500
        status, content = _buy(shop)
        if shop.fault == "cut_after":
            shop.fault = ""
            return cut_connection()
        return jsonify(content), status

    @app.get("/v1/purchases")
    def find() -> ResponseReturnValue:
        return _shown(shop, shop.purchases.get(request.args["key"]))

    @app.get("/v1/purchases/<ident>")
    def one(ident: str) -> ResponseReturnValue:
        return _shown(shop, next((each for each in list(shop.purchases.values()) if each.id == ident), None))

    @app.get("/v1/book")
    def book() -> ResponseReturnValue:
        since = datetime.fromisoformat(request.args["since"])
        return jsonify(purchases=[
            {"reference": each.reference, "key": each.key, "total": each.total, "state": "opened", "at": each.at.isoformat()}
            for each in list(shop.purchases.values()) if each.at >= since
        ])  # fmt: skip

    return app


def _why(french: str, english: str) -> dict[str, str]:
    return {"fr": french, "en": english}


def _price(shop: Signature, code: str, cents: int) -> dict[str, Any]:
    ref = f"p-{secrets.token_hex(8)}"
    with shop.lock:
        shop.prices[ref] = code, cents
    until = (datetime.now(UTC) + timedelta(minutes=15)).isoformat()
    return {"price_ref": ref, "price": cents, "vat": VAT, "until": until, "for": PACKS[code].title[0]}


def _buy(shop: Signature) -> tuple[int, dict[str, Any]]:
    key, asked = request.headers.get("Idempotency-Key", ""), request.get_json()
    with shop.lock:
        known = shop.purchases.get(key)
        if known and known.sent != asked:
            return 422, {"why": _why("Clé déjà utilisée.", "Key already used.")}
        if known is None:
            priced = shop.prices.get(asked["price_ref"])
            if priced is None:
                return 422, {"why": _why("Ce prix n'existe plus.", "This price no longer exists.")}
            code, cents = priced
            if shop.fault == "price_up":
                shop.fault = ""
                return 409, {"price": _price(shop, code, cents * 11 // 10)}
            known = shop.purchases[key] = Purchase(
                f"a-{secrets.token_hex(6)}", key, asked["reference"], code, cents, f"SIG-{secrets.token_hex(6).upper()}",
                PACKS[code].envelopes, datetime.now(UTC), asked,
            )  # fmt: skip
    return 201, {"purchase": _purchase_json(shop, known)}


def _shown(shop: Signature, purchase: Purchase | None) -> ResponseReturnValue:
    if purchase is None:
        return jsonify(why=_why("Inconnu", "Unknown")), 404
    return jsonify(purchase=_purchase_json(shop, purchase))


def _purchase_json(shop: Signature, purchase: Purchase) -> dict[str, Any]:
    return {
        "id": purchase.id, "key": purchase.key, "state": "opened", "total": purchase.total, "licence": purchase.licence,
        "envelopes": purchase.envelopes - (1 if shop.fault == "fewer" else 0),
        "ends": (purchase.at + timedelta(days=365)).isoformat(),
    }  # fmt: skip
