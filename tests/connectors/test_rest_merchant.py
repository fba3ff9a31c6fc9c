"""What a merchant's answer to an order means: only its own word is a "no"; a proxy's page knows nothing of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, Response, jsonify

from connectors.contract import Quote, Unavailable, Unknown
from connectors.http import Network
from connectors.merchants.registry import load_merchant

QUOTE = Quote("Q-1", 294, 2000, 59, 353, "EUR", datetime.now(UTC) + timedelta(minutes=10))


@pytest.fixture
def order(answering):
    """Send an order to a merchant that answers so; gives the outcome."""

    def send(answer, status, **headers):
        app = Flask("merchant")

        @app.post("/orders")
        def orders():
            body = jsonify(answer) if isinstance(answer, dict) else Response(answer, mimetype="text/html")
            return body, status, headers

        merchant = load_merchant("registre", "m", answering(app), {"api_key": "k"}, Network())
        return merchant.connector.fulfil(QUOTE, "key", "G-1", 353)

    return send


@pytest.mark.parametrize("status", [429, 503])
def test_a_merchant_that_asks_us_to_wait_has_done_nothing(status, order):
    with pytest.raises(Unavailable) as said:
        order({"error": {"code": "maintenance"}}, status, **{"Retry-After": "7"})

    assert said.value.retry_after_s == 7


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("page", ["<html><body>Service Unavailable</body></html>", "", {"message": "no upstream"}, {}])
def test_a_proxy_before_it_leaves_a_doubt(status, page, order):
    assert isinstance(order(page, status), Unknown)
