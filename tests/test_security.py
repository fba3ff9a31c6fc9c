"""What every answer carries, what no answer and no log carries, and what a stranger may ask."""

from __future__ import annotations

import re

import pytest
from structlog.testing import capture_logs

from demo import people
from demo.companies import COMPANIES
from portal import create_app
from portal.installation import Installation

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
ADDRESSES = ("/", "/sign-in", "/purchases", "/offers/registre-kbis", "/nowhere", "/healthz", "/static/css/portal.css")


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_carries_its_policy(address, buyer):
    with buyer.client.get(address) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in response.headers


def test_a_delivered_document_can_be_framed_by_us_only(buyer):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))

    with buyer.client.get(f"/purchases/{number}/document") as response:
        assert response.headers["Content-Security-Policy"] == "frame-ancestors 'self'"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "private, no-store"


def test_pages_are_kept_by_nobody_and_assets_for_ever(buyer):
    page = buyer.get("/")
    assert buyer.client.get("/").headers["Cache-Control"] == "no-store"
    for asset in re.findall(r'(?:src|href)="(/static/[^"#]+)', page):
        with buyer.client.get(asset) as response:
            assert response.status_code == 200
            assert "?v=" in asset
            assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize("address", ["/", "/offers/registre-kbis", "/purchases", "/sign-in"])
def test_a_page_loads_nothing_from_elsewhere_and_holds_no_script(address, buyer):
    page = buyer.get(address)

    assert re.findall(r'(?:src|href|action|hx-\w+)="(?:https?:)?//', page) == []
    assert re.findall(r"<script(?![^>]*src=)", page) == []
    assert re.findall(r'\son\w+="|\sstyle="|javascript:', page) == []


def test_the_cookie_is_for_our_pages_only(app, visitor, installation: Installation):
    visitor.sign_in("chloe.lefevre")
    cookie = visitor.client.get_cookie("guichet")
    assert (cookie.http_only, cookie.same_site, cookie.secure) == (True, "Lax", False)

    portal = type(installation.settings.portal)(public_url="https://guichet.acme.example")
    object.__setattr__(installation.settings, "portal", portal)
    secure = create_app(installation=installation)

    assert secure.config["SESSION_COOKIE_SECURE"] is True
    response = secure.test_client().get("/sign-in", base_url="https://guichet.acme.example")
    assert response.headers["Strict-Transport-Security"]
    assert "Secure" in response.headers["Set-Cookie"]


def test_the_key_that_signs_cookies_is_ours_alone(app, installation):
    path = installation.settings.path("secret_key")

    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text()) == 64
    assert create_app(installation=installation).config["SECRET_KEY"] == app.config["SECRET_KEY"]


@pytest.mark.parametrize("cookie", ["", "made-up", "eyJhIjoxfQ.aaaa.bbbb", "x" * 4000])
def test_a_cookie_nobody_signed_is_nobody(cookie, visitor):
    visitor.client.set_cookie("guichet", cookie)

    assert visitor.client.get("/").status_code == 302


def test_no_secret_and_nothing_about_a_person_is_logged(app, company, installation, work, later):
    from tests.conftest import Visitor

    with capture_logs() as lines:
        buyer = Visitor(app)
        buyer.sign_in("chloe.lefevre")
        buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))
        company.merchants.set_fault("quidonc", "garbage")
        buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))
        company.operator.fault = "html"
        buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))
        later(minutes=2)
        work()

    logged = str(lines)
    assert "order_accepted" in logged
    forbidden = [
        people.PASSWORD, people.SERVICE_PASSWORD, "secret-demo", "cle-registre", "chloe", "Lefèvre", "42685300", "142685300",
        app.config["SECRET_KEY"], "Bearer",
    ]  # fmt: skip
    assert [word for word in forbidden if word in logged] == []


def test_machines_may_ask_whether_we_are_well_and_learn_nothing_else(visitor, installation):
    assert visitor.client.get("/healthz").json == {"status": "ok"}
    assert visitor.client.get("/readyz").json == {"status": "ok", "outbox_age_s": 0}
    with installation.database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE tasks RENAME TO gone")

    response = visitor.client.get("/readyz")

    assert response.status_code == 503
    assert b"tasks" not in response.data


def test_a_crash_is_a_sentence_with_a_number_and_no_trace(buyer, monkeypatch):
    monkeypatch.setattr("portal.catalog.views.shelf", lambda *_args: 1 / 0)
    with capture_logs() as lines:
        buyer.get("/")

    [crash] = [line for line in lines if line["event"] == "request_failed"]
    assert buyer.status == 500
    assert crash["incident"] in buyer.page
    assert "ZeroDivision" not in buyer.page
    assert 'href="/"' in buyer.page


def test_a_form_too_large_is_refused(buyer):
    buyer.get("/offers/registre-kbis")
    buyer.post("/offers/registre-kbis/quote", siren="1" * 2_000_000)

    assert buyer.status == 413
    assert 'href="/"' in buyer.page
