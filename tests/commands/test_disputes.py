"""Disputes listed, looked into and decided at a terminal."""

from __future__ import annotations

import json

import pytest

from demo.companies import COMPANIES
from portal.checkout.verification import verify

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def number(buyer, company, work):
    """A K-bis that was delivered, and whose reservation somebody cancelled at the operator."""
    bought = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    company.operator.book.charges()[0].state = "cancelled"
    work()
    return bought


def test_a_dispute_is_listed_shown_and_decided(furnished, number, installation):
    (listed,) = furnished.json("disputes", "list")
    assert (listed["order"], listed["charge"]["state"]) == (number, "disputed")
    assert number in furnished.run("disputes", "list").stdout
    (shown,) = json.loads(furnished.run("disputes", "show", number).stdout)
    assert {"merchant", "operator"} == {each["side"] for each in shown["evidence"]}
    assert furnished.run("disputes", "decide", number, "look").exit_code == 0

    result = furnished.run("disputes", "decide", number, "write_off", "--reason", "the operator will not")

    assert result.exit_code == 0
    assert furnished.json("disputes", "list") == []
    assert "Nothing waits" in furnished.run("disputes", "list").stdout
    assert verify(installation.database, installation.storage) == []


def test_a_charge_that_stands_is_refunded_by_the_same_command(furnished, buyer, company, work):
    bought = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work()
    assert furnished.run("disputes", "decide", bought, "refund").exit_code == 1
    assert furnished.run("disputes", "decide", bought, "refund", "--reason", "wrong file").exit_code == 0
    work()

    assert [line.refunded_cents for line in company.operator.book.charges()] == [353]


@pytest.mark.parametrize(("words", "code"), [
    (("decide", "{number}", "write_off"), 1), (("decide", "{number}", "give_up", "--reason", "no"), 1),
    (("decide", "{number}", "other", "--reason", "no"), 2), (("decide", "G-0", "look"), 2), (("show", "G-0"), 2),
])  # fmt: skip
def test_what_cannot_be_done_is_said_and_changes_nothing(furnished, number, words, code):
    result = furnished.run("disputes", *(word.format(number=number) for word in words))

    assert result.exit_code == code
    assert result.stderr
    assert furnished.json("disputes", "list")[0]["charge"]["state"] == "disputed"
