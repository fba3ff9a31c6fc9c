"""`portal charges`: refunds and write-offs from a terminal, for people and for machines, in both languages."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from demo.companies import COMPANIES
from portal.audit import AuditEntry

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def number(furnished, buyer, work) -> str:
    """One K-bis, charged; its order."""
    made = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work()
    return made


@pytest.fixture
def disputed(furnished, buyer, company, work) -> str:
    """One K-bis, delivered, whose reservation the operator has cancelled; its order."""
    made = buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    company.operator.book.charges()[0].state = "cancelled"
    work()
    return made


def test_a_refund_is_asked_put_to_the_operator_and_listed(number, furnished, company):
    asked = furnished.json("charges", "refund", number, "--amount", "1,50", "--reason", "two pages are missing")
    assert (asked["amount_cents"], asked["state"], asked["asked_by"]) == (150, "asked", "command line")
    assert "0 wait" in furnished.run("charges", "push").output

    [row] = furnished.json("charges", "list")
    assert (row["state"], row["refunded_cents"]) == ("captured", 150)
    assert [(made["state"], made["reason"]) for made in row["refunds"]] == [("done", "two pages are missing")]
    assert "refund of €1.50 confirmed: two pages are missing" in furnished.run("charges", "list").output.replace(
        "\n", ""
    )
    assert [line.refunded_cents for line in company.operator.book.charges()] == [150]
    assert "Everything agrees." in furnished.run("verify", "--books").output


def test_all_that_is_left_without_an_amount(number, furnished, installation):
    output = furnished.run("charges", "refund", number, "--reason", "broken").output
    assert "is asked to give back €3.53" in output
    furnished.run("charges", "push")

    assert furnished.json("charges", "list", "--state", "refunded")
    with installation.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "refund_asked")).one()
    assert entry.actor == "command line"
    assert "@" in entry.address


@pytest.mark.parametrize(("words", "sentence"), [
    (("--amount", "4000", "--reason", "x"), "This is more than is left to refund: "),
    (("--amount", "four", "--reason", "x"), "This is not an amount of money"),
    (("--amount", "0", "--reason", "x"), "This is not an amount of money"),
    (("--reason", "  "), "Say why, in a few words"),
])  # fmt: skip
def test_what_cannot_be_refunded_is_said_and_ends_with_1(words, sentence, number, furnished):
    result = furnished.run("charges", "refund", number, *words)

    assert (result.exit_code, sentence in result.stderr) == (1, True), result.output
    assert furnished.json("charges", "list")[0]["refunds"] == []


@pytest.mark.parametrize("command", ["refund", "write-off"])
def test_an_order_nobody_knows_and_a_missing_reason_are_bad_usage(command, furnished):
    assert furnished.run("charges", command, "G-NONE", "--reason", "x").exit_code == 2
    assert furnished.run("charges", command, "G-NONE").exit_code == 2


def test_a_write_off_is_listed_with_its_reason_and_explained_by_the_books(disputed, furnished):
    output = furnished.run("charges", "write-off", disputed, "--reason", "cancelled over there").output
    assert output == f"€3.53 of order {disputed} is written off.\n"

    [row] = furnished.json("charges", "list", "--state", "written_off")
    assert row["written_off"]["reason"] == "cancelled over there"
    assert "written off: cancelled over there" in furnished.run("charges", "list").output.replace("\n", "")
    verified = furnished.run("verify", "--books")
    assert verified.exit_code == 0
    assert f"{disputed}: delivered by Registre" in verified.output
    assert "written off by command line: cancelled over there" in verified.output


def test_a_write_off_looks_first_at_what_the_operator_says_now(disputed, furnished, company):
    company.operator.book.charges()[0].state = "succeeded"

    result = furnished.run("charges", "write-off", disputed, "--reason", "cancelled over there")

    assert (result.exit_code, "cannot be written off" in result.stderr) == (1, True)
    assert furnished.json("charges", "list")[0]["state"] == "disputed"


def test_what_is_charged_cannot_be_written_off(number, furnished):
    result = furnished.run("charges", "write-off", number, "--reason", "x")

    assert (result.exit_code, "nothing to write off" in result.stderr) == (1, True)


def test_a_write_off_for_machines(disputed, furnished):
    said = furnished.json("charges", "write-off", disputed, "--reason", "cancelled")

    assert said == {"order": disputed, "state": "written_off", "amount_cents": 353, "reason": "cancelled"}


def test_the_books_compare_refunds_too_and_say_why_they_differ(number, furnished, company):
    furnished.run("charges", "refund", number, "--amount", "1", "--reason", "broken")
    furnished.run("charges", "push")
    output = furnished.run("verify", "--books").output
    assert "portal refunds: 1 lines, 100 cents" in output
    assert "operator refunds: 1 lines, 100 cents" in output

    line = company.operator.book.charges()[0]
    line.refunds.append({**line.refunds[0], "refundId": "R-OTHER"})
    result = furnished.run("verify", "--books")

    assert result.exit_code == 1
    assert "operator refunds: ours 100, theirs 200 (more was given back there than was asked for here)" in result.output
    said = json.loads(furnished.run("verify", "--books", "--json").output)
    assert [(item["invariant"], item["because"]) for item in said["breaches"]] == [(6, "refund_by_others")]
    assert said["totals"]["operator refunds"] == 200


def test_the_books_of_a_period_hold_its_purchases_alone(number, furnished, company):
    assert "operator: 1 lines" in furnished.run("verify", "--books", "--from", "2020-01-01").output
    before = furnished.run("verify", "--books", "--until", "2020-01-01")

    assert before.exit_code == 0
    assert "operator: 0 lines, 0 cents" in before.output
    assert "portal: 0 lines, 0 cents" in before.output
