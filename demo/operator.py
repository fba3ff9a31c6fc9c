"""The demonstration operator: CAMARA carrier billing 0.5 and refunds 0.3 on a loopback socket.

It checks every request against the definition's rules, keeps one payment for one `clientCorrelator`,
and can fail in the ways real operators do: by one `fault` of its payment requests, or by `faults` of any step.
"""

from __future__ import annotations

import base64
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from demo.faults import Faults, befall
from demo.operator_book import JournalLine, OperatorBook, PaymentLine, rfc3339
from demo.operator_list import Listing
from demo.operator_refunds import REFUNDS, add_refunds, existing, require_token
from demo.operator_requests import PhoneNumberBody, PrepareBody, Problem, key_sent, read_body
from demo.sockets import LoopbackServer, cut_connection

LINE = "+33123456789"
LARGEST_CENTS = 500_000
CLIENT = ("guichet-demo", "secret-demo")
TOKEN_LIFE_S = 300
PAYMENTS = "/carrier-billing/v0.5/payments"
DUPLICATES = (200, 201, 400, 409)
FAULTS = (
    "down",
    "slow",
    "error500",
    "hang",
    "cut_reply",
    "deny",
    "amount",
    "html",
    "rate_limit",
    "processing",
    "refused_later",
)


class OperatorServer:
    """The operator on a free loopback port. `repeats` says how a known correlator is answered: 201, 409 or 400.

    With `line_by_token` its tokens name the line (three-legged), and being told it is refused.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, repeats: int = 201, token_life_s: int = TOKEN_LIFE_S
    ) -> None:
        self.book, self.faults = OperatorBook(), Faults()
        self.listing = Listing(self.faults)
        self.repeats, self.token_life_s, self.line_by_token = repeats, token_life_s, False
        self.tokens: dict[str, tuple[float, set[str]]] = {}
        self._fault: str | None = None
        self._once: str | None = None
        self._server = LoopbackServer(_application(self), host, port)

    @property
    def port(self) -> int:
        """The port, kept over an outage."""
        return self._server.port

    @property
    def url(self) -> str:
        """The API root."""
        return self._server.url

    def start(self) -> None:
        """Serve in a thread."""
        self._server.start()

    def stop(self) -> None:
        """End the server."""
        self._server.stop()

    @property
    def fault(self) -> str | None:
        """What is broken until told otherwise."""
        return self._fault

    @fault.setter
    def fault(self, name: str | None) -> None:
        if name is not None and name not in FAULTS:
            raise ValueError(name)
        if (name == "down") != (self._fault == "down"):
            self._server.pause() if name == "down" else self._server.start()
        self._fault = name

    def fault_once(self, name: str) -> None:
        """Break the next payment request only."""
        self._once = name

    def spend(self) -> str:
        """The fault for this request."""
        name, self._once = self._once or self._fault, None
        return name or ""


def _application(server: OperatorServer) -> Flask:
    app = Flask("demo-operator")
    befall(app, server.faults, _step)

    @app.errorhandler(Problem)
    def problem(error: Problem) -> ResponseReturnValue:
        return jsonify(error.content), error.content["status"]

    @app.after_request
    def journal(response: Response) -> Response:
        correlator = request.headers.get("x-correlator", "")
        if correlator:
            response.headers["x-correlator"] = correlator
        server.book.write(
            JournalLine(datetime.now(UTC), request.method, request.path, response.status_code, correlator, key_sent())
        )
        return response

    @app.before_request
    def misbehave() -> ResponseReturnValue | None:
        g.fault = server.spend() if request.path.startswith((PAYMENTS, REFUNDS)) and request.method == "POST" else ""
        if g.fault in {"slow", "hang"}:
            time.sleep(3 if g.fault == "slow" else 60)
        if g.fault == "error500":
            return jsonify(status=500, code="INTERNAL", message="Internal error"), 500
        if g.fault == "html":
            return Response("<html><body>Proxy</body></html>", status=200, mimetype="text/html")
        if g.fault == "rate_limit":
            return (
                jsonify(status=429, code="TOO_MANY_REQUESTS", message="Rate limit reached."),
                429,
                {"Retry-After": "1"},
            )
        return None

    @app.post("/oauth2/token")
    def token() -> ResponseReturnValue:
        expected = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()
        if request.headers.get("Authorization") != expected or request.form.get("grant_type") != "client_credentials":
            return jsonify(error="invalid_client"), 401
        made = secrets.token_urlsafe(24)
        server.tokens[made] = (time.monotonic() + server.token_life_s, set(request.form.get("scope", "").split()))
        return jsonify(access_token=made, token_type="Bearer", expires_in=server.token_life_s)  # noqa: S106

    @app.post(f"{PAYMENTS}/prepare")
    def prepare() -> ResponseReturnValue:
        return _create(server, "reserved")

    @app.post(PAYMENTS)
    def create() -> ResponseReturnValue:
        return _create(server, "succeeded")

    @app.get(PAYMENTS)
    def listing() -> ResponseReturnValue:
        require_token(server.tokens, "carrier-billing:payments:read")
        return jsonify([_payment(line) for line in server.listing.page(server.book, request.args)])

    @app.get(f"{PAYMENTS}/<payment_id>")
    def read(payment_id: str) -> ResponseReturnValue:
        require_token(server.tokens, "carrier-billing:payments:read")
        return jsonify(_payment(existing(server.book, payment_id)))

    @app.post(f"{PAYMENTS}/<payment_id>/<any(confirm, cancel):step>")
    def second_step(payment_id: str, step: str) -> ResponseReturnValue:
        require_token(server.tokens, "carrier-billing:payments:write")
        _require_line(server, read_body(request.get_data(), PhoneNumberBody).phoneNumber)
        _settle(server, payment_id, step)
        if g.fault == "cut_reply":
            cut_connection()
        return Response(status=202)

    add_refunds(app, server)
    return app


def _step() -> str:
    """`token`, `prepare`, `create`, `listing`, `read`, `confirm`, `cancel`, `refund`, `refunds`, …"""
    return str((request.view_args or {}).get("step") or request.endpoint)


def _require_line(server: OperatorServer, number: str | None) -> None:
    if server.line_by_token:
        if number:
            raise Problem(422, "UNNECESSARY_IDENTIFIER", "The phone number is already identified by the access token.")
        return
    if not number:
        raise Problem(422, "MISSING_IDENTIFIER", "The phone number cannot be identified.")
    if number != LINE:
        raise Problem(404, "IDENTIFIER_NOT_FOUND", "phoneNumber not found.")


def _create(server: OperatorServer, state: str) -> ResponseReturnValue:
    require_token(server.tokens, "carrier-billing:payments:create")
    body: PrepareBody = read_body(request.get_data(), PrepareBody)
    transaction = body.amountTransaction
    _require_line(server, transaction.phoneNumber)
    amount, tax = transaction.cents()
    if g.fault == "deny":
        raise Problem(403, "CARRIER_BILLING.PAYMENT_DENIED", "Payment denied by business.")
    if g.fault == "amount" or amount > LARGEST_CENTS:
        raise Problem(422, "CARRIER_BILLING.UNAUTHORIZED_AMOUNT", "Unauthorized amount requested.")
    with server.book.lock:
        line = server.book.by_correlator(transaction.clientCorrelator or "")
        known = line is not None
        if line is None:
            content = {"phoneNumber": LINE, **request.get_json()["amountTransaction"]}
            undecided = g.fault == "processing" or server.faults.happens("processing", _step())
            line = server.book.open(content, (amount, tax), state, decided=not undecided)
            if server.faults.happens("expiring", _step()):
                line.gone_at = line.created_at + timedelta(seconds=server.faults.expires_s)
    # A proxy that repeats a request upstream shows its client only the second answer.
    doubled = server.faults.happens("duplicate", _step())
    status = server.faults.one_of(DUPLICATES) if doubled else server.repeats if known else 201
    if status == 409:
        raise Problem(409, "ALREADY_EXISTS", "The resource that a client tried to create already exists.")
    if status == 400:
        raise Problem(400, "INVALID_ARGUMENT", "clientCorrelator already exist on server.")
    if g.fault == "cut_reply":
        cut_connection()
    return jsonify(_payment(line)), status


def _settle(server: OperatorServer, payment_id: str, step: str) -> None:
    with server.book.lock:
        line = existing(server.book, payment_id)
        if line.state == "succeeded":
            raise Problem(409, "CARRIER_BILLING.PAYMENT_CONFIRMED", "Payment has been confirmed.")
        if line.state in {"cancelled", "denied"}:
            raise Problem(409, "CARRIER_BILLING.PAYMENT_CANCELLED", "Payment has been cancelled.")
        line.state = "succeeded" if step == "confirm" else "cancelled"
        line.paid_at = datetime.now(UTC) if step == "confirm" else None


def _payment(line: PaymentLine) -> dict[str, Any]:
    content = {
        "paymentId": line.payment_id, "paymentStatus": line.state, "paymentCreationDate": rfc3339(line.created_at),
        "amountTransaction": {**line.transaction, "serverReferenceCode": f"OP-{line.payment_id}"},
    }  # fmt: skip
    if line.paid_at:
        content["paymentDate"] = rfc3339(line.paid_at)
    return content
