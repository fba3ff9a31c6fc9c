"""One round of recovery: 1,000 open charges among 100,000 finished ones, with the operator in a process of its own.

usage: python -m benchmarks.recovery   (from the root of a checkout)
"""

from __future__ import annotations

import logging
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.table import Table
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from connectors.contract import OperatorAdapter
from demo.operator import CLIENT, LINE, OperatorServer
from demo.operator_book import PaymentLine
from portal import logs
from portal.billing.charges import Charge, ChargeEvent
from portal.billing.ledger import LedgerLine
from portal.billing.recovery import Findings, Recovery
from portal.billing.settlement import capture, void
from portal.billing.turns import Turn
from portal.catalog.merchants import Merchants
from portal.checkout.orders import Order
from portal.checkout.purchase import resolve
from portal.checkout.quotes import QuoteRow
from portal.checkout.recovery import enqueue_forgotten
from portal.checkout.steps import Means
from portal.checkout.storage import Storage
from portal.database import Database
from portal.outbox import Task
from tests.checkout.world import furnish
from tests.connectors.conftest import Recorder, adapter_for

FINISHED, OPEN = 100_000, 1_000
CENTS, VAT = 1200, 200
NOW = datetime.now(UTC)
CHUNK = 5_000
KINDS = ("lost reply, order open", "lost reply, order failed", "lost reply to a capture", "lost task")
EVENTS = {
    "opened": "new",
    "sending": "new",
    "reserved": "reserved",
    "capture_wanted": "reserved",
    "captured": "captured",
}
Row = dict[str, Any]


def kind_of(number: int) -> str:
    """What is open about a purchase; "" for those that are finished."""
    return KINDS[number % 4] if number >= FINISHED else ""


def made_at(number: int) -> datetime:
    """The finished ones over a year until yesterday, the open ones over half an hour until twenty minutes ago."""
    if number < FINISHED:
        return NOW - timedelta(days=366) + number * timedelta(days=365) / FINISHED
    return NOW - timedelta(minutes=50) + (number - FINISHED) * timedelta(minutes=30) / OPEN


# --- The operator ------------------------------------------------------------------------------------


def operate(ready: Connection) -> None:
    """The operator's process: it has a payment for every purchase."""
    server = OperatorServer(token_life_s=3600)
    payments, _journal = server.book.kept()
    for number in range(FINISHED + OPEN):
        line = payment(number)
        payments[line.payment_id] = line
    server.start()
    ready.send(server.url)
    ready.recv()


def payment(number: int) -> PaymentLine:
    """What the operator has of a purchase: reserved while open, but for every other lost reply to a capture."""
    captured = not kind_of(number) or number % 8 == 2
    information = {"amount": CENTS / 100, "currency": "EUR", "description": "x"}
    transaction = {
        "phoneNumber": LINE, "clientCorrelator": f"key-{number}", "referenceCode": f"G-{number}",
        "paymentAmount": {"chargingInformation": information},
    }  # fmt: skip
    return PaymentLine(
        f"P{number}", transaction, f"G-{number}", f"key-{number}", "Merchant", CENTS, VAT, "EUR",
        "succeeded" if captured else "reserved", made_at(number),
    )  # fmt: skip


# --- Our database ------------------------------------------------------------------------------------


def fill(database: Database) -> None:
    """Every purchase with its charge, its events, its lines and its task, and a round that ended five minutes ago."""
    furnish(database)
    for first in range(0, FINISHED + OPEN, CHUNK):
        numbers = range(first, min(first + CHUNK, FINISHED + OPEN))
        with database.transaction() as session:
            for table, rows in ((QuoteRow, quote), (Order, order), (Charge, charge)):
                session.execute(insert(table), [rows(number) for number in numbers])
            for table, several in ((ChargeEvent, events_of), (LedgerLine, lines), (Task, tasks)):
                session.execute(insert(table), [row for number in numbers for row in several(number)])
    with database.transaction() as session:
        ended = NOW - timedelta(minutes=5)
        session.add(Turn(name="recovery", owner="", done_at=ended, reached=ended))


def price(number: int) -> Row:
    return {
        "account_id": 1, "offer_id": 1, "inputs": {}, "subject": "", "net_cents": CENTS - VAT, "vat_rate_bp": 2000,
        "vat_cents": VAT, "gross_cents": CENTS, "currency": "EUR", "created_at": made_at(number),
    }  # fmt: skip


def quote(number: int) -> Row:
    return {**price(number), "token": f"t{number}", "ref": "q", "lines": [], "expires_at": NOW}


def order(number: int) -> Row:
    kind = kind_of(number)
    state = {KINDS[0]: "accepted", KINDS[1]: "failed"}.get(kind, "delivered")
    return {
        **price(number), "number": f"G-{number}", "token": f"t{number}", "state": state, "key": f"order-{number}",
        "title": {}, "merchant": "m", "seller": {}, "cost_centre": "", "granted_by": {}, "merchant_ref": "",
        "stage": {}, "next_token": "",
    }  # fmt: skip


def charge(number: int) -> Row:
    kind = kind_of(number)
    known = kind not in KINDS[:2]
    return {
        "id": number + 1, "key": f"key-{number}", "order_number": f"G-{number}", "amount_cents": CENTS,
        "vat_cents": VAT, "currency": "EUR", "description": "x", "merchant_name": "Merchant", "merchant_key": "m",
        "category": "legal", "product": "p", "cost_centre": "", "refunded_cents": 0,
        "state": "captured" if not kind else "reserved" if known else "new",
        "operator_ref": f"P{number}" if known else "", "created_at": made_at(number), "sent_at": made_at(number),
        "captured_at": None if kind else made_at(number),
    }  # fmt: skip


