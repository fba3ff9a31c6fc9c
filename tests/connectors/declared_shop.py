"""A small REST merchant on a real socket, and the manifest that describes it whole: certificates of weather."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo.sockets import LoopbackServer

MANIFEST = """\
contract = 1
id = "meteo"
version = "1.0.0"
sandbox = true

[merchant]
name = "Météo Démo SAS"
siren = "732829320"
vat = "FR44732829320"
terms_url = "https://meteo.example/conditions"
privacy_url = "https://meteo.example/vie-privee"
support = "aide@meteo.example"
intangible_only = true

[network]
base_url = "https://api.meteo.example"
hosts = ["api.meteo.example"]

[auth]
kind = "header"
header = "X-Key"
prefix = "k-"
secrets = ["api_key"]

[capabilities]
lookup_by_key = true
idempotent = "key"
suggest = true

[[input]]
name = "town"
label = {fr = "Commune", en = "Town"}
minimum = 2

[[input]]
name = "day"
label = {fr = "Jour", en = "Day"}
type = "date"
offers = ["storm"]

[amounts]
unit = "cents"
rate = "percent"

[refusal]
words = {fr = "why.fr", en = "why.en"}
field = "why.field"

[list]
path = "/v2/products"
query = {size = "2"}
items = "data"
paging = {kind = "cursor", in = "after", out = "next"}
map = {id = "sku", title = {fr = "name.fr", en = "name.en"}, summary = "about", category = "=meteo", delivery = "=document", gross = "price", vat_rate = "vat"}

[suggest]
path = "/v2/towns"
query = {q = "{text}"}
items = "towns"
map = {value = "name", label = "name", detail = "county"}

[quote]
method = "POST"
path = "/v2/products/{offer.id}/price"
body = {town = "{input.town}", day = "{input.day}", for = "{buyer.company}"}
map = {ref = "offer_ref", gross = "price", vat_rate = "vat", subject = "town"}
errors = {422 = "rejected"}

[fulfil]
method = "POST"
path = "/v2/orders"
headers = {Idempotency-Key = "{key}"}
body = {offer = "{quote.ref}", sku = "{offer.id}", town = "{input.town}", po = "{po}", most = "{max_cents}"}
errors = {409 = "price_changed:quote", 422 = "rejected"}

[order]
at = "order"
state = "status"
states = {ready = "done", making = "pending", none = "not_done"}
ref = "id"
charged = "total"
after = "wait"
percent = "percent"
stage = {fr = "stage"}
words = {fr = "why.fr", en = "why.en"}
delivery = {kind = "=document", url = "file", filename = "name", sha256 = "sha"}

[lookup]
path = "/v2/orders"
query = {key = "{key}"}
errors = {404 = "not_found"}

[status]
path = "/v2/orders/{order}"

[orders]
path = "/v2/book"
query = {since = "{since}"}
items = "orders"
map = {reference = "po", key = "key", gross = "total", state = "status", at = "at"}
"""
PRODUCTS = [
    {"sku": "sun", "name": {"fr": "Soleil", "en": "Sunshine"}, "about": "Heures de soleil", "price": 240, "vat": 20},
    {"sku": "rain", "name": {"fr": "Pluie", "en": "Rain"}, "about": "Hauteur de pluie", "price": 360, "vat": 20},
    {"sku": "storm", "name": {"fr": "Orage", "en": "Storm"}, "about": "Impacts de foudre", "price": 1055, "vat": 5.5},
]


class Shop:
    """The merchant: `seen` are its requests, `answers` replaces what it says to `METHOD path`."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        self.answers: dict[str, tuple[int, Any]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.server = LoopbackServer(self._application())

    def bodies(self, path: str) -> list[Any]:
        """What was sent to a path."""
        return [body for _method, asked, _headers, body in self.seen if asked == path]

    def _application(self) -> Flask:
        app = Flask("declared-shop")

        @app.before_request
        def watch() -> ResponseReturnValue | None:
            self.seen.append(
                (request.method, request.environ["RAW_URI"], dict(request.headers), request.get_json(silent=True))
            )
            told = self.answers.get(f"{request.method} {request.path}")
            if told:
                return jsonify(told[1]), told[0]
            signed = {request.headers.get("X-Key"), request.args.get("apikey"), request.headers.get("Authorization")}
            ours = {"k-s3cret", "s3cret", "Basic dTpw", "Bearer t0ken"}
            return None if signed & ours or request.path.startswith("/sign") else (jsonify(error="who?"), 401)

        @app.get("/v2/products")
        def products() -> ResponseReturnValue:
            first, size = int(request.args.get("after", 0)), int(request.args["size"])
            more = {"next": str(first + size)} if first + size < len(PRODUCTS) else {"next": None}
            return jsonify(data=PRODUCTS[first : first + size], **more)

        @app.get("/v2/towns")
        def towns() -> ResponseReturnValue:
            return jsonify(towns=[{"name": "Brest", "county": "Finistère"}] if request.args["q"] == "br" else [])

        @app.post("/v2/products/<sku>/price")
        def quote(sku: str) -> ResponseReturnValue:
            town = request.get_json()["town"]
            if town == "Ys":
                return jsonify(why={"fr": "Engloutie.", "en": "Sunk.", "field": "town"}), 422
            found = next(item for item in PRODUCTS if item["sku"] == sku)
            return jsonify(offer_ref=f"q-{sku}", price=found["price"], vat=found["vat"], town=town)

        @app.post("/v2/orders")
        def order() -> ResponseReturnValue:
            body, key = request.get_json(), request.headers["Idempotency-Key"]
            with self.lock:
                state = "making" if body["sku"] == "storm" else "ready"
                made = {
                    "id": f"o-{len(self.orders)}",
                    "status": state,
                    "total": body["most"],
                    "file": "/v2/files/o.pdf",
                }
                made |= {"name": "releve.pdf", "po": body["po"], "key": key, "at": "2026-11-25T10:00:00+01:00"}
                made |= {"wait": 7, "percent": 40, "stage": "Mesures"}
                known = self.orders.setdefault(key, made)
            return jsonify(order=known), 201

        @app.get("/v2/orders")
        def lookup() -> ResponseReturnValue:
            known = self.orders.get(request.args["key"])
            return jsonify(order=known) if known else (jsonify(error="unknown"), 404)

        @app.get("/v2/orders/<ident>")
        def status(ident: str) -> ResponseReturnValue:
            found = next((item for item in self.orders.values() if item["id"] == ident), None)
            if found is None:
                return jsonify(error="unknown"), 404
            found["status"] = "ready"
            return jsonify(order=found)

        @app.get("/v2/book")
        def book() -> ResponseReturnValue:
            return jsonify(orders=list(self.orders.values()))

        @app.get("/v2/files/o.pdf")
        def document() -> ResponseReturnValue:
            return Response(b"%PDF-1.7\n%%EOF\n", mimetype="application/pdf")

        @app.post("/sign/in")
        def sign_in() -> ResponseReturnValue:
            given = request.get_json(silent=True) or request.form.to_dict()
            wanted = (
                {"user": "u", "password": "p"},
                {"grant_type": "client_credentials", "client_id": "u", "client_secret": "p"},
            )
            return jsonify(access_token="t0ken") if given in wanted else (jsonify(error="no"), 401)

        return app


def folder_of(place: Path, manifest: str = MANIFEST) -> Path:
    """A connector's folder, without any code."""
    folder = place / "meteo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "connector.toml").write_text(manifest, encoding="utf-8")
    return folder
