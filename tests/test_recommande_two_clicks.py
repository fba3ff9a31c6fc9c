"""A letter sent as registered e-mail in two clicks: its file, its stages, its proof, and never a second letter."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from demo.recommande import Recommande
from portal.checkout import upload_rounds
from portal.checkout.books import compare
from portal.checkout.verification import verify
from tests.checkout.files import CONTRACT, PDF, given

SLUG = "recommande-lre"
TYPED = {"email": "contact@dupont.example", "name": "Dupont SA", "subject": "Mise en demeure"}


@pytest.fixture
def shop() -> Iterator[Recommande]:
    made = Recommande(seconds=0)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def company(company, shop):
    """The demonstration company, which sends registered e-mail too."""
    plain = company.configuration
    company.configuration = lambda *args, **more: plain(*args, **more) + shop.configuration()
    return company


def ask(buyer, **changed) -> str:
    return buyer.ask_price(SLUG, **{**TYPED, "letter": given(PDF, "lettre.pdf"), **changed})


def books_agree(installation, company, shop) -> None:
    assert compare(installation.means).differences == []
    charged = {
        each.reference: each.amount_cents for each in company.operator.book.charges() if each.state == "succeeded"
    }
    assert charged == {sold["po_number"]: sold["gross_cents"] for sold in shop.sold() if sold["state"] == "delivered"}
    assert verify(installation.database, installation.storage) == []


def test_a_letter_is_sent_once_and_its_proof_delivered(buyer, company, installation, shop, settle, later):
    number = buyer.confirm(ask(buyer))
    settle()

    assert buyer.states() == ["delivered"]
    [letter] = shop.letters.values()
    assert (letter.reference, letter.email, letter.subject) == (number, "contact@dupont.example", "Mise en demeure")
    assert letter.sha256 == hashlib.sha256(PDF).hexdigest()
    with buyer.client.get(f"/purchases/{number}/document") as response:
        assert response.data.startswith(b"%PDF-")
    assert hashlib.sha256(PDF).hexdigest() in buyer.get(f"/purchases/{number}/receipt")
    books_agree(installation, company, shop)
    later(minutes=15)
    upload_rounds.sweep(installation.database, installation.uploads)
    assert list(installation.uploads.folder.iterdir()) == []


def test_its_stages_are_shown_and_may_take_days(buyer, company, installation, shop, settle, later):
    shop.seconds = 3600
    number = buyer.confirm(ask(buyer))
    assert "Déposée ; le destinataire va être prévenu" in buyer.get(f"/purchases/{number}")
    later(days=10)
    settle()
    buyer.sign_in("chloe.lefevre")
    assert buyer.states() == ["preparing"]
    upload_rounds.sweep(installation.database, installation.uploads)
    assert len(list(installation.uploads.folder.iterdir())) == 1
    shop.seconds = 0
    later(days=1)
    settle()
    buyer.sign_in("chloe.lefevre")
    assert buyer.states() == ["delivered"]
    books_agree(installation, company, shop)


def test_one_that_never_ends_is_an_admins_after_its_days(buyer, shop, settle, later):
    shop.seconds = 3600
    buyer.confirm(ask(buyer))
    later(days=21)
    settle()
    buyer.sign_in("chloe.lefevre")
    assert buyer.states() == ["disputed"]


@pytest.mark.parametrize(("who", "state"), [("refus", "delivered"), ("absent", "delivered"), ("inconnu", "failed")])
def test_every_end_of_a_letter(who, state, buyer, company, installation, shop, settle):
    buyer.confirm(ask(buyer, email=f"{who}@dupont.example"))
    settle()
    assert buyer.states() == [state]
    books_agree(installation, company, shop)


@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "error500", "garbage"])
def test_a_lost_answer_sends_one_letter(fault, buyer, company, installation, shop, settle):
    token = ask(buyer)
    shop.break_(fault)
    buyer.confirm(token)
    shop.break_("")
    settle()
    assert buyer.states() == ["delivered"]
    assert len(shop.letters) == 1
    books_agree(installation, company, shop)


def test_a_price_that_changed_is_confirmed_with_the_same_file(buyer, company, installation, shop, settle):
    token = ask(buyer)
    shop.break_("price_up")
    number = buyer.confirm(token)
    shop.break_("")
    settle()
    assert buyer.states() == ["failed"]
    page = buyer.get(f"/purchases/{number}")
    buyer.confirm(re.search(r'name="token" value="([^"]+)"', page)[1])
    settle()
    assert buyer.states() == ["delivered", "failed"]
    assert [letter.total for letter in shop.letters.values()] == [492]
    books_agree(installation, company, shop)


def test_another_kind_of_file_and_an_address_that_is_none_are_refused_and_nothing_typed_is_lost(buyer, shop):
    assert ask(buyer, letter=given(CONTRACT, "lettre.docx")) == ""
    assert "Ce genre de fichier n’est pas accepté ici. Donnez : PDF." in buyer.text
    assert 'value="Mise en demeure"' in buyer.page
    assert ask(buyer, email="personne@nulle-part.invalid") == ""
    assert "Cette adresse n’existe pas" in buyer.text
    assert "lettre.pdf" in buyer.text
    assert shop.letters == {}
