"""Everybody's purchases and their money, for administrators and finance: evidence, decisions, refunds."""

from __future__ import annotations

import re

import pytest

from demo.companies import COMPANIES
from portal.checkout.verification import verify
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def finance(app):
    """Françoise, of finance."""
    someone = Visitor(app)
    someone.sign_in("francoise.dupre")
    return someone


@pytest.fixture
def bought(buyer, work):
    """The number of a K-bis delivered and charged."""
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work()
    return number


def decide(visitor, number, choice, **fields):
    visitor.get(f"/admin/purchases/{number}")
    visitor.post(f"/admin/purchases/{number}", choice=choice, **({"reason": "Mauvais dossier"} | fields))


def test_finance_finds_her_screen_and_no_other(finance, bought):
    assert 'href="/admin/"' in finance.get("/")
    finance.get("/admin/")
    assert "Rien n'attend de décision" in finance.text
    assert bought in finance.page
    for name in ("rights", "people", "journal", "delegations", "rule-file", "directory"):
        finance.get(f"/admin/{name}")
        assert finance.status == 404, name


def test_others_find_nothing(buyer, bought):
    for address in ("/admin/purchases", f"/admin/purchases/{bought}"):
        buyer.get(address)
        assert buyer.status == 404
    buyer.get("/purchases")
    buyer.post(f"/admin/purchases/{bought}", choice="refund", reason="mine")
    assert buyer.status == 404


@pytest.mark.parametrize(("text", "is_there"), [
    ("LEFÈVRE", True), ("chloe", True), ("garage", True), ("benoit", False), ("lefevre", True), ("%", False), ("_____________", False),
])  # fmt: skip
def test_a_purchase_is_found_by_number_person_and_what_for(admin, bought, text, is_there):
    assert (bought in admin.get(f"/admin/purchases?q={text}").split('id="purchases"')[1]) == is_there
    assert bought in admin.get(f"/admin/purchases?q={bought}")


def test_a_case_shows_both_sides_with_keys_and_times(admin, bought, installation, company):
    admin.get(f"/admin/purchases/{bought}")

    (line,) = company.operator.book.charges()
    for said in ("confirmé par le salarié", "livré", "débité", "réservé", line.correlator):
        assert said in admin.text, said
    assert "client_secret" not in admin.page


def test_a_refund_in_part_counts_once_the_operator_says_yes(finance, bought, buyer, work, company):
    decide(finance, bought, "refund", amount="1,00")
    assert "attend l'opérateur" in finance.text or "en attente de l'opérateur" in finance.text
    assert "remboursé" not in re.sub("en cours de remboursement", "", buyer.get("/purchases"))
    work()

    assert "1,00\xa0€ remboursé" in (buyer.get("/purchases"), buyer.text)[1].replace("\u202f", " ")
    assert [line.refunded_cents for line in company.operator.book.charges()] == [100]


@pytest.mark.parametrize(("fields", "sentence"), [
    ({"reason": " "}, "pourquoi"), ({"amount": "99,00"}, "3,53"), ({"amount": "much"}, "n'est pas un montant"),
    ({"choice": "write_off"}, ""), ({"choice": "void"}, ""), ({"choice": "give_up"}, ""), ({"choice": "nothing"}, ""),
])  # fmt: skip
def test_what_is_not_safe_is_refused_in_words_and_changes_nothing(
    admin, bought, installation, company, work, fields, sentence
):
    admin.get(f"/admin/purchases/{bought}")
    admin.post(f"/admin/purchases/{bought}", **({"choice": "refund", "reason": "Erreur"} | fields))
    work()

    assert admin.status == 409
    assert 'role="alert"' in admin.page
    assert sentence.lower() in admin.text.lower()
    assert [line.refunded_cents for line in company.operator.book.charges()] == [0]


def test_a_reservation_cancelled_over_there_is_a_dispute_decided_on_its_screen(
    admin, buyer, company, installation, work
):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    company.operator.book.charges()[0].state = "cancelled"
    work()
    assert "Un achat attend une décision" in (admin.get("/admin/purchases"), admin.text)[1]
    decide(admin, number, "look")
    assert "vérifié" in admin.text

    decide(admin, number, "write_off")

    assert "passé en perte" in admin.text
    assert "Rien n'attend de décision" in (admin.get("/admin/purchases"), admin.text)[1]
    assert verify(installation.database, installation.storage) == []


def test_the_password_is_asked_again_when_it_is_long_ago(finance, bought, later, company, work):
    later(minutes=11)
    decide(finance, bought, "refund")
    assert finance.status == 409
    assert 'name="password"' in finance.page
    assert 'value="Mauvais dossier"' in finance.page
    finance.post(f"/admin/purchases/{bought}", choice="refund", reason="Erreur", password="deux-clics")
    work()

    assert [line.refunded_cents for line in company.operator.book.charges()] == [353]


def test_an_order_nobody_made_is_not_found(admin):
    admin.get("/admin/purchases/G-00000-00000")
    assert admin.status == 404


def test_a_form_sent_again_for_want_of_an_answer_asks_once(finance, bought, work, company):
    page = finance.get(f"/admin/purchases/{bought}")
    fields = {"choice": "refund", "amount": "1,00", "reason": "Erreur", "password": "deux-clics"}
    key = re.search(r'name="key" value="([^"]+)"', page)[1]
    for _time in range(2):
        finance.post(f"/admin/purchases/{bought}", key=key, **fields)
        work()
    assert [line.refunded_cents for line in company.operator.book.charges()] == [100]

    finance.post(f"/admin/purchases/{bought}", key=re.search(r'name="key" value="([^"]+)"', finance.page)[1], **fields)
    work()
    assert [line.refunded_cents for line in company.operator.book.charges()] == [200]


def test_what_a_pack_has_paid_is_no_gift(finance, buyer, work):
    pack = buyer.confirm(buyer.ask_price("quidonc-pack10"))
    work()
    number = buyer.confirm(buyer.ask_price("quidonc-inverse", phone="01 42 68 53 00"))
    finance.get("/admin/purchases")
    row = re.search(rf"/admin/purchases/{number}.*?</tr>", finance.text, re.DOTALL)[0]

    assert "par un pack" in row
    assert "1 crédit" in row
    assert "gratuit" not in row
    finance.get(f"/admin/purchases/{number}")
    assert "Personne : payé avec 1 crédit du pack" in finance.text
    assert f'href="/admin/purchases/{pack}"' in finance.page
    assert "dont 0,00" not in finance.text