def events_of(number: int) -> Iterator[Row]:
    kind = kind_of(number)
    for name, state in list(EVENTS.items())[: 5 if not kind else 2 if kind in KINDS[:2] else 4]:
        yield {"charge_id": number + 1, "at": made_at(number), "event": name, "state": state, "evidence": {}}


def lines(number: int) -> Iterator[Row]:
    for account, cents in (("committed", CENTS), ("held", -CENTS)):
        yield {
            "posting": f"G-{number} opened", "order_number": f"G-{number}", "account": account, "cost_centre": "",
            "amount_cents": cents, "currency": "EUR", "at": made_at(number),
        }  # fmt: skip


def tasks(number: int) -> Iterator[Row]:
    kind = kind_of(number)
    if kind == KINDS[3]:
        return
    yield {
        "kind": {KINDS[0]: "purchase", KINDS[1]: "void"}.get(kind, "capture"), "subject": f"G-{number}",
        "due_at": made_at(number), "attempts": 1, "owner": "", "fence": 1, "last_detail": "",
        "lane": "operator",
        "done_at": None if kind else made_at(number),
    }  # fmt: skip


# --- Measuring ---------------------------------------------------------------------------------------


@contextmanager
def operator() -> Iterator[str]:
    """The address of an operator in another process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=operate, args=(theirs,))
    process.start()
    yield ours.recv()
    ours.send("end")
    process.join()


def recovery(database: Database, adapter: OperatorAdapter) -> Recovery:
    """As an installation makes it."""

    def handlers(there: OperatorAdapter) -> Any:
        means = Means(database, Merchants({}), there, LINE, Storage(Path(tempfile.gettempdir())))
        return {
            "purchase": lambda lease: resolve(means, lease.subject, lease),
            "capture": lambda lease: capture(database, there, LINE, lease),
            "void": lambda lease: void(database, there, lease),
        }

    return Recovery(database, adapter, handlers, enqueue_forgotten)


def replay(http: Recorder) -> float:
    """Seconds for the same requests, one after the other over one kept connection, without reading what they answer."""
    with httpx2.Client() as client:
        begun = time.perf_counter()
        for said in http.exchanges:
            if "/oauth2/" not in said.url:
                client.request(said.method, said.url, headers=said.headers, json=said.sent)
        return time.perf_counter() - begun


@dataclass(frozen=True)
class Taken:
    """One round: what it found, how long it took, of which our own processor time, and how often it committed."""

    found: Findings
    seconds: float
    processor_s: float
    commits: int


def go(database: Database, adapter: OperatorAdapter) -> Taken:
    """One round."""
    commits: list[object] = []
    listener = commits.append
    event.listen(Session, "after_commit", listener)
    begun, worked = time.perf_counter(), time.process_time()
    found = recovery(database, adapter).now()
    taken, worked = time.perf_counter() - begun, time.process_time() - worked
    event.remove(Session, "after_commit", listener)
    assert found
    return Taken(found, taken, worked, len(commits))


def commit_alone(folder: Path, times: int) -> float:
    """Seconds for so many bare durable commits of one row, one after the other."""
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as plain:
        plain.execute("PRAGMA journal_mode = WAL")
        plain.execute("PRAGMA synchronous = FULL")
        plain.execute("CREATE TABLE rows (number INTEGER)")
        begun = time.perf_counter()
        for number in range(times):
            plain.execute("BEGIN IMMEDIATE")
            plain.execute("INSERT INTO rows VALUES (?)", (number,))
            plain.execute("COMMIT")
        return time.perf_counter() - begun


def measured(folder: Path) -> tuple[Taken, Taken, Recorder, float, float]:
    """A round with all that is open, a round with nothing left, and the first one's requests and commits alone."""
    with operator() as url, closing(Database(f"sqlite:///{folder / 'portal.db'}")) as database:
        fill(database)
        http, adapter = adapter_for(url, CLIENT)
        whole = go(database, adapter)
        said = list(http.exchanges)
        nothing = go(database, adapter)
        http.exchanges = said
        return whole, nothing, http, replay(http), commit_alone(folder, whole.commits)


def main() -> None:
    """SQLite on the file system of the temporary folder, as durable as the portal runs it."""
    logs.configure(level=logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="guichet-benchmark-") as folder:
        whole, nothing, http, requests_s, commits_s = measured(Path(folder))
    assert whole.found.settled == {"reserved": OPEN // 4, "voided": OPEN // 4, "captured": OPEN // 2}, whole
    assert whole.found.all_is_well
    assert (nothing.found.cases, nothing.found.all_is_well) == (0, True)
    table = Table(
        "open", "requests", "of the list", "commits", "round s", "processor s", "requests alone s", "commits alone s",
        "÷ both", "nothing open s",
    )  # fmt: skip
    listed = sum("perPage" in said.url for said in http.exchanges)
    table.add_row(
        f"{OPEN:,}", f"{len(http.exchanges):,}", str(listed), f"{whole.commits:,}", f"{whole.seconds:.1f}",
        f"{whole.processor_s:.1f}", f"{requests_s:.1f}", f"{commits_s:.1f}",
        f"{whole.seconds / (requests_s + commits_s):.1f}", f"{nothing.seconds:.2f}",
    )  # fmt: skip
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
