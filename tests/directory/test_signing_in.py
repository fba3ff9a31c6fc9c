"""Signing in and out: one sentence for the visitor, different ones for the log, and rights that age five minutes."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from demo import people
from demo.companies import COMPANIES
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
SENTENCE = "La connexion n'a pas abouti"


def refused(visitor, login, password):
    """What the log says of a sign-in that must not succeed, and that the visitor gets the one sentence."""
    with capture_logs() as lines:
        visitor.sign_in(login, password)
    assert visitor.status == 422
    assert visitor.text.partition("<template")[0].count('role="alert"') == 1
    assert SENTENCE in visitor.text
    assert f'value="{login}"' in visitor.text
    assert password not in visitor.text
    return [(line["event"], line["reason"]) for line in lines if line["event"].startswith("sign_in")]


def test_three_ways_to_fail_are_one_sentence_and_three_lines_of_log(visitor, company):
    assert refused(visitor, "chloe.lefevre", "wrong") == [("sign_in_refused", "wrong_password")]
    assert refused(visitor, "nobody.here", "wrong") == [("sign_in_refused", "unknown_person")]
    company.directory.fault = "down"
    assert refused(visitor, "chloe.lefevre", people.PASSWORD) == [("sign_in_impossible", "unreachable")]


def test_a_form_that_is_not_filled_in_asks_nobody(visitor, company):
    with capture_logs() as lines:
        visitor.sign_in("", "")

    assert visitor.status == 422
    assert lines == []


@pytest.mark.parametrize("login", ["*", "chloe.lefevre)(uid=*", "chloe\x00lefevre", "x" * 300, "chloe.lefevre,ou=x"])
def test_a_login_made_of_ldap_signs_in_nobody(login, visitor):
    visitor.sign_in(login, people.PASSWORD)

    assert visitor.status == 422


@pytest.mark.parametrize("login", ["CHLOE.LEFEVRE", " chloe.lefevre", "Chloe.Lefevre"])
def test_a_login_is_compared_as_the_directory_does(login, visitor):
    assert "Chloé Lefèvre" in visitor.sign_in(login)


def test_passwords_and_logins_are_not_in_the_log(visitor, company):
    with capture_logs() as lines:
        visitor.sign_in("chloe.lefevre", "a-secret-word")
        visitor.sign_in("nobody.here", "a-secret-word")
        company.directory.fault = "down"
        visitor.sign_in("chloe.lefevre", "a-secret-word")

    assert lines
    assert not any(word in str(lines) for word in ("a-secret-word", "chloe", "nobody.here", people.SERVICE_PASSWORD))


def test_too_many_attempts_must_wait_below_the_directorys_own_lock_out(visitor, later):
    for _ in range(4):
        visitor.sign_in("chloe.lefevre", "wrong")

    for login in ("chloe.lefevre", "CHLOE.lefevre "):
        visitor.sign_in(login)
        assert "Attendez 15 minutes" in visitor.text
    assert "Hugo Garçon" in Visitor(visitor.client.application).sign_in("hugo.garcon")
    later(minutes=16)
    assert "Chloé Lefèvre" in visitor.sign_in("chloe.lefevre")


def test_a_right_password_forgets_the_wrong_ones(app):
    for _ in range(2):
        for password in ("wrong", "wrong", "wrong", people.PASSWORD):
            page = Visitor(app).sign_in("chloe.lefevre", password)

    assert "Chloé Lefèvre" in page


def test_a_directory_that_is_down_costs_no_attempt(visitor, company):
    company.directory.fault = "down"
    for _ in range(6):
        visitor.sign_in("chloe.lefevre")
    company.directory.fault = None

    assert "Chloé Lefèvre" in visitor.sign_in("chloe.lefevre")


@pytest.mark.parametrize("address", ["/", "/purchases", "/offers/registre-kbis", "/purchases/G-AAAAA-AAAAA/document"])
def test_every_page_asks_to_sign_in_and_leads_back(address, visitor):
    response = visitor.client.get(address)

    assert response.status_code == 302
    assert response.location.startswith("/sign-in")
    visitor.get(response.location)
    visitor.post(response.location, login="chloe.lefevre", password=people.PASSWORD)
    assert visitor.status in {200, 404}
    assert "Chloé Lefèvre" in visitor.page


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)", "/%0d%0aX: y"]
)
def test_a_sign_in_leads_to_no_other_site(target, visitor):
    visitor.get("/sign-in")
    token = visitor.page.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]

    response = visitor.client.post(
        "/sign-in", query_string={"next": target},
        data={"login": "chloe.lefevre", "password": people.PASSWORD, "csrf_token": token},
    )  # fmt: skip

    assert response.status_code == 302
    assert response.location.startswith("/")
    assert "evil" not in response.location
    assert "X" not in response.headers


def test_signing_out_ends_it_everywhere_also_for_a_copied_cookie(app, buyer):
    elsewhere = Visitor(app)
    elsewhere.sign_in("chloe.lefevre")
    cookie = buyer.client.get_cookie("guichet")
    thief = Visitor(app)
    thief.client.set_cookie("guichet", cookie.value)
    assert "Chloé Lefèvre" in thief.get("/")

    buyer.get("/")
    buyer.post("/sign-out")

    for someone in (buyer, elsewhere, thief):
        assert "Chloé Lefèvre" not in someone.get("/")


def test_a_session_lasts_a_working_day_and_no_longer(buyer, later):
    later(hours=9, minutes=55)
    assert "Chloé Lefèvre" in buyer.get("/")
    later(minutes=6)
    assert "Chloé Lefèvre" not in buyer.get("/")


def test_whoever_left_a_group_sees_it_within_five_minutes(buyer, company, later):
    company.directory.tree.remove_member("achats", "chloe.lefevre")
    later(minutes=4)
    assert 'id="buy-registre-kbis"' in buyer.get("/")

    later(minutes=1, seconds=1)

    assert 'id="buy-registre-kbis"' not in buyer.get("/")


def test_whoever_left_the_company_is_signed_out_within_five_minutes(buyer, company, later):
    company.directory.tree.remove_person("chloe.lefevre")
    later(minutes=5, seconds=1)

    buyer.get("/")

    assert 'name="password"' in buyer.page


def test_while_the_directory_is_down_one_may_browse_and_not_buy(buyer, company, later):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.directory.fault = "down"
    later(minutes=30)

    assert 'id="buy-registre-kbis"' in buyer.get("/")
    buyer.get("/offers/registre-kbis?quote=" + token)
    assert buyer.confirm(token) == ""
    assert "Vos droits n'ont pas pu être vérifiés" in buyer.text
    assert company.operator.book.charges() == []


def test_the_language_is_the_visitors_choice_and_survives_the_sign_in(visitor):
    visitor.get("/sign-in")
    assert 'lang="fr"' in visitor.page
    visitor.post("/language", language="en", next="/sign-in")
    assert 'lang="en"' in visitor.page
    assert "Sign out" in visitor.sign_in("chloe.lefevre")
    visitor.post("/language", language="xx", next="/")
    assert visitor.status == 200
    assert "Sign out" in visitor.page
