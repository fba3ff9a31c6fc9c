"""The ledger: every move of money leaves lines that sum to zero, once, and tells what the charge says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from portal.billing import charges, ledger, proofs
from portal.billing.charges import Billable, Charge, ChargeEvent
from portal.billing.ledger import About, Amount, LedgerLine
from portal.database import Database
from portal.migrations import schema

ABOUT = About("G-1", "4711", "EUR")
START = datetime(2026, 10, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/ledger.db")
    schema.upgrade(made)
    yield made
    made.close()


def charge_that(database, *events: str, number: str = "G-1") -> None:
    """A charge of 12,00 € with 2,00 € of VAT that went through these moves, each in its own transaction."""
    with database.transaction() as session:
        charges.open_charge(session, Billable(number, 1200, 200, "EUR", "d", "M", "m", "legal", "o", "4711"))
    for event in events:
        move(database, event, number)


def move(database, event: str, number: str = "G-1", *, fails: bool = False) -> None:
    with database.transaction() as session:
        charges.move(session, charges.of_order(session, number), event, {})
        session.flush()
        assert 1 / (not fails)


def held(database) -> dict[str, int]:
    with database.reading() as session:
        return {account: cents for account, cents in ledger.balances(session).items() if cents}


COMMITTED = {"committed": 1200}
CHARGED = {"expense": 1000, "vat_recoverable": 200, "operator_payable": -1200}


@pytest.mark.parametrize(("events", "accounts"), [
    ("", {**COMMITTED, "held": -1200}),
    ("reserved", {**COMMITTED, "reserved": -1200}),
    ("reserved captured", CHARGED),
    ("voided", {}),
    ("reserved voided", {}),
    ("reserved expired", {**COMMITTED, "held": -1200}),
    ("reserved doubted", {**COMMITTED, "disputed": -1200}),
    ("reserved doubted capture_again doubted", {**COMMITTED, "disputed": -1200}),
    ("reserved doubted capture_again doubted capture_again captured", CHARGED),
    ("reserved doubted captured", CHARGED),
    ("reserved doubted voided", {}),
])  # fmt: skip
def test_each_way_of_a_charge_ends_in_the_accounts_it_must(events, accounts, database):
    charge_that(database, *events.split())

    assert held(database) == accounts
    with database.reading() as session:
        assert [*proofs.ledger_agrees(session), *proofs.history_of_charges(session)] == []


def test_every_posting_sums_to_zero_and_the_cost_stands_on_its_cost_centre(database):
    charge_that(database, "reserved", "captured")

    with database.reading() as session:
        lines = session.scalars(select(LedgerLine)).all()
        sums = {
            line.posting: sum(each.amount_cents for each in lines if each.posting == line.posting) for line in lines
        }
        assert len(sums) == 3
        assert set(sums.values()) == {0}
        assert {(line.account, line.cost_centre) for line in lines if line.cost_centre} == {("expense", "4711")}


def test_lines_that_do_not_sum_to_zero_are_refused(database):
    with pytest.raises(ValueError, match="does not sum to zero"), database.transaction() as session:
        ledger.post(session, "G-1 captured", ABOUT, {"expense": 100, "operator_payable": -99})
    assert held(database) == {}


def test_the_database_itself_forbids_to_book_a_capture_twice(database):
    charge_that(database, "reserved", "captured")

    with database.transaction() as session:
        session.execute(update(Charge).values(state="reserved", captured_at=None))

    with pytest.raises(IntegrityError):
        move(database, "captured")

    assert held(database) == CHARGED


def test_lines_are_gone_with_the_move_that_is_rolled_back(database):
    charge_that(database, "reserved")
    with pytest.raises(ZeroDivisionError):
        move(database, "captured", fails=True)

    assert held(database) == {**COMMITTED, "reserved": -1200}


@given(st.integers(1, 10**9), st.integers(0, 10_000), st.lists(st.integers(1, 10**9), min_size=1, max_size=6))
def test_the_vat_of_parts_is_the_vat_of_the_whole(gross, share, cuts):
    whole = Amount(gross, gross * share // 10_000)
    marks = sorted({min(cut, gross) for cut in cuts} | {gross})
    parts, before = [], 0
    for mark in marks:
        parts.append(Amount(mark - before, ledger.vat_within(whole, mark) - ledger.vat_within(whole, before)))
        before = mark

    assert sum(part.vat_cents for part in parts) == whole.vat_cents
    assert all(0 <= part.vat_cents <= part.gross_cents for part in parts)


@pytest.mark.parametrize(("plant", "about", "said"), [
    (lambda: update(LedgerLine).where(LedgerLine.account == "expense").values(amount_cents=999), "G-1 captured", "sum to -1"),
    (lambda: delete(LedgerLine).where(LedgerLine.posting == "G-1 captured"), "G-1", "the ledger has committed 1200"),
    (lambda: delete(LedgerLine), "G-1", "no line"),
    (lambda: update(Charge).values(vat_cents=100), "G-1", "the charge says expense 1100"),
    (lambda: delete(ChargeEvent).where(ChargeEvent.event == "captured"), "G-1", "by its history"),
    (lambda: delete(ChargeEvent).where(ChargeEvent.event == "reserved"), "G-1", "“captured”"),
    (lambda: delete(ChargeEvent).where(ChargeEvent.event == "opened"), "G-1", "“reserved”"),
    (lambda: delete(ChargeEvent), "G-1", "no history"),
])  # fmt: skip
def test_what_was_tampered_with_is_named(plant, about, said, database):
    charge_that(database, "reserved", "captured")
    charge_that(database, number="G-2")
    with database.transaction() as session:
        session.execute(plant().where(getattr(plant().table.c, "order_number", plant().table.c.id) != "G-2"))

    with database.reading() as session:
        found = [*proofs.ledger_agrees(session), *proofs.history_of_charges(session)]
    assert any(subject == about and said in detail for _number, subject, detail in found), found


def test_the_migration_books_what_the_charges_that_are_there_have_done(tmp_path):
    old = database_of("0005", tmp_path)
    ways = {
        "G-1": "opened sending reserved capture_wanted captured", "G-2": "opened sending voided",
        "G-3": "opened sending reserved capture_wanted unanswered doubted", "G-4": "opened sending unanswered reserved",
        "G-5": "opened", "G-6": "opened doubted",
    }  # fmt: skip
    with old.engine.begin() as connection:
        for number, (order, events) in enumerate(ways.items(), 1):
            keep_as_of_old(connection, number, order, events.split())

    schema.upgrade(old)

    with old.reading() as session:
        assert [*proofs.ledger_agrees(session), *proofs.history_of_charges(session)] == []
        assert {account: cents for account, cents in ledger.balances(session).items() if cents} == {
            "committed": 4 * 1200, "reserved": -1200, "held": -1200, "disputed": -2400, **CHARGED,
        }  # fmt: skip
        booked = session.scalars(select(LedgerLine).where(LedgerLine.posting == "G-1 captured")).all()
        assert {line.at for line in booked} == {START + timedelta(minutes=4)}
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
    with old.transaction() as session:
        charges.move(session, charges.of_order(session, "G-4"), "captured", {})
    with old.reading() as session:
        assert list(proofs.ledger_agrees(session)) == []
    old.close()


def database_of(revision: str, folder) -> Database:
    made = Database(f"sqlite:///{folder}/old.db")
    config = schema.configuration()
    with made.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    return made


def keep_as_of_old(connection, number: int, order: str, events: list[str]) -> None:
    """A charge with its events as the version before the ledger stored them."""
    states = {
        "opened": "new",
        "reserved": "reserved",
        "captured": "captured",
        "voided": "voided",
        "doubted": "disputed",
    }
    told, state = [], "new"
    for minute, event in enumerate(events):
        state = states.get(event, state)
        told.append({"charge_id": number, "at": START + timedelta(minutes=minute), "event": event, "state": state})
    values = {
        "id": number, "key": f"key-{number}", "order_number": order, "state": state, "amount_cents": 1200,
        "vat_cents": 200, "currency": "EUR", "created_at": START, "operator_ref": "", "description": "d",
        "merchant_name": "M", "merchant_key": "m", "category": "c", "product": "p",
        "captured_at": told[-1]["at"] if state == "captured" else None,
    }  # fmt: skip
    names = ", ".join(values)
    connection.execute(
        text(f"INSERT INTO charges ({names}) VALUES ({', '.join(':' + name for name in values)})"),  # noqa: S608
        {**values, "created_at": START.replace(tzinfo=None).isoformat(sep=" "),
         "captured_at": values["captured_at"] and values["captured_at"].replace(tzinfo=None).isoformat(sep=" ")},
    )  # fmt: skip
    connection.execute(insert(ChargeEvent), [{**each, "evidence": {}} for each in told])
