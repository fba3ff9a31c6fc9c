"""`portal charges recover`, for people and for machines: what was found, what was resolved, what is left and why."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import delete

from demo.companies import COMPANIES
from portal.audit import AuditEntry
from portal.billing import turns
from portal.billing.recovery import NAME
from portal.outbox import Task

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def number(furnished, buyer) -> str:
    """One K-bis, delivered and not charged yet; its order."""
    return buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))


def test_what_was_forgotten_is_resolved_and_said(number, furnished, installation, company):
    with installation.database.transaction() as session:
        session.execute(delete(Task))

    result = furnished.run("charges", "recover")

    assert result.exit_code == 0
    assert result.stdout == (
        "Forgotten and taken up again: 1 × capture\n"
        "1 payments read in the operator's list; 1 charges open, of which 0 in doubt; 0 more are being worked on.\n"
        "Resolved, and now captured: 1\n"
        "Nothing is left open.\n"
    )
    assert furnished.json("charges", "recover")["cases"] == 0
    assert [line.state for line in company.operator.book.charges()] == ["succeeded"]


def test_what_is_left_is_said_with_its_reason_and_ends_with_1(furnished, buyer, company):
    token = buyer.ask_price("registre-kbis", siren=SIREN)
    company.operator.fault_once("error500")
    number = buyer.confirm(token)
    content = {"phoneNumber": "+33123456789", "clientCorrelator": "k", "referenceCode": "G-OTHER",
               "paymentAmount": {"chargingInformation": {"amount": 5, "currency": "EUR", "description": "?"}}}  # fmt: skip
    ref = company.operator.book.open(content, (500, 0), "reserved").payment_id

    result = furnished.run("charges", "recover")

    assert result.exit_code == 1
    assert f"Still open: {number} (purchase): its reply was lost" in result.output
    assert (
        f"Nobody here knows the operator's payment {ref} for order G-OTHER: €5.00, reserved. It was not"
        in result.output
    )
    said = furnished.json("charges", "recover", code=1)
    assert [(item["order"], item["why"]) for item in said["waiting"]] == [(number, "not_shown_yet")]
    assert [item["key"] for item in said["orphans"]] == ["k"]


def test_an_operator_that_is_down_is_said(number, furnished, company):
    company.operator.fault = "down"

    result = furnished.run("charges", "recover")

    assert result.exit_code == 1
    assert f"Still open: {number} (capture): the operator's list cannot be read" in result.output
    assert "The operator's list cannot be read: Unavailable: " in result.output


def test_while_a_worker_is_at_it_nothing_is_done(number, furnished, installation, company):
    turns.take(installation.database, NAME, "another machine")

    result = furnished.run("charges", "recover")

    assert (result.exit_code, "A worker is doing this" in result.stderr) == (1, True)
    assert [line.state for line in company.operator.book.charges()] == ["reserved"]


def test_push_for_machines(number, furnished):
    assert furnished.json("charges", "push") == {"done": 1, "waiting": 0}


def test_the_chain_of_the_journal_for_machines(number, furnished, installation):
    said = furnished.json("audit", "verify")
    assert (said["broken"], said["hash_known"]) == (None, True)
    assert furnished.json("audit", "verify", "--hash", said["newest"]["hash"])["hash_known"]
    assert not furnished.json("audit", "verify", "--hash", "0" * 63 + "1", code=1)["hash_known"]

    with installation.database.transaction() as session:
        session.get_one(AuditEntry, 2).actor = "nobody"
    assert json.loads(furnished.run("audit", "verify", "--json").stdout)["broken"]["id"] == 2
