"""The demonstration's merchants: five services on one loopback port, each with its own credentials.

Orders are idempotent by key: the same key with the same body answers the same order, with another
body it is refused, and a 5xx is never remembered against it. One merchant's orders break by `set_fault`, any
step of all of them by `faults`.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo.faults import Faults, befall
from demo.merchants_answers import order_json
from demo.merchants_book import MerchantOrder, MerchantsBook
from demo.merchants_quotes import make_quote, offer_json
from demo.merchants_sites import add_sites, opened
from demo.sales import Sale
from demo.shops import SHOPS, Refusal, Shop
from demo.sockets import LoopbackServer, cut_connection

DEMO_MERCHANTS = [(name, name, dict(shop.credentials)) for name, shop in SHOPS.items()]
FAULTS = (
    "down", "slow", "hang", "error500", "cut_reply", "garbage", "garbage_quote", "price_change", "wrong_sum", "bad_document",
    "never", "short_access",
)  # fmt: skip


class MerchantsServer:
    """All five merchants. `report_seconds` is how long the slow report takes."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, report_seconds: float = 6) -> None:
        self.book, self.faults = MerchantsBook(), Faults()
        self.report_seconds = report_seconds
        self.page_size = 500
        self.ahead = timedelta()
        self.tokens: dict[str, str] = {}
        self._faults: dict[str, tuple[str, bool]] = {}
        self._server = LoopbackServer(_application(self), host, port)

    @property
    def port(self) -> int:
        """The port of all five."""
        return self._server.port

    @property
    def url(self) -> str:
        """The address before `/registre` and its likes."""
        return self._server.url

    def now(self) -> datetime:
        """What their clocks say, which are `ahead` of this machine's."""
        return datetime.now(UTC) + self.ahead

    def start(self) -> None:
        """Serve in a thread."""
        self._server.start()

    def stop(self) -> None:
        """End the server."""
        self._server.stop()

    def set_fault(self, merchant: str, name: str | None) -> None:
        """Break a merchant until told otherwise, or mend it."""
        self._break(merchant, name, once=False)

    def fault_once(self, merchant: str, name: str) -> None:
        """Break a merchant's next order only."""
        self._break(merchant, name, once=True)

    def _break(self, merchant: str, name: str | None, *, once: bool) -> None:
        if name is not None and name not in FAULTS:
            raise ValueError(name)
        with self.book.lock:
            self._faults.pop(merchant, None)
            if name:
                self._faults[merchant] = (name, once)

    def fault(self, merchant: str, *, spend: bool = False) -> str:
        """The fault in force; `spend` uses up one that was for once."""
        with self.book.lock:
            name, once = self._faults.get(merchant, ("", False))
            if spend and once:
                del self._faults[merchant]
            return name


def _application(server: MerchantsServer) -> Flask:
    app = Flask("demo-merchants", template_folder=str(Path(__file__).parent / "templates"))
    befall(app, server.faults, _step)

    @app.before_request
    def misbehave() -> ResponseReturnValue | None:
        name = request.path.split("/")[1]
        if name not in SHOPS:
            return jsonify(error={"code": "unknown"}), 404
        if request.endpoint == "enter":
            return None
        server.book.hear(name)
        fault = server.fault(name)
        if fault == "down":
            return jsonify(error={"code": "maintenance"}), 503
        if fault in {"slow", "hang"}:
            time.sleep(3 if fault == "slow" else 60)
        if request.path.endswith(("/auth", "/oauth/token")):
            return None
        return None if _is_signed_in(server, name, SHOPS[name]) else (jsonify(error={"code": "unauthorized"}), 401)

    @app.post("/<name>/auth")
    @app.post("/<name>/oauth/token")
    def token(name: str) -> ResponseReturnValue:
        given = request.get_json(silent=True) or request.form
        wanted = SHOPS[name].credentials
        if any(given.get(key) != value for key, value in wanted.items()):
            return jsonify(error={"code": "unauthorized"}), 401
        server.tokens[name] = secrets.token_urlsafe(16)
        made = server.tokens[name]
        return jsonify({"token": made, "access_token": made, "token_type": "bearer", "expires_in": 3600})

    @app.get("/<name>/catalogue")
    def catalogue(name: str) -> ResponseReturnValue:
        first, sales = int(request.args.get("after", 0)), SHOPS[name].sales
        last = first + server.page_size
        offers = [offer_json(SHOPS[name], sale) for sale in sales[first:last]]
        return jsonify(offers=offers, **({"next": str(last)} if last < len(sales) else {}))

    @app.get("/<name>/suggest")
    def suggest(name: str) -> ResponseReturnValue:
        return jsonify(suggestions=SHOPS[name].suggest(request.args.get("q", "")))

    @app.post("/<name>/quotes")
    def quote(name: str) -> ResponseReturnValue:
        body = request.get_json()
        sale = next((sale for sale in SHOPS[name].sales if sale.id == body["offer"]), None)
        if sale is None:
            return _unprocessable("unknown_offer", "Cette offre n'existe plus.", "This offer no longer exists.")
        if server.fault(name) == "garbage_quote":
            return jsonify(quote=["not"], price="a lot", expires_at="soon"), 201
        try:
            made = make_quote(server, name, sale, body["inputs"], licence=body.get("licence", ""))
        except Refusal as refusal:
            return jsonify(error=refusal.error), 422
        return jsonify(made), 201

    @app.post("/<name>/orders")
    def order(name: str) -> ResponseReturnValue:
        return _take_order(server, name)

    @app.get("/<name>/orders")
    def orders(name: str) -> ResponseReturnValue:
        found = [item for item in server.book.orders() if item.merchant == name]
        if key := request.args.get("client_reference"):
            found = [item for item in found if item.key == key]
            if server.faults.happens("lagging", "lookup"):
                found = [item for item in found if _age_s(item) > server.faults.lag_s]
        if since := request.args.get("since"):
            found = [item for item in found if item.at >= datetime.fromisoformat(since)]
        return jsonify(orders=[_order_json(server, item) for item in found])

    @app.get("/<name>/orders/<number>")
    def one(name: str, number: str) -> ResponseReturnValue:
        found = next((item for item in server.book.orders() if (item.merchant, item.number) == (name, number)), None)
        return jsonify(_order_json(server, found)) if found else (jsonify(error={"code": "unknown"}), 404)

    @app.get("/<name>/documents/<number>")
    def document(name: str, number: str) -> ResponseReturnValue:
        found = next((item for item in server.book.orders() if (item.merchant, item.number) == (name, number)), None)
        if found is None or found.content is None:
            return jsonify(error={"code": "unknown"}), 404
        if server.fault(name) == "bad_document":
            return Response("<html><body>Maintenance</body></html>", mimetype="text/html")
        return Response(found.content.body, mimetype=found.content.media_type)

    add_sites(app, server.book, server.now)
    return app


