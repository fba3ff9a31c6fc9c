"""Requests to pass a ceiling, answered at a terminal."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from demo import people
from portal.audit import AuditEntry
from portal.checkout.requests import PurchaseRequest
from portal.directory.answers import Group
from portal.mail.messages import Mail
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.scopes import Scope

PHONE = {"phone": "01 42 68 53 00"}


@pytest.fixture
def number(buyer, installation):
    """What Chloé asks for."""
    with installation.database.transaction() as session:
        add_ceiling(session, "t", Group(people.GROUP_ACHATS), Terms("each", Scope("all"), "month", 50))
    buyer.post("/requests", token=buyer.ask_price("quidonc-inverse", **PHONE), words="Dossier Martin")
    with installation.database.reading() as session:
        return session.scalars(select(PurchaseRequest)).one().number


def test_a_request_is_listed_allowed_and_passes_once(furnished, number, buyer, installation, work):
    (listed,) = furnished.json("requests", "list", "--waiting")
    assert (listed["number"], listed["login"], listed["state"]) == (number, "chloe.lefevre", "waiting")
    assert "Dossier Martin" in furnished.run("requests", "list").stdout

    assert furnished.run("requests", "allow", number, "--words", "Pour cette fois").exit_code == 0

    with installation.database.reading() as session:
        told = session.scalars(select(Mail).order_by(Mail.id.desc())).first()
    assert "Pour cette fois" in told.text
    assert furnished.json("requests", "list", "--waiting") == []
    assert furnished.json("requests", "list")[0]["answer"] == "Pour cette fois"
    token = buyer.ask_price("quidonc-inverse", **PHONE)
    assert "l'administrateur" in buyer.text
    assert buyer.confirm(token)
    work()
    assert furnished.json("requests", "list")[0]["state"] == "used"
    assert "l'administrateur" in buyer.get("/requests").replace("&#39;", "'")
    with installation.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "request_allowed")).one()
    assert entry.actor == "command line"
    assert "@" in entry.address


def test_a_request_is_declined_with_its_reason(furnished, number, buyer):
    assert furnished.run("requests", "decline", number).exit_code == 2
    assert furnished.run("requests", "decline", number, "--words", "Trop cher").exit_code == 0

    assert furnished.json("requests", "list")[0]["state"] == "declined"
    assert "Trop cher" in buyer.get("/requests")


@pytest.mark.parametrize("words", [("allow", "R-00000-00000"), ("decline", "R-00000-00000", "--words", "no")])
def test_what_does_not_wait_is_said(furnished, words):
    result = furnished.run("requests", *words)

    assert result.exit_code == 2
    assert "requests list --waiting" in result.stderr


def test_nobody_answers_twice(furnished, number):
    furnished.run("requests", "allow", number)

    assert furnished.run("requests", "decline", number, "--words", "no").exit_code == 2
    assert furnished.json("requests", "list")[0]["state"] == "allowed"
