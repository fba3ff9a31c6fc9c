"""Over the ceiling one asks; somebody entitled allows that one purchase or declines it, and nobody his own."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from demo import people
from portal.audit import AuditEntry
from portal.checkout.requests import PurchaseRequest
from portal.checkout.verification import verify
from portal.directory.answers import Group
from portal.mail.messages import Mail
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.holds import CeilingUse
from portal.rights.scopes import Scope
from tests.conftest import Visitor

PHONE = {"phone": "01 42 68 53 00"}


@pytest.fixture(autouse=True)
def ceiling(installation):
    with installation.database.transaction() as session:
        return add_ceiling(session, "t", Group(people.GROUP_ACHATS), Terms("each", Scope("all"), "month", 100)).id


@pytest.fixture
def manager(app):
    """Marie-Hélène, whom the directory names as everybody's manager."""
    someone = Visitor(app)
    someone.sign_in("marie-helene.dacosta")
    return someone


def ask(visitor, words="Pour le dossier Martin", **inputs):
    """Fill the ceiling, then ask for one purchase more; returns the page's token."""
    token = visitor.ask_price("quidonc-inverse", **(inputs or PHONE))
    visitor.post("/requests", token=token, words=words)
    return token


def requests(installation):
    with installation.database.reading() as session:
        return list(session.scalars(select(PurchaseRequest).order_by(PurchaseRequest.id)))


def decide(visitor, installation, answer="", **button):
    number = requests(installation)[-1].number
    visitor.get("/requests")
    visitor.post(f"/requests/{number}", answer=answer, **(button or {"allow": "1"}))


@pytest.fixture
def full(buyer):
    """Chloé has spent 0,90 € of her euro."""
    assert buyer.confirm(buyer.ask_price("quidonc-inverse", **PHONE))
    return buyer


def test_over_the_ceiling_one_sees_which_when_it_renews_and_can_ask(full):
    full.ask_price("quidonc-inverse", **PHONE)
    assert "dépasserait le plafond" in full.text
    assert "recommence le" in full.text or "à nouveau" in full.text
    assert "Confirmer" not in full.text
    assert "Demander" in full.text

    ask(full)

    assert "Pour le dossier Martin" in full.text
    assert "Marie-Hélène Da Costa décide" in full.text


def test_the_manager_allows_and_that_purchase_passes_once(full, manager, installation, work):
    ask(full)
    assert "Demandes" in manager.get("/")
    decide(manager, installation)

    token = full.ask_price("quidonc-inverse", **PHONE)
    assert "Permis par" in full.text
    number = full.confirm(token)
    work()

    assert number
    assert requests(installation)[0].order_number == number
    assert full.states() == ["delivered", "delivered"]
    full.ask_price("quidonc-inverse", **PHONE)
    assert "Demander" in full.text
    assert verify(installation.database, installation.storage) == []


def test_an_allowance_is_for_those_inputs_and_not_others(full, manager, installation):
    ask(full)
    decide(manager, installation)

    full.ask_price("quidonc-inverse", phone="01 53 89 12 34")

    assert "Confirmer" not in full.text


def test_a_declined_one_says_why_and_who(full, manager, installation):
    ask(full)
    decide(manager, installation, decline="1")
    assert requests(installation)[0].state == "waiting"
    assert "Dites pourquoi" in manager.text
    decide(manager, installation, answer="Le mois prochain", decline="1")

    full.get("/requests")

    assert "Refusé" in full.text
    assert "Marie-Hélène Da Costa — Le mois prochain" in full.text
    assert not full.confirm(full.ask_price("quidonc-inverse", **PHONE))


def test_nobody_decides_his_own_not_even_an_administrator(app, installation):
    with installation.database.transaction() as session:
        from portal.rights.rules import add_rule

        add_rule(session, "t", Group(people.GROUP_INFORMATIQUE), Scope("all"), "buy", "allow")
        add_ceiling(session, "t", Group(people.GROUP_INFORMATIQUE), Terms("each", Scope("all"), "month", 1))
    boss = Visitor(app)
    boss.sign_in("benoit.besson")
    ask(boss)
    assert "En attente de votre décision" not in boss.get("/requests")

    decide(boss, installation)

    assert boss.status == 409
    assert "sa propre demande" in boss.text
    assert requests(installation)[0].state == "waiting"


def test_who_is_neither_manager_nor_admin_finds_nothing_to_decide(full, app, installation):
    ask(full)
    stranger = Visitor(app)
    stranger.sign_in("hugo.garcon")

    decide(stranger, installation)

    assert stranger.status == 409
    assert requests(installation)[0].state == "waiting"


