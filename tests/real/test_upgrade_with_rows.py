"""A database with the purchases of an older version comes to ours on SQLite and PostgreSQL: nothing lost, all of it readable.

`rows_of_0011.json` was written by that version itself: purchases in every state that it knew, and their documents.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic import command
from sqlalchemy import JSON, CheckConstraint, Connection, DateTime, MetaData, inspect, null, select, text, update
from sqlalchemy.exc import IntegrityError

from portal import audit, create_app, settings
from portal.catalog.offers import OfferRow
from portal.catalog.synchronisation import synchronise
from portal.checkout.orders import Order
from portal.checkout.quotes import QuoteRow
from portal.checkout.verification import verify
from portal.installation import Installation, open_installation
from portal.migrations import schema
from tests.conftest import Visitor

OLD = json.loads((Path(__file__).parent / "rows_of_0011.json").read_text(encoding="utf-8"))
ORDERS: dict[str, str] = OLD["orders"]
BEGUN_ANEW = {("offers", "run")}
"""What a migration sets back on purpose: all that is listed next is taken as agreed."""
NEW = {
    "offers": {"pricing": "act", "term": "", "units": 0, "packs": [], "held_at": None},
    "quotes": {"terms": {}, "pricing": "act", "term": "", "units": 0, "pack_id": None, "pack_units": 0},
    "orders": {"pricing": "act", "term": "", "units": 0, "ends_at": None, "reminded_at": None},
    "catalogue_runs": {"refused": 0, "refusals": [], "failures": 0, "next_at": None},
}
"""What each row has of the columns that came since."""
STATES = {
    "captured": ("delivered", "captured"), "refunded_in_part": ("delivered", "captured"),
    "refunded": ("delivered", "refunded"), "refunding": ("delivered", "refunding"), "link": ("delivered", "captured"),
    "template": ("delivered", "captured"), "data": ("delivered", "captured"), "reserved": ("delivered", "reserved"),
    "written_off": ("delivered", "written_off"), "charge_disputed": ("delivered", "disputed"),
    "voided": ("failed", "voided"), "disputed": ("disputed", "reserved"), "preparing": ("preparing", "reserved"),
    "new": ("accepted", "new"),
}  # fmt: skip
"""What became of each order, and of its charge."""


def fill(connection: Connection) -> MetaData:
    """The rows of the older version, and its tables."""
    tables = MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        kept = OLD["tables"].get(table.name, {"columns": [], "rows": []})
        columns = [table.c[name] for name in kept["columns"]]
        for row in kept["rows"]:
            values = {column.name: as_kept(column.type, value) for column, value in zip(columns, row, strict=True)}
            connection.execute(table.insert().values(**values))
        if connection.dialect.name == "postgresql" and "id" in table.c and kept["rows"]:
            # A number that was given stays given.
            connection.execute(text(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"  # noqa: S608
            ))  # fmt: skip
    return tables


def as_kept(kind: Any, value: Any) -> Any:
    """A value as SQLite had it, for a column of either database."""
    if value is None:
        return null()
    if isinstance(kind, JSON):
        return json.loads(value)
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value)
    return bool(value) if kind.python_type is bool else value


def all_of(connection: Connection, tables: MetaData) -> dict[str, list[dict[str, Any]]]:
    """Every row of these tables, with the columns they have here."""
    return {
        table.name: [
            dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key.columns))
        ]
        for table in tables.sorted_tables
        if table.name != "alembic_version"
    }


def bring_to(house: Installation, revision: str) -> None:
    """Migrate as far as a version that is not the last."""
    config = schema.configuration()
    engine = house.database.engine.execution_options(begin="BEGIN IMMEDIATE")
    with engine.connect() as connection, schema._rebuilding(connection):
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, company, tmp_path) -> Iterator[SimpleNamespace]:
    """An installation of today on a database of revision 0011, its tables as `tables`, and their rows as `rows`."""
    url = "sqlite:///portal.db"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        url = server.url(server.make())
    path = tmp_path / "portal.toml"
    path.write_text(company.configuration(8000).replace("sqlite:///portal.db", url), encoding="utf-8")
    house = open_installation(settings.load(path, {}))
    bring_to(house, "0011")
    with house.database.engine.begin() as connection:
        tables = fill(connection)
    with house.database.engine.connect() as connection:
        rows = all_of(connection, tables)
    house.storage.folder.mkdir(parents=True, exist_ok=True)
    for name, body in OLD["files"].items():
        (house.storage.folder / name).write_bytes(base64.b64decode(body))
    yield SimpleNamespace(house=house, tables=tables, rows=rows)
    house.close()


@pytest.fixture
def upgraded(old) -> Installation:
    """That installation, brought to our version."""
    schema.upgrade(old.house.database)
    return old.house


def test_no_row_is_lost_or_changed_and_what_came_since_has_its_default(old):
    assert {name: len(rows) for name, rows in old.rows.items() if rows} == {
        name: len(kept["rows"]) for name, kept in OLD["tables"].items()
    }
    schema.upgrade(old.house.database)
    schema.upgrade(old.house.database)

    assert schema.is_current(old.house.database)
    with old.house.database.engine.connect() as connection:
        now = all_of(connection, old.tables)
        tables = MetaData()
        tables.reflect(connection)
        added = all_of(connection, tables)
    for name, rows in old.rows.items():
        for before, after in zip(rows, now[name], strict=True):
            changed = {column for column in before if before[column] != after[column]}
            assert {(name, column) for column in changed} <= BEGUN_ANEW, (before, after)
    for name, values in NEW.items():
        assert added[name], name
        for row in added[name]:
            assert {column: row[column] for column in values} == values
    assert {row["run"] for row in added["offers"]} == {0}
    assert all(row["good_at"] == row["ended_at"] is not None for row in added["catalogue_runs"])
    empty = ("merchants", "merchant_agreements", "offer_changes", "catalogue_reports", "uploads", "packs", "pack_uses")
    assert [added[name] for name in empty] == [[]] * len(empty)


def test_every_rule_of_our_tables_is_there_and_holds(upgraded):
    with upgraded.database.engine.connect() as connection:
        looked = inspect(connection)
        for table in schema.metadata().sorted_tables:
            ours = {str(each.name) for each in table.constraints if isinstance(each, CheckConstraint) and each.name}
            assert {str(each["name"]) for each in looked.get_check_constraints(table.name)} == ours, table.name
            keys = {tuple(key.column_keys) for key in table.foreign_key_constraints}
            assert {tuple(key["constrained_columns"]) for key in looked.get_foreign_keys(table.name)} == keys, (
                table.name
            )
    paid = {"number": ORDERS["captured"]}
    for wrong in (
        "UPDATE orders SET gross_cents = -1, net_cents = -1, vat_cents = 0 WHERE number = :number",
        "UPDATE orders SET term = 'P1M' WHERE number = :number",
        "UPDATE charges SET amount_cents = 0, vat_cents = 0 WHERE order_number = :number",
        "UPDATE charges SET state = 'paid' WHERE order_number = :number",
        "DELETE FROM quotes WHERE token = (SELECT token FROM orders WHERE number = :number)",
    ):
        with pytest.raises(IntegrityError), upgraded.database.transaction() as session:
            session.execute(text(wrong), paid)
    with upgraded.database.transaction() as session:
        free = "UPDATE charges SET amount_cents = 0, vat_cents = 0, state = 'free' WHERE order_number = :number"
        session.execute(text(free), paid)


def test_every_invariant_holds_and_the_journal_is_unbroken(upgraded):
    assert verify(upgraded.database, upgraded.storage) == []
    with upgraded.database.reading() as session:
        assert audit.first_broken(session) is None
        found = {order.number: (order.state, order.charge.state) for order in session.scalars(select(Order))}
    assert found == {ORDERS[name]: states for name, states in STATES.items()}


def test_whoever_bought_then_reads_it_all_and_buys_again(upgraded):
    app = create_app(installation=upgraded)
    app.config["TESTING"] = True
    buyer, admin = Visitor(app), Visitor(app)
    buyer.sign_in("chloe.lefevre")
    buyer.get("/purchases")
    assert set(ORDERS.values()) <= set(re.findall(r"G-[0-9A-Z]{5}-[0-9A-Z]{5}", buyer.page))
    for name, number in ORDERS.items():
        buyer.get(f"/purchases/{number}")
        assert (buyer.status, f'state-{STATES[name][0]}"' in buyer.page) == (200, True), name
        buyer.get(f"/purchases/{number}/receipt")
        assert buyer.status == (200 if STATES[name][0] == "delivered" else 404), name
    with upgraded.database.reading() as session:
        kept = session.scalars(select(Order).where(Order.number == ORDERS["captured"])).one().deliveries[0].sha256
    with buyer.client.get(f"/purchases/{ORDERS['captured']}/document") as paper:
        assert hashlib.sha256(paper.data).hexdigest() == kept
    admin.sign_in("benoit.besson")
    pages = ["purchases", "merchants", "merchants/registre", "merchants/changes", "journal", "ceilings", "rights"]
    for place in [*pages, *(f"purchases/{number}" for number in ORDERS.values())]:
        admin.get(f"/admin/{place}")
        assert admin.status == 200, place

    count = len(OLD["tables"]["offers"]["rows"])
    synchronise(upgraded.database, upgraded.merchants)
    with upgraded.database.reading() as session:
        known = session.scalars(select(OfferRow.id).where(OfferRow.id <= count, OfferRow.removed_at.is_(None))).all()
        assert len(known) == count, "an offer that is still listed is the same row"
    number = buyer.confirm(buyer.ask_price("registre-kbis", siren="806569182"))
    assert number not in ORDERS.values()
    buyer.get(f"/purchases/{number}")
    assert 'state-delivered"' in buyer.page
    assert verify(upgraded.database, upgraded.storage) == []


def test_a_merchant_that_was_paused_on_the_way_stays_so(old):
    bring_to(old.house, "0015")
    tables, at = MetaData(), datetime(2026, 11, 26, 5, 30)
    texts = ("connector", "identity", "base_url", "manifest", "sealed", "connected_by", "terms_url", "terms_version")
    row = {"key": "registre", "revision": 0, "paused_by": "account 5", "paused_at": at, "terms_sha256": "ab" * 32}
    with old.house.database.engine.begin() as connection:
        tables.reflect(connection)
        connection.execute(tables.tables["merchants"].insert().values(dict.fromkeys(texts, "") | row))
        connection.execute(update(tables.tables["quotes"]).values(terms={"terms_version": "2026-03"}))
    schema.upgrade(old.house.database)

    with old.house.database.reading() as session:
        assert {quote.terms["terms_version"] for quote in session.scalars(select(QuoteRow))} == {"2026-03"}
    buyer = Visitor(create_app(installation=old.house))
    buyer.sign_in("chloe.lefevre")
    assert buyer.ask_price("registre-kbis", siren="806569182") == ""
    assert "un administrateur l’a suspendu" in buyer.text
    buyer.get(f"/purchases/{ORDERS['captured']}")
    assert buyer.status == 200


def test_what_is_missing_would_be_seen(upgraded):
    with upgraded.database.transaction() as session:
        session.execute(update(Order).where(Order.number == ORDERS["captured"]).values(gross_cents=352, net_cents=293))
    assert [breach.subject for breach in verify(upgraded.database, upgraded.storage)] == [ORDERS["captured"]]
