"""The demonstration operator's refunds, and what they share with its payments: tokens, look-ups, times.

One refund for one `clientCorrelator`, at once or (fault `processing`) after a second, when it may be denied.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from flask import Flask, g, jsonify, request
from flask.typing import ResponseReturnValue

from demo.faults import Faults
from demo.operator_book import OperatorBook, PaymentLine, rfc3339
from demo.operator_requests import Problem, RefundBody, read_body
from demo.sockets import cut_connection

REFUNDS = "/carrier-billing-refund/v0.3/payments"
DECIDES_AFTER = timedelta(seconds=1)
Tokens = Mapping[str, tuple[float, set[str]]]


class Operator(Protocol):
    """What refunds need of the operator's server."""

    book: OperatorBook
    faults: Faults
    tokens: dict[str, tuple[float, set[str]]]


def add_refunds(app: Flask, server: Operator) -> None:
    """The refund operations of one operator."""

    @app.post(f"{REFUNDS}/<payment_id>/refunds")
    def refund(payment_id: str) -> ResponseReturnValue:
        require_token(server.tokens, "carrier-billing-refund:refunds:create")
        if server.faults.happens("processing", "refund"):
            g.fault = g.fault or "processing"
        made = _refund(server.book, payment_id, read_body(request.get_data(), RefundBody))
        if server.faults.happens("duplicate", "refund"):
            raise Problem(409, "ALREADY_EXISTS", "The resource that a client tried to create already exists.")
        if g.fault == "cut_reply":
            cut_connection()
        return jsonify(made), 201

    @app.get(f"{REFUNDS}/<payment_id>/refunds")
    def refunds(payment_id: str) -> ResponseReturnValue:
        require_token(server.tokens, "carrier-billing-refund:refunds:read")
        page, size = int(request.args.get("page", 1)), min(int(request.args.get("perPage", 10)), 50)
        made = [_shown(line) for line in _decided(existing(server.book, payment_id))]
        if server.faults.happens("lagging", "refunds"):
            made = made[:-1]
        made = made if request.args.get("order", "desc") == "asc" else made[::-1]
        return jsonify(made[(page - 1) * size : page * size])

    @app.get(f"{REFUNDS}/<payment_id>/refunds/<refund_id>")
    def one_refund(payment_id: str, refund_id: str) -> ResponseReturnValue:
        require_token(server.tokens, "carrier-billing-refund:refunds:read")
        made = [item for item in _decided(existing(server.book, payment_id)) if item["refundId"] == refund_id]
        if not made:
            raise Problem(404, "NOT_FOUND", "The specified resource is not found.")
        return jsonify(_shown(made[0]))

    @app.get(f"{REFUNDS}/<payment_id>/refunds/remaining-amount")
    def remaining(payment_id: str) -> ResponseReturnValue:
        require_token(server.tokens, "carrier-billing-refund:refunds:read")
        line = existing(server.book, payment_id)
        _decided(line)
        return jsonify(amount=_number(line.amount_cents - line.refunded_cents), currency=line.currency)


def require_token(tokens: Tokens, scope: str) -> None:
    """Refuse a request without a good token for a scope. Raises `Problem`."""
    if not re.fullmatch(r"[a-zA-Z0-9\-_:;./<>{}]{0,256}", request.headers.get("x-correlator", "")):
        raise Problem(400, "INVALID_ARGUMENT", "x-correlator does not match its pattern.")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    ends, scopes = tokens.get(given, (0.0, set()))
    if time.monotonic() >= ends:
        raise Problem(
            401, "UNAUTHENTICATED", "Request not authenticated due to missing, invalid, or expired credentials."
        )
    if scope not in scopes:
        raise Problem(403, "PERMISSION_DENIED", "Client does not have sufficient permissions to perform this action.")


def existing(book: OperatorBook, payment_id: str) -> PaymentLine:
    """The payment an address names. Raises `Problem`."""
    line = book.get(payment_id)
    if line is None:
        raise Problem(404, "NOT_FOUND", "The specified resource is not found.")
    return line


def _refund(book: OperatorBook, payment_id: str, body: RefundBody) -> dict[str, Any]:
    with book.lock:
        line = existing(book, payment_id)
        transaction = request.get_json()["amountTransaction"]
        correlator = transaction.get("clientCorrelator")
        for known in _decided(line):
            if correlator and known["amountTransaction"].get("clientCorrelator") == correlator:
                return _shown(known)
        if g.fault == "deny":
            raise Problem(403, "CARRIER_BILLING_REFUND.REFUND_DENIED", "Refund denied by business.")
        if line.state != "succeeded":
            raise Problem(422, "CARRIER_BILLING_REFUND.INVALID_PAYMENT_STATUS", "Payment is not yet completed.")
        left = line.amount_cents - line.refunded_cents
        amount = left if body.type == "total" else body.amountTransaction.cents()
        if g.fault == "amount" or not 0 < amount <= left:
            raise Problem(422, "CARRIER_BILLING_REFUND.UNAUTHORIZED_AMOUNT", "Unauthorized amount requested.")
        # What is still processing is no longer part of what remains, as the definition says.
        line.refunded_cents += amount
        now = datetime.now(UTC)
        made = {
            "refundId": f"R{secrets.token_hex(8)}", "refundStatus": "succeeded", "type": body.type,
            "refundCreationDate": rfc3339(now), "amountTransaction": transaction, "cents": amount,
        }  # fmt: skip
        if g.fault in {"processing", "refused_later"}:
            made |= {"refundStatus": "processing", "decided": now + DECIDES_AFTER}
            made["ends"] = "denied" if g.fault == "refused_later" else "succeeded"
        line.refunds.append(made)
        return _shown(made)


def _decided(line: PaymentLine) -> list[dict[str, Any]]:
    """Every refund of a payment, those whose time has come decided."""
    for made in line.refunds:
        if made["refundStatus"] == "processing" and datetime.now(UTC) >= made["decided"]:
            made["refundStatus"] = made["ends"]
            line.refunded_cents -= made["cents"] if made["ends"] == "denied" else 0
    return line.refunds


def _shown(made: dict[str, Any]) -> dict[str, Any]:
    """A refund as the definition describes it, without what only the operator itself remembers."""
    return {name: value for name, value in made.items() if name not in {"cents", "decided", "ends"}}


def _number(cents: int) -> float:
    return float(Decimal(cents).scaleb(-2))
