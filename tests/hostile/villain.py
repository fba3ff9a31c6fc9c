"""A merchant that does whatever a test says, on a real socket, in the protocol of `connectors/merchants/rest.py`.

It keeps books as an honest merchant would, so that what it was paid for can be compared with what we say.
"""

from __future__ import annotations

import hashlib
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo import documents
from demo.companies import COMPANIES
from demo.sockets import LoopbackServer, cut_connection

KEY = "cle-louche"
SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
OTHER = "552100554"
PRICE: dict[str, Any] = {"net": "10.00", "vat_rate": "20", "vat": "2.00", "gross": "12.00", "currency": "EUR"}
CENTS = 1200
PDF = documents.pdf("Extrait", ["Démonstration."], [("SIREN", SIREN)])

Act = Callable[[Callable[[], ResponseReturnValue]], ResponseReturnValue]
"""What is answered at a step, given what an honest merchant would do."""


def offer(ident: str = "kbis", **changes: Any) -> dict[str, Any]:
    """One line of its catalogue."""
    words = {"fr": f"Extrait {ident}", "en": f"Extract {ident}"}
    made = {
        "id": ident,
        "title": words,
        "summary": words,
        "category": "entreprises",
        "delivery": "document",
        "price": PRICE,
    }
    return {**made, **changes}


class Villain:
    """The merchant; `acts` replaces what it does at `catalogue`, `quote`, `order`, `lookup`, `status` or `document`."""

    def __init__(self) -> None:
        self.server = LoopbackServer(_application(self))
        self.reset()

    def reset(self) -> None:
        """Honest again, with empty books."""
        self.acts: dict[str, Act] = {}
        self.asked: Counter[str] = Counter()
        self.made: dict[str, dict[str, Any]] = {}
        self.offers: list[dict[str, Any]] = [offer()]
        self.document, self.media_type, self.filename, self.sha256 = PDF, "application/pdf", "extrait.pdf", ""
        self.delivery: dict[str, Any] = {}
        self.quoted: dict[str, Any] = {}

    def does(self, step: str, act: Act, *, times: int = 0) -> None:
        """Act so at a step from now on, or so many times."""
        left = [times]

        def acting(honest: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
            if times and not left[0]:
                return honest()
            left[0] -= 1
            return act(honest)

        self.acts[step] = acting

    def delivers(self, content: bytes, media_type: str = "application/pdf", **more: str) -> None:
        """What its orders bring from now on."""
        self.document, self.media_type = content, media_type
        self.filename, self.sha256 = more.get("filename", self.filename), more.get("sha256", "")


def _application(villain: Villain) -> Flask:
    app = Flask("villain")

    def play(step: str, honest: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
        villain.asked[step] += 1
        if request.headers.get("X-Api-Key") != KEY:
            return jsonify(error={"code": "unauthorized"}), 401
        return villain.acts.get(step, lambda honest: honest())(honest)

    @app.get("/catalogue")
    def catalogue() -> ResponseReturnValue:
        return play("catalogue", lambda: jsonify(offers=villain.offers))

    @app.get("/suggest")
    def suggest() -> ResponseReturnValue:
        return jsonify(suggestions=[])

    @app.post("/quotes")
    def quote() -> ResponseReturnValue:
        asked = request.get_json()["inputs"].get("siren", "")
        return play("quote", lambda: (jsonify(quote_json(f"Entreprise ({asked})") | villain.quoted), 201))

    @app.post("/orders")
    def order() -> ResponseReturnValue:
        return play("order", lambda: (jsonify(_order(villain)), 201))

    @app.get("/orders")
    def orders() -> ResponseReturnValue:
        key = request.args.get("client_reference")
        found = [item for item in villain.made.values() if key in {None, item["client_reference"]}]
        return play("lookup" if key else "book", lambda: jsonify(orders=found))

    @app.get("/orders/<number>")
    def status(number: str) -> ResponseReturnValue:
        found = next(item for item in villain.made.values() if item["order"] == number)
        return play("status", lambda: jsonify(found))

    @app.get("/documents/<path:number>")
    def document(number: str) -> ResponseReturnValue:
        return play("document", lambda: Response(villain.document, mimetype=villain.media_type))

    return app


def quote_json(subject: str = "", **price: Any) -> dict[str, Any]:
    """A binding price."""
    ends = (datetime.now(UTC) + timedelta(minutes=15)).isoformat()
    return {"quote": f"Q-{secrets.token_hex(4)}", "subject": subject, "price": {**PRICE, **price}, "expires_at": ends}


def _order(villain: Villain) -> dict[str, Any]:
    """Make an order, or give the one that was made under its key: this is the charge."""
    body = request.get_json()
    number = f"V-{secrets.token_hex(5)}"
    made = {
        "order": number, "client_reference": body["client_reference"], "purchase_order": body["purchase_order"],
        "price": PRICE, "state": "delivered", "at": datetime.now(UTC).isoformat(),
        "delivery": {
            "kind": "document", "media_type": villain.media_type, "filename": villain.filename,
            "url": f"{villain.server.url}/documents/{number}",
            "sha256": villain.sha256 or hashlib.sha256(villain.document).hexdigest(),
        },
    }  # fmt: skip
    made["delivery"] |= villain.delivery
    return villain.made.setdefault(body["client_reference"], made)


# --- Acts -------------------------------------------------------------------------------------------


def changed(**values: Any) -> Act:
    """The honest answer, with other values."""

    def act(honest: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
        answer = honest()
        response, status = answer if isinstance(answer, tuple) else (answer, 200)
        return jsonify({**response.get_json(), **values}), status

    return act


def says(status: int, **content: Any) -> Act:
    """This, and nothing is done."""
    return lambda _honest: (jsonify(content), status)


def done_and(act: Act) -> Act:
    """What was asked is done first, then this is answered."""

    def acting(honest: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
        honest()
        return act(honest)

    return acting


def silent(until: float | threading.Event) -> Act:
    """Nothing is answered for so many seconds, or until something is set, nor done."""

    def act(_honest: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
        until.wait(300) if isinstance(until, threading.Event) else time.sleep(until)
        return cut_connection()

    return act


def login_page(_honest: Any) -> ResponseReturnValue:
    """A page in place of JSON."""
    return Response("<html><form action=/login><input name=password></form></html>", mimetype="text/html")


def sends_to(address: str) -> Act:
    """A redirection."""
    return lambda _honest: Response(status=302, headers={"Location": address})


def raw(pieces: Iterable[bytes], pause_s: float = 0) -> Act:
    """Bytes straight onto the socket, whatever protocol they are."""

    def act(_honest: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
        connection: socket.socket = request.environ["werkzeug.socket"]
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)
        except OSError:
            pass
        return cut_connection()

    return act
