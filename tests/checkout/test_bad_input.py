"""Whatever is typed, replayed or answered: one sentence, the form keeps its content, nothing charged undelivered."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from demo import people
from demo.companies import COMPANIES
from portal.checkout.books import compare
from portal.checkout.orders import Order
from portal.checkout.quotes import QuoteRow
from portal.checkout.verification import verify
from portal.directory.answers import Group
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.rules import add_rule, all_rules, remove_rule
from portal.rights.scopes import Scope
from tests.conftest import Visitor

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))
UNLUCKY = next(siren for siren in COMPANIES if siren.endswith("7"))


@pytest.fixture(autouse=True)
def _nothing_is_charged_that_is_not_delivered(installation, company):
    """After every test, whatever it did."""
    yield
    company.operator.fault = company.directory.fault = None
    for name in installation.merchants.loaded:
        company.merchants.set_fault(name, None)
    books = compare(installation.means)
    assert {breach.subject for breach in books.differences} <= _numbers(installation, "disputed")
    assert verify(installation.database, installation.storage) == []
    captured = {line.reference for line in company.operator.book.charges() if line.state == "succeeded"}
    assert captured <= _numbers(installation, "delivered")


def _numbers(installation, state):
    with installation.database.reading() as session:
        return set(session.scalars(select(Order.number).where(Order.state == state)))


# --- What is typed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "sentence"), [
    ("", "À remplir."), ("12345678", "Un SIREN a neuf chiffres"), ("123456789", "sa clé de contrôle ne correspond pas"),
    ("7328293201", "Un SIREN a neuf chiffres"), ("732829320", "n'est pas au registre"),
    ("<script>alert(1)</script>", "Aucune entreprise trouvée"), ("nowhere at all", "Aucune entreprise trouvée sous ce nom"),
    ("9" * 600, "Un SIREN a neuf chiffres"), ("73282\x00320", "caractères"),
])  # fmt: skip
def test_a_siren_that_is_wrong_is_said_beside_what_was_typed(typed, sentence, buyer, company):
    assert buyer.ask_price("registre-kbis", siren=typed) == ""

    assert buyer.status == 200
    assert sentence in buyer.text
    assert re.search(r'name="siren"[^>]*aria-invalid="true"', buyer.page)
    assert "<script>alert" not in buyer.page
    if typed.isprintable():
        assert f'value="{typed[:500]}"' in buyer.text
    assert company.merchants.book.orders() == []


@pytest.mark.parametrize("typed", [
    f" {SIREN[:3]} {SIREN[3:6]} {SIREN[6:]} ", f"{SIREN[:3]}.{SIREN[3:6]}.{SIREN[6:]}", f"{SIREN}\u00a0",
])  # fmt: skip
def test_a_siren_may_be_written_as_people_write_it(typed, buyer):
    assert buyer.ask_price("registre-kbis", siren=typed)


def test_a_name_offers_companies_and_a_choice_brings_the_price(buyer):
    name = COMPANIES[SIREN].name
    buyer.ask_price("registre-kbis", siren=name.upper())
    assert f'value="siren={SIREN}"' in buyer.page
    assert 'name="token"' not in buyer.page

    buyer.post("/offers/registre-kbis/quote", siren=name, pick=f"siren={SIREN}")

    assert 'name="token"' in buyer.page
    assert name in buyer.text


@pytest.mark.parametrize(("typed", "good"), [
    ("01 42 68 53 00", True), ("+33 1 42 68 53 00", True), ("0142685300", True), ("01-42-68-53-00", True),
    ("01 42 68 53", False), ("+1", False), ("call me", False), ("3939", False), ("", False),
])  # fmt: skip
def test_a_telephone_number_is_checked_in_the_forms_people_use(typed, good, buyer):
    assert bool(buyer.ask_price("quidonc-inverse", phone=typed)) is good
    assert buyer.status == 200


def test_a_choice_that_was_not_proposed_is_refused(buyer):
    token = buyer.ask_price("netpme-modele", template="atomic", party="Dupont SA", city="Nîmes", format="exe")

    assert token == ""
    assert buyer.text.count("Choisissez une des valeurs proposées") == 2
    assert 'value="Dupont SA"' in buyer.text


def test_several_mistakes_are_said_at_once(buyer):
    buyer.ask_price("netpme-modele", template="nda", party="", city="N", format="pdf")

    assert buyer.page.count("notice-error") == 2


# --- What is replayed -------------------------------------------------------------------------------


def test_a_confirmation_sent_again_and_again_is_one_order(buyer, company, work):
    token = buyer.ask_price("registre-kbis", siren=SIREN)

    numbers = {buyer.confirm(token) for _ in range(3)}
    work()
    numbers.add(buyer.confirm(token))

    assert len(numbers) == 1
    assert len(company.merchants.book.orders()) == len(company.operator.book.charges()) == 1


def test_the_back_button_after_buying_leads_to_the_order(buyer):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    number = buyer.confirm(token)

    buyer.get(f"/offers/registre-kbis?quote={token}")

    assert number in buyer.page
    assert 'name="token"' not in buyer.page


def test_two_tabs_are_two_purchases_each_confirmed_once(buyer, company, work):
    first = buyer.ask_price("registre-kbis", siren=SIREN)
    second = buyer.ask_price("registre-kbis", siren=SIREN)

    assert buyer.confirm(first) != buyer.confirm(second)
    work()

    assert len(company.operator.book.charges()) == 2


def test_an_expired_confirmation_shows_the_new_price_and_buys_nothing(buyer, company, installation, later):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    later(hours=1, minutes=1)

    assert buyer.confirm(token) == ""

    assert buyer.status == 409
    assert "Ce prix n'est plus valable" in buyer.text
    fresh = re.search(r'name="token" value="([^"]+)"', buyer.page)[1]
    assert fresh != token
    assert f'value="{SIREN}"' in buyer.page
    assert company.operator.book.charges() == []
    with installation.database.transaction() as session:
        # The merchant's own clock has not moved: only ours has.
        for row in session.scalars(select(QuoteRow)):
            row.expires_at = row.created_at + timedelta(hours=3)
    assert buyer.confirm(fresh)


@pytest.mark.parametrize("token", ["", "made-up", "' OR 1=1 --", "x" * 5000])
def test_a_confirmation_nobody_gave_is_gone(token, buyer, company):
    buyer.get("/offers/registre-kbis")

    assert buyer.confirm(token) == ""
    assert buyer.status == 410
    assert "Repartez du catalogue" in buyer.text or "n'existe plus" in buyer.text
    assert company.operator.book.charges() == []


def test_somebody_elses_confirmation_order_and_document_are_not_there(buyer, app):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    other = Visitor(app)
    other.sign_in("agnes.oeuvrard")

    for address in (f"/purchases/{number}", f"/purchases/{number}/document", f"/purchases/{number}/receipt"):
        other.get(address)
        assert other.status == 404
        assert "K-bis" not in other.page
    other.get("/")
    assert other.confirm(token) == ""
    assert other.status == 410
    other.get(f"/offers/registre-kbis?quote={token}")
    assert 'name="token"' not in other.page


@pytest.mark.parametrize("address", ["/confirm", "/offers/registre-kbis/quote", "/sign-out", "/language"])
def test_a_form_without_our_token_changes_nothing(address, buyer, company):
    token = buyer.ask_price("registre-kbis", siren=SIREN)

    buyer.post(address, token=token, siren=SIREN, language="en", csrf_token="made-up")

    assert buyer.status == 400
    assert "recommencez" in buyer.text or "Rien n'a été" in buyer.text
    assert company.operator.book.charges() == []
    assert "Chloé Lefèvre" in buyer.get("/")


@pytest.mark.parametrize(("address", "status"), [
    ("/offers/nothing", 404), ("/offers/..%2f..%2fetc", 404), ("/purchases/G-00000-00000", 404), ("/nowhere", 404),
    ("/purchases/' OR 1=1", 404), ("/confirm", 405),
])  # fmt: skip
def test_an_address_that_leads_nowhere_says_so_with_a_way_back(address, status, buyer):
    buyer.get(address)

    assert buyer.status == status
    assert 'href="/"' in buyer.page


def test_a_search_for_anything_answers(buyer):
    for text in ("kbis", "K-BIS", "greffe", "éxtrait", "<b>", "' OR 1=1 --", "%", "_", "\\", "x" * 1000, "\x00", "🙂"):
        buyer.client.get("/", query_string={"q": text, "category": text})
        response = buyer.client.get("/", query_string={"q": text})
        assert response.status_code == 200
        assert b"<b>" not in response.data.replace(b"&lt;b&gt;", b"")
    assert 'id="offer-registre-kbis"' in buyer.get("/?q=EXTRAIT")
    assert "Rien ne correspond" in buyer.get("/?q=zzzz") or "zzzz" in buyer.page


# --- What merchants answer --------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["down", "garbage_quote", "wrong_sum"])
def test_a_merchant_that_cannot_quote_keeps_the_form(fault, buyer, company):
    company.merchants.set_fault("registre", fault)

    assert buyer.ask_price("registre-kbis", siren=SIREN) == ""

    assert buyer.status == 200
    assert "Registre Démo SAS" in buyer.text
    assert "Rien n'a été acheté" in buyer.text
    assert f'value="{SIREN}"' in buyer.page


@pytest.mark.parametrize(("fault", "state"), [("down", "failed"), ("cut_reply", "delivered")])
def test_a_merchant_that_fails_at_the_order_is_charged_only_if_it_delivers(fault, state, buyer, company, work, later):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.merchants.fault_once("registre", fault) if fault != "down" else company.merchants.set_fault(
        "registre", fault
    )

    buyer.confirm(token)
    company.merchants.set_fault("registre", None)
    _let_time_pass(work, later)

    assert buyer.states() == [state]


@pytest.mark.parametrize("fault", ["garbage", "error500", "bad_document"])
def test_a_merchant_that_answers_rubbish_is_asked_again_and_delivers_once(fault, buyer, company, work, later):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.merchants.set_fault("registre", fault)
    buyer.confirm(token)
    assert buyer.states() == ["fulfilling"]
    company.merchants.set_fault("registre", None)

    _let_time_pass(work, later)

    assert buyer.states() == ["delivered"]
    assert len(company.merchants.book.orders()) == 1


def test_a_merchant_that_never_delivers_becomes_a_case_for_an_administrator(buyer, company, work, later):
    company.merchants.set_fault("coface", "never")
    buyer.confirm(buyer.ask_price("coface-rapport", siren=SIREN))
    assert buyer.states() == ["preparing"]

    for _ in range(4):
        later(hours=24)
        work()
    buyer.sign_in("chloe.lefevre")

    assert buyer.states() == ["disputed"]
    assert "Un administrateur s'en occupe" in _words_of(buyer)
    assert [line.state for line in company.operator.book.charges()] == ["reserved"]


def test_a_merchant_that_finds_nothing_charges_nothing(buyer, company, work):
    buyer.confirm(buyer.ask_price("coface-avis", siren=UNLUCKY))
    work()

    assert buyer.states() == ["failed"]
    assert "Rien n'est facturé" in _words_of(buyer)
    assert [line.state for line in company.operator.book.charges()] == ["cancelled"]


def test_another_price_is_asked_again_and_never_charged_more(buyer, company, work):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.merchants.set_fault("registre", "price_change")

    buyer.confirm(token)
    fresh = re.search(r'name="token" value="([^"]+)"', buyer.page)[1]
    assert "a changé son prix" in buyer.text
    work()
    company.merchants.set_fault("registre", None)
    assert [line.state for line in company.operator.book.charges()] == ["cancelled"]
    buyer.confirm(fresh)
    work()

    assert buyer.states() == ["delivered", "failed"]
    assert [(line.state, line.amount_cents) for line in company.operator.book.charges()][1] == ("succeeded", 422)


# --- What the operator answers ----------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "sentence"), [
    ("deny", "L'opérateur a refusé"), ("amount", "L'opérateur n'accepte pas ce montant"), ("down", "est injoignable"),
])  # fmt: skip
def test_an_operator_that_refuses_or_is_down_sells_nothing(fault, sentence, buyer, company, work):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.operator.fault = fault

    buyer.confirm(token)
    work()

    assert buyer.states() == ["failed"]
    assert sentence in _words_of(buyer)
    assert company.merchants.book.orders() == []


@pytest.mark.parametrize("fault", ["cut_reply", "error500", "html", "processing", "rate_limit"])
def test_an_operator_in_doubt_is_asked_again_and_charges_once(fault, buyer, company, work, later):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.operator.fault_once(fault)

    buyer.confirm(token)
    for line in company.operator.book.charges():
        line.decided_at = line.created_at
    _let_time_pass(work, later)

    state = buyer.states()
    assert state == (["failed"] if fault == "rate_limit" else ["delivered"])
    assert len([line for line in company.operator.book.charges() if line.state == "succeeded"]) == (
        state == ["delivered"]
    )


# --- Rights and ceilings ----------------------------------------------------------------------------


def test_leaving_the_group_is_said_in_words(buyer, company):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.directory.tree.remove_member("achats", "chloe.lefevre")

    assert buyer.confirm(token) == ""
    assert "donnent pas le droit d'acheter" in buyer.text or "n'ouvrent" in buyer.text
    assert buyer.status in {404, 409}


def test_a_denied_group_is_named(buyer, installation):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    with installation.database.transaction() as session:
        add_rule(session, "test", Group(people.GROUP_ACHATS), Scope("all"), "buy", "deny")

    assert buyer.confirm(token) == ""
    assert "achats" in buyer.text


def test_a_ceiling_says_what_is_left_and_when_it_renews(app, installation, work):
    with installation.database.transaction() as session:
        add_ceiling(session, "test", Group(people.GROUP_STAGIAIRES), Terms("each", Scope("all"), "month", 500))
    intern = Visitor(app)
    intern.sign_in("amelie.noel")
    assert intern.confirm(intern.ask_price("registre-kbis", siren=SIREN))
    work()
    token = intern.ask_price("registre-kbis", siren=SIREN)
    assert "plafond" in intern.text

    assert intern.confirm(token) == ""

    assert intern.status == 409
    assert "dépasserait le plafond de 5,00\u00a0€ par mois" in intern.text
    assert "il reste 1,47\u00a0€" in intern.text
    assert intern.states() == ["delivered"]


def test_above_the_amount_the_password_is_asked_again(buyer, company, installation, app):
    settings = installation.settings
    checkout = settings.checkout.model_copy(update={"ask_password_above": "2.00"})
    object.__setattr__(settings, "checkout", checkout)
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    assert 'type="password"' in buyer.page

    for password, sentence in (("", "n'est pas le bon"), ("wrong", "n'est pas le bon")):
        buyer.post("/confirm", token=token, password=password)
        assert buyer.status == 409
        assert sentence in buyer.text
        assert f'value="{SIREN}"' in buyer.page
        assert company.operator.book.charges() == []
    company.directory.fault = "down"
    buyer.post("/confirm", token=token, password=people.PASSWORD)
    assert "Vos droits n'ont pas pu être vérifiés" in buyer.text
    company.directory.fault = None
    buyer.post("/confirm", token=token, password=people.PASSWORD)

    assert buyer.states() == ["delivered"]


# --- Afterwards -------------------------------------------------------------------------------------


def test_a_purchase_can_be_downloaded_again_and_has_a_receipt(buyer, work):
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work()

    with buyer.client.get(f"/purchases/{number}/document?download") as response:
        first = response.data
        assert "attachment" in response.headers["Content-Disposition"]
    with buyer.client.get(f"/purchases/{number}/document") as response:
        assert response.data == first
        assert "attachment" not in response.headers.get("Content-Disposition", "")
    buyer.get(f"/purchases/{number}/receipt")
    for fact in (number, "Registre Démo SAS", "732829320", "2,94", "0,59", "3,53", "20", "Chloé Lefèvre", "CC-310"):
        assert fact in buyer.text.replace("\u202f", " ").replace("\u00a0", " "), fact


def _let_time_pass(work, later):
    for minutes in (1, 2, 4, 8):
        later(minutes=minutes)
        work()


def _words_of(visitor):
    number = re.search(r"G-[0-9A-Z]{5}-[0-9A-Z]{5}", visitor.get("/purchases"))[0]
    visitor.get(f"/purchases/{number}")
    return visitor.text


def test_who_lost_the_right_is_asked_for_no_new_price_when_his_has_expired(buyer, installation, later):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    with installation.database.transaction() as session:
        for rule in all_rules(session):
            remove_rule(session, "test", rule)
    later(hours=2)
    buyer.sign_in("chloe.lefevre")

    buyer.post("/confirm", token=token)

    assert buyer.status == 409
    assert "Vos groupes ne vous donnent pas le droit" in buyer.text
    with installation.database.reading() as session:
        assert session.scalars(select(QuoteRow.token)).all() == [token]
