"""`charges`, `verify` and `audit` find what was planted, and say nothing is wrong when nothing is."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import select, update

from demo.companies import COMPANIES
from portal.audit import AuditEntry
from portal.billing.charges import Charge, ChargeEvent
from portal.billing.ledger import LedgerLine
from portal.checkout.orders import DeliveryRow, Order, OrderEvent
from portal.rights.holds import CeilingUse

SIREN = next(siren for siren in COMPANIES if not siren.endswith("7"))


@pytest.fixture
def bought(furnished, buyer, work):
    """One K-bis, charged; returns the terminal."""
    furnished.run("ceilings", "add", "50", "--who", "everyone")
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    work()
    return furnished


def test_the_three_books_agree_to_the_cent(bought, company):
    result = bought.run("verify", "--books")

    [charge] = bought.json("charges", "list")
    cents = charge["amount_cents"]
    assert (result.exit_code, charge["state"]) == (0, "captured")
    for name in ("portal", "operator", "merchant registre"):
        assert f"{name}: 1 lines, {cents} cents" in result.output
    assert "Everything agrees." in result.output
    assert [line.amount_cents for line in company.operator.book.charges()] == [cents]


def test_a_cent_too_much_at_the_operator_is_found(bought, company):
    information = company.operator.book.charges()[0].transaction["paymentAmount"]["chargingInformation"]
    information["amount"] = round(information["amount"] + 0.01, 2)

    result = bought.run("verify", "--books")

    [charge] = bought.json("charges", "list")
    assert result.exit_code == 1
    assert f"Invariant 6 broken, {charge['order']}: operator" in result.output
    assert bought.run("verify").exit_code == 0


def test_a_charge_and_a_delivery_nobody_here_knows_are_found(bought, company):
    line = company.operator.book.charges()[0]
    company.operator.book.open(
        {**line.transaction, "referenceCode": "G-OTHER", "clientCorrelator": "k"}, (100, 0), "succeeded"
    )
    order = company.merchants.book.orders()[0]
    order.po_number = "G-ELSEWHERE"

    output = bought.run("verify", "--books").output

    assert "G-OTHER: operator: ours -" in output
    assert "G-ELSEWHERE: merchant registre: ours -" in output
    assert output.count("Invariant 6 broken") == 3


def test_a_book_that_cannot_be_read_is_no_agreement(bought, company):
    company.operator.fault = "down"
    company.merchants.set_fault("registre", "down")

    output = bought.run("verify", "--books").output

    assert "operator: its list cannot be read" in output
    assert "merchant registre: its list cannot be read" in output


@pytest.mark.parametrize(("number", "plant"), [
    (2, lambda: update(CeilingUse).values(captured_cents=CeilingUse.captured_cents + 1)),
    (3, lambda: update(Charge).values(state="voided")),
    (4, lambda: update(Order).values(state="failed")),
    (5, lambda: update(Charge).values(amount_cents=Charge.amount_cents + 1)),
    (7, lambda: update(AuditEntry).where(AuditEntry.id == 2).values(actor="somebody else")),
    (7, lambda: update(DeliveryRow).values(sha256="0" * 64)),
    (8, lambda: update(Charge).values(state="reserved")),
    (6, lambda: update(LedgerLine).where(LedgerLine.account == "expense").values(amount_cents=1)),
    (6, lambda: update(Charge).values(refunded_cents=1)),
    (8, lambda: update(Charge).values(state="refunding")),
    (7, lambda: update(ChargeEvent).where(ChargeEvent.event == "captured").values(state="reserved")),
    (7, lambda: update(OrderEvent).where(OrderEvent.event == "reserved").values(event="something")),
])  # fmt: skip
def test_each_broken_promise_is_found(number, plant, bought, installation):
    assert bought.run("verify").exit_code == 0
    with installation.database.transaction() as session:
        session.execute(plant())

    result = bought.run("verify")

    assert (result.exit_code, f"Invariant {number} broken" in result.output) == (1, True), result.output


@pytest.mark.parametrize(("tables", "said"), [
    (("ledger_lines", "charge_events", "charges"), "delivered without a charge: it is missing"),
    (("ledger_lines", "charge_events", "charges"), "the charge of this order (delivered) is missing"),
    (("charges",), "charge 1: it is missing, and has events: opened, sending, reserved"),
    (("charges",), "the ledger has lines of a charge that is missing"),
    (("ledger_lines",), "the ledger has no line of its charge"),
    (("charge_events",), "the charge has no history"),
    (("order_events",), "the order has no history"),
    (("deliveries", "order_events", "orders"), "the order of this charge is missing"),
    (("deliveries", "order_events", "orders"), "the journal tells of this order, and it is missing"),
    (("ledger_lines", "charge_events", "charges", "deliveries", "order_events", "orders"), "the journal tells of this order"),
    (("audit_entries",), "the journal does not tell of this order"),
])  # fmt: skip
def test_what_was_deleted_by_hand_is_found_and_named(tables, said, bought, installation):
    """As with the sqlite3 program, which holds to no key that points elsewhere."""
    [charge] = bought.json("charges", "list")
    with sqlite3.connect(installation.database.url.database) as by_hand:
        for table in tables:
            by_hand.execute(f"DELETE FROM {table}")  # noqa: S608
    by_hand.close()

    result = bought.run("verify")

    assert result.exit_code == 1
    assert said in result.output, result.output
    assert charge["order"] in result.output


def test_a_missing_document_is_found(bought, installation):
    for path in installation.storage.folder.iterdir():
        path.unlink()

    assert "Invariant 7 broken" in bought.run("verify").output


def test_the_audit_chain_names_its_first_broken_line(bought, installation):
    assert bought.run("audit", "verify").exit_code == 0
    with installation.database.transaction() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()[1]
        entry.after = {"made": "up"}

    result = bought.run("audit", "verify")

    assert (result.exit_code, f"entry {entry.id} " in result.output) == (1, True)


def test_a_hash_noted_earlier_is_looked_for(bought, installation):
    noted = bought.run("audit", "verify").output.split()[-1]
    assert bought.run("audit", "verify", "--hash", noted).exit_code == 0

    result = bought.run("audit", "verify", "--hash", "0" * 63 + "1")

    assert (result.exit_code, "rewritten or cut" in result.output) == (1, True)


def test_push_does_what_is_due(furnished, buyer, company):
    buyer.confirm(buyer.ask_price("registre-kbis", siren=SIREN))
    assert furnished.json("charges", "list")[0]["state"] == "reserved"

    assert "1 tasks done or tried; 0 wait" in furnished.run("charges", "push").output

    assert furnished.json("charges", "list", "--state", "captured")
    assert furnished.run("charges", "list", "--state", "reserved").output == "There is no charge.\n"