def test_an_administrator_decides_when_there_is_no_manager(full, app, installation):
    ask(full)
    admin = Visitor(app)
    admin.sign_in("benoit.besson")
    decide(admin, installation)

    assert requests(installation)[0].state == "allowed"


def test_a_reason_is_needed_to_ask(full, installation):
    token = full.ask_price("quidonc-inverse", **PHONE)
    full.post("/requests", token=token, words="   ")

    assert "Dites pourquoi" in full.text
    assert requests(installation) == []


def test_asking_twice_is_one_request(full, installation):
    ask(full)
    ask(full)

    assert len(requests(installation)) == 1


def test_nothing_is_asked_where_there_is_room(buyer, installation):
    token = buyer.ask_price("quidonc-inverse", **PHONE)
    buyer.post("/requests", token=token, words="Pour voir")

    assert requests(installation) == []
    assert buyer.confirm(token)


@pytest.mark.parametrize("when", ["before it is decided", "after"])
def test_it_expires(when, full, manager, installation, later):
    ask(full)
    if when == "after":
        decide(manager, installation)
    later(days=8)
    for someone, login in ((full, "chloe.lefevre"), (manager, "marie-helene.dacosta")):
        someone.sign_in(login)

    if when == "after":
        full.ask_price("coface-rapport", siren="806569182")
    else:
        decide(manager, installation)
        assert manager.status == 409
    full.get("/requests")
    assert "Éteinte" in full.text


def test_a_failed_purchase_gives_the_allowance_back(full, manager, company, installation, work):
    ask(full)
    decide(manager, installation)
    company.operator.fault = "deny"
    full.confirm(full.ask_price("quidonc-inverse", **PHONE))
    work()
    assert requests(installation)[0].state == "allowed"
    company.operator.fault = None

    assert full.confirm(full.ask_price("quidonc-inverse", **PHONE))

    assert requests(installation)[0].state == "used"
    with installation.database.reading() as session:
        [use] = session.scalars(select(CeilingUse))
        assert (use.held_cents + use.captured_cents, use.extra_cents) == (180, 80)


def test_two_clicks_at_one_moment_use_an_allowance_once(full, manager, app, installation):
    ask(full)
    decide(manager, installation)
    tokens = [full.ask_price("quidonc-inverse", **PHONE) for _ in range(4)]

    def click(token):
        other = Visitor(app)
        other.sign_in("chloe.lefevre")
        return other.confirm(token)

    with ThreadPoolExecutor(4) as pool:
        numbers = [number for number in pool.map(click, tokens) if number]

    assert len(numbers) == 1
    assert verify(installation.database, installation.storage) == []


def test_every_step_is_in_the_journal(full, manager, installation):
    ask(full)
    decide(manager, installation)

    with installation.database.reading() as session:
        told = session.scalars(select(AuditEntry.action).where(AuditEntry.action.like("request%"))).all()
    assert told == ["request_made", "request_allowed"]


def test_what_is_typed_is_shown_as_text(full, manager):
    ask(full, words="<script>alert(1)</script> & \u202e")

    assert "<script>alert" not in manager.get("/requests")
    assert re.search(r"&lt;script&gt;", manager.page)


def mails(installation):
    with installation.database.reading() as session:
        return [(mail.to_address, mail.subject, mail.text) for mail in session.scalars(select(Mail).order_by(Mail.id))]


def test_the_manager_is_told_and_so_is_who_asked(full, manager, installation):
    ask(full)
    [(address, subject, text)] = mails(installation)
    assert address == "marie-helene.dacosta@acme.example"
    assert subject.replace("\xa0", " ") == "Chloé Lefèvre demande « Annuaire inversé » (0,90 €)"
    assert "Pour le dossier Martin" in text
    assert "http://127.0.0.1:8000/requests" in text

    decide(manager, installation, answer="Volontiers", allow="1")

    assert [mail[0] for mail in mails(installation)][1:] == ["chloe.lefevre@acme.example"]
    assert "Volontiers" in mails(installation)[1][2]
    assert "/offers/quidonc-inverse" in mails(installation)[1][2]


def test_without_a_manager_the_administrators_are_told(full, company, installation):
    company.directory.tree.remove_person("marie-helene.dacosta")

    ask(full)

    assert {mail[0] for mail in mails(installation)} == {"benoit.besson@acme.example", "kevin.n-guyen@acme.example"}


def test_asking_twice_tells_once(full, installation):
    ask(full)
    ask(full)

    assert len(mails(installation)) == 1
