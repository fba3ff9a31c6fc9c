"""What a merchant's answer to an order means: only its own word is a "no"; a proxy's page knows nothing of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, Response, jsonify

from connectors.contract import Access, Done, Licence, Link, Quote, Unavailable, Unknown
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


END = datetime(2027, 1, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize(("given", "read"), [
    ({"kind": "access", "url": "https://x.example", "until": "2027-01-31T10:00:00+01:00"}, Access("https://x.example", END)),
    ({"kind": "licence", "key": "K-1", "units": 10, "until": "2027-01-31T09:00:00+00:00"}, Licence("K-1", 10, END)),
    ({"kind": "licence", "key": "K-1"}, Licence("K-1")), ({"kind": "link", "url": "https://x.example"}, Link("https://x.example")),
    ({"kind": "link", "url": "https://x.example", "expires_at": "2027-01-31T09:00:00+00:00"}, Link("https://x.example", END)),
])  # fmt: skip
def test_every_delivery_that_lasts_is_read_with_its_end(given, read, order):
    answer = {"state": "delivered", "order": "M-1", "price": {"gross": "3.53"}, "delivery": given}

    assert order(answer, 201) == Done(read, 353, "M-1")


@pytest.mark.parametrize(
    "given", [{"kind": "access", "url": "https://x.example"}, {"kind": "access", "url": "x", "until": "soon"}]
)
def test_an_access_without_an_end_is_a_doubt(given, order):
    assert isinstance(
        order({"state": "delivered", "order": "M-1", "price": {"gross": "3.53"}, "delivery": given}, 201), Unknown
    )
