"""The demonstration's ACP merchant (Agentic Commerce Protocol 2026-04-17) on a real socket.

Keys are kept per path, a 5xx is never remembered against one, a request in flight is answered 409, another body 422:
rfc.agentic_checkout, section 6. Its faults are those of a careless merchant.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo import documents
from demo.acp_goods import API_KEY, GOODS, feed
from demo.acp_sessions import Checkout, Sold, definition_of, discovery, error, price_of, session_json
from demo.companies import COMPANIES
from demo.sockets import LoopbackServer, cut_connection

VERSION = "2026-04-17"
FAULTS = (
    "no_discovery", "strange_discovery", "discovery_down", "other_version", "down", "busy", "garbage",
    "price_up", "requires_escalation", "authentication_required", "pending_approval",
    "complete_in_progress", "expired", "gone", "declined", "requires_3ds", "error500_before", "error500_after",
    "cut_before", "cut_after", "hang", "conflict", "ships", "unselected", "heavy", "shipped", "making", "lost", "refunded",
    "not_ready", "two_things",
)  # fmt: skip

Check = Callable[[str, Any], str]
"""Says what is wrong with a content by the name of its definition, "" when nothing is."""


@dataclass
class AcpShop:
    """The merchant. `check` judges what it is sent, which it then refuses, and what it answers (`breaches`).

    `percent` of its prices is what new sessions cost; `elsewhere` is where it says it is. What hangs goes on when it is `released`, half a minute later at most.
    """

    check: Check = lambda _name, _content: ""
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    products: list[Any] = field(default_factory=feed)
    seen: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    book: list[Sold] = field(default_factory=list)
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    fault: str = ""
    percent: int = 100
    elsewhere: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    keys: dict[tuple[str, str], tuple[str, int, Any]] = field(default_factory=dict)
    busy: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.server = LoopbackServer(_application(self), port=self.port)

    @property
    def url(self) -> str:
        """The address of its site; the interface is below `/api`."""
        return self.server.url

    def start(self) -> None:
        """Serve in a thread."""
        self.server.start()

    def stop(self) -> None:
        """End the server."""
        self.released.set()
        self.server.stop()

    def break_(self, name: str) -> None:
        """Misbehave until told otherwise; "" mends it."""
        if name and name not in FAULTS:
            raise ValueError(name)
        self.fault = name

    def forget_keys(self) -> None:
        """What happens to keys after a day."""
        self.keys.clear()

    def steps(self) -> list[str]:
        """What was asked about sessions, in order: create, update, read, complete, cancel."""
        asked = [(method, path.split("/")) for method, path, *_rest in self.seen if "/checkout_sessions" in path]
        names = {("POST", 3): "create", ("POST", 4): "update", ("GET", 4): "read"}
        return [names.get((method, len(parts)), parts[-1]) for method, parts in asked]


def _application(shop: AcpShop) -> Flask:
    app = Flask("demo-acp")

    @app.before_request
    def receive() -> ResponseReturnValue | None:
        with shop.lock:
            shop.seen.append((request.method, request.path, dict(request.headers), request.get_json(silent=True)))
        if not request.path.startswith("/api/checkout_sessions"):
            return None
        return _refused(shop)

    @app.after_request
    def watch(response: Response) -> Response:
        _judge(shop, response)
        return response

    @app.get("/.well-known/acp.json")
    def discover() -> ResponseReturnValue:
        if shop.fault == "no_discovery":
            return Response("<html>Rien ici</html>", 404)
        if shop.fault == "strange_discovery":
            return Response("<html>Bienvenue</html>", mimetype="text/html")
        if shop.fault == "discovery_down":
            return jsonify(error("service_unavailable", "maintenance", "Maintenance")), 503
        versions = ["2026-01-30", "2026-09-01"] if shop.fault == "other_version" else ["2026-01-30", VERSION]
        return jsonify(discovery(shop.elsewhere or shop.url, versions))

    @app.get("/api/feeds/fr/products.jsonl")
    def lines() -> ResponseReturnValue:
        rows = (json.dumps(row, ensure_ascii=False) + "\n" for row in shop.products)
        return Response(rows, mimetype="application/x-ndjson")

    @app.get("/api/feeds/fr/products")
    def products() -> ResponseReturnValue:
        return jsonify(products=shop.products)

    @app.post("/api/checkout_sessions")
    def create() -> ResponseReturnValue:
        return _once(shop, "CheckoutSessionCreateRequest", lambda body: _create(shop, body))

    @app.get("/api/checkout_sessions/<ident>")
    def retrieve(ident: str) -> ResponseReturnValue:
        found = shop.checkouts.get(ident)
        if found is None or shop.fault == "gone":
            return jsonify(error("invalid_request", "not_found", "Session inconnue")), 404
        return jsonify(session_json(shop.url, found))

    @app.post("/api/checkout_sessions/<ident>")
    def update(ident: str) -> ResponseReturnValue:
        def change(body: Any) -> tuple[int, Any]:
            shop.checkouts[ident].selected = bool(body.get("selected_fulfillment_options"))
            return 200, session_json(shop.url, shop.checkouts[ident])

        return _once(shop, "CheckoutSessionUpdateRequest", change)

    @app.post("/api/checkout_sessions/<ident>/complete")
    def complete(ident: str) -> ResponseReturnValue:
        return _once(shop, "CheckoutSessionCompleteRequest", lambda body: _complete(shop, shop.checkouts[ident], body))

    @app.post("/api/checkout_sessions/<ident>/cancel")
    def cancel(ident: str) -> ResponseReturnValue:
        return _once(shop, "CancelSessionRequest", lambda _body: _cancel(shop, shop.checkouts[ident]))

    @app.get("/files/<number>.pdf")
    def document(number: str) -> ResponseReturnValue:
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return jsonify(error("invalid_request", "unauthorized", "Clé inconnue")), 401
        sold = next(item for item in shop.book if item.number == number)
        rows = [("Référence", sold.number), *((name.upper(), value) for name, value in sold.inputs.items())]
        return Response(documents.pdf(GOODS[sold.offer].title, ["Démonstration."], rows), mimetype="application/pdf")

    return app


def _refused(shop: AcpShop) -> ResponseReturnValue | None:
    """What every request must have."""
    if request.headers.get("Authorization") != f"Bearer {API_KEY}":
        return jsonify(error("invalid_request", "unauthorized", "Clé inconnue")), 401
    if request.headers.get("API-Version") != VERSION:
        said = error("invalid_request", "unsupported_api_version", "Version inconnue")
        return jsonify({**said, "supported_versions": [VERSION]}), 400
    if request.method == "POST" and not request.headers.get("Idempotency-Key"):
        return jsonify(error("invalid_request", "idempotency_key_required", "Il manque une clé")), 400
    if shop.fault == "down":
        return jsonify(error("service_unavailable", "maintenance", "Maintenance")), 503
    if shop.fault == "garbage":
        return Response("<html>Connectez-vous</html>", mimetype="text/html")
    return None


def _judge(shop: AcpShop, response: Response) -> None:
    """Hold our own answers against the definitions too."""
    if response.mimetype != "application/json":
        return
    content = response.get_json()
    if wrong := shop.check(definition_of(request.path, response.status_code, content), content):
        shop.breaches.append(f"answer to {request.method} {request.path}: {wrong}")


def _once(shop: AcpShop, definition: str, do: Callable[[Any], tuple[int, Any]]) -> ResponseReturnValue:
    """Carry a POST out once for its key at this path; the answer of a repeat is that of the first."""
    body = request.get_json(silent=True)
    if wrong := shop.check(definition, body):
        shop.breaches.append(f"{definition}: {wrong}")
        return jsonify(error("invalid_request", "invalid", wrong)), 400
    # Order of keys is of no meaning, null and absent are two things.
    same, place = json.dumps(body, sort_keys=True), (request.path, request.headers["Idempotency-Key"])
    with shop.lock:
        known = shop.keys.get(place)
        if known is None and place in shop.busy:
            answer = jsonify(error("invalid_request", "idempotency_in_flight", "En cours"))
            answer.headers["Retry-After"] = "1"
            return answer, 409
        if known and known[0] != same:
            return jsonify(error("invalid_request", "idempotency_conflict", "Clé déjà utilisée")), 422
        if known:
            return jsonify(known[2]), known[1], {"Idempotent-Replayed": "true"}
        shop.busy.add(place)
    try:
        status, content = do(body)
    finally:
        shop.busy.discard(place)
    if status == 0:
        cut_connection()
        return Response(status=500)
    if status < 500 and status != 429:
        shop.keys[place] = (same, status, content)
    return jsonify(content), status, {"Idempotency-Key": place[1]}


def _create(shop: AcpShop, body: Any) -> tuple[int, Any]:
    good = GOODS.get(body["line_items"][0]["id"])
    if good is None:
        return 400, error("invalid_request", "not_found", "Cet article n’existe plus.", "$.line_items[0].id")
    made = Checkout(
        id=f"cs_{secrets.token_hex(6)}", good=good, inputs=dict((body.get("metadata") or {}).get("inputs", {})),
        buyer=body.get("buyer"), ends=datetime.now(UTC) + timedelta(minutes=15), fault=shop.fault, percent=shop.percent,
        selected=shop.fault != "unselected",
    )  # fmt: skip
    if good.id == "conformite" and made.inputs.get("siren") not in COMPANIES:
        made.status, made.refusal = "not_ready_for_payment", ("invalid", "Cette entreprise n’est pas au registre.")
        made.refusal_at = "$.metadata.inputs.siren"
    if shop.fault in {"requires_escalation", "authentication_required", "pending_approval", "not_ready"}:
        made.status = "not_ready_for_payment" if shop.fault == "not_ready" else shop.fault
    with shop.lock:
        shop.checkouts[made.id] = made
    return 201, session_json(shop.url, made)


def _cancel(shop: AcpShop, checkout: Checkout) -> tuple[int, Any]:
    with shop.lock:
        if checkout.status in {"completed", "canceled"}:
            return 405, error("invalid_request", "not_cancelable", "Cette session est close")
        if not checkout.stays_open:
            checkout.status = "canceled"
        return 200, session_json(shop.url, checkout)


def _complete(shop: AcpShop, checkout: Checkout, body: Any) -> tuple[int, Any]:
    fault = shop.fault
    early = {
        "busy": (429, error("processing_error", "rate_limited", "Trop de demandes")),
        "error500_before": (500, error("processing_error", "internal", "Erreur")), "cut_before": (0, None),
        "conflict": (422, error("invalid_request", "idempotency_conflict", "Clé déjà utilisée")),
        "requires_3ds": (400, error("invalid_request", "requires_3ds", "Authentification requise", "$.authentication_result")),
    }  # fmt: skip
    if fault in early:
        return early[fault]
    if fault == "hang":
        shop.released.wait(30)
    with shop.lock:
        checkout.fault = fault
        if fault == "declined":
            checkout.refusal = ("payment_declined", "Ce bon de commande est refusé.")
        elif fault == "price_up":
            checkout.percent = 120
        elif fault in {"requires_escalation", "authentication_required", "pending_approval", "complete_in_progress"}:
            checkout.status = fault
            checkout.paying = dict(body["payment_data"])
        elif checkout.status == "ready_for_payment":
            finish(shop, checkout, body["payment_data"])
    if fault == "error500_after":
        return 500, error("processing_error", "internal", "Erreur")
    return (0, None) if fault == "cut_after" else (200, session_json(shop.url, checkout))


def finish(shop: AcpShop, checkout: Checkout, payment: dict[str, Any]) -> None:
    """Make the order of a session: this is the charge."""
    net, vat = price_of(checkout)
    sold = Sold(
        number=f"ord_{secrets.token_hex(6)}", po_number=payment["purchase_order_number"],
        terms=payment.get("payment_terms", ""), offer=checkout.good.id, gross_cents=net + vat,
        inputs=checkout.inputs, at=datetime.now(UTC),
    )  # fmt: skip
    shop.book.append(sold)
    checkout.status, checkout.order = "completed", sold.number