def _step() -> str:
    """`token`, `catalogue`, `suggest`, `quote`, `order`, `lookup`, `orders`, `status` or `document`."""
    names = {"one": "status", "orders": "lookup" if "client_reference" in request.args else "orders"}
    return names.get(request.endpoint or "", request.endpoint or "")


def _age_s(order: MerchantOrder) -> float:
    return (datetime.now(UTC) - order.at).total_seconds()


def _is_signed_in(server: MerchantsServer, name: str, shop: Shop) -> bool:
    wanted, header = shop.credentials, request.headers.get("Authorization", "")
    if "api_key" in wanted:
        return request.headers.get("X-Api-Key") == wanted["api_key"]
    if "token" in wanted:
        return header == f"Token {wanted['token']}"
    if name == "lesechos":
        return header == "Basic " + base64.b64encode(f"{wanted['user']}:{wanted['password']}".encode()).decode()
    return name in server.tokens and header == f"Bearer {server.tokens[name]}"


def _order_json(server: MerchantsServer, order: MerchantOrder) -> dict[str, Any]:
    return order_json(order, server.url, server.report_seconds)


def _unprocessable(code: str, french: str, english: str) -> ResponseReturnValue:
    return jsonify(error={"code": code, "fr": french, "en": english}), 422


def _take_order(server: MerchantsServer, name: str) -> ResponseReturnValue:
    body, key = request.get_json(), request.headers.get("Idempotency-Key", "")
    body_hash = hashlib.sha256(request.get_data()).hexdigest()
    fault = server.fault(name, spend=True)
    if fault == "error500":
        return jsonify(error={"code": "internal"}), 500
    if fault == "garbage":
        return Response("<html><body>Bonjour</body></html>", mimetype="text/html")
    with server.book.lock:
        known = server.book.by_key.get((name, key))
        if known is None:
            quoted = server.book.quotes.get(body["quote"])
            if quoted is None:
                return _unprocessable("unknown_quote", "Ce devis n'existe plus.", "This quote no longer exists.")
            if quoted["licence"] and server.book.left(quoted["licence"]) < 1:
                return _unprocessable("pack_empty", "Ce pack est épuisé.", "This pack is used up.")
            if fault == "price_change" and quoted["percent"] == 100:
                new = make_quote(server, name, quoted["sale"], quoted["inputs"], 120)
                return jsonify(error={"code": "price_changed"}, quote=new), 409
            known = _book_order(server, name, quoted, body, key, body_hash, fault)
        elif known.body_hash != body_hash:
            return _unprocessable("conflict", "Clé déjà utilisée.", "Key already used.")
    if fault == "cut_reply":
        cut_connection()
    status = server.faults.one_of((200, 201, 400, 409)) if server.faults.happens("duplicate", "order") else 201
    if status in {400, 409}:
        return jsonify(error={"code": "known_reference"}), status
    return jsonify(_order_json(server, known)), status


def _book_order(
    server: MerchantsServer,
    name: str,
    quoted: dict[str, Any],
    body: dict[str, Any],
    key: str,
    body_hash: str,
    fault: str,
) -> MerchantOrder:
    sale: Sale = quoted["sale"]
    content = SHOPS[name].make(sale, quoted["inputs"])
    at = server.now()
    if content and sale.term:
        content = opened(content, sale, at, is_short=fault == "short_access")
    net, vat = sale.net * quoted["percent"] // 100, sale.vat * quoted["percent"] // 100
    is_slow = sale.slow or server.faults.happens("processing", "order")
    delay = 10**9 if fault == "never" else server.report_seconds if is_slow else 0
    made = MerchantOrder(
        merchant=name, offer=sale.id, number=f"M-{secrets.token_hex(6)}", po_number=body["purchase_order"], key=key,
        body_hash=body_hash, net_cents=net, vat_cents=vat, gross_cents=net + vat,
        state="refused" if content is None else "ordered", what=quoted["subject"], at=at,
        content=content, ready_at=time.monotonic() + delay, percent=quoted["percent"],
        units=1 if quoted["licence"] else 0, licence=quoted["licence"],
    )  # fmt: skip
    server.book.by_key[name, key] = made
    return made
