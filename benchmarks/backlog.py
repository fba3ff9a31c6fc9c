"""How fast ten thousand delivered orders are charged after an outage, beside the HTTP client's bare rate.

usage: python -m benchmarks.backlog [CHARGES]   (from the root of a checkout; put TMPDIR on the disk to be measured)

The demonstration's operator runs in a process of its own. By turns, the guarded client alone confirms and reads payments
there with as many threads as the worker has, and `portal worker`, in one process and in two, drains a part of the backlog.
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, update

from benchmarks.backlog_rows import Row, add_delivered, furnish_one
from connectors.http import GuardedClient
from demo.operator import CLIENT, LINE, PAYMENTS, OperatorServer
from portal import clock
from portal.billing.charges import Charge
from portal.billing.drain import SENDERS
from portal.checkout.storage import Storage
from portal.checkout.verification import verify
from portal.database import Database
from portal.outbox import Task

TURNS = 4
CONFIGURATION = """\
[portal]
public_url = "http://127.0.0.1:8000"
company = "Acme SA"
[database]
url = "sqlite:///portal.db"
[directory]
urls = ["ldap://127.0.0.1:9"]
preset = "openldap"
people_base = "dc=acme,dc=example"
groups_base = "dc=acme,dc=example"
[operator]
profile = "orange"
api_root = "{url}"
token_url = "{url}/oauth2/token"
client_id = "{client[0]}"
client_secret = "{client[1]}"
line = "{line}"
"""


def serve(ours: Connection) -> None:
    """The operator's process: opens payments that are reserved, and answers with their references."""
    server = OperatorServer()
    server.start()
    ours.send(server.url)
    while rows := ours.recv():
        ours.send([reserved(server, row) for row in rows])
    server.stop()


def reserved(server: OperatorServer, row: Row) -> str:
    """One payment as `prepare` would have made it."""
    information = {"amount": row.cents / 100, "currency": "EUR", "description": row.number, "taxAmount": 0}
    content = {
        "phoneNumber": LINE, "clientCorrelator": row.key, "referenceCode": row.number,
        "paymentAmount": {"chargingInformation": {**information, "isTaxIncluded": True}},
    }  # fmt: skip
    return server.book.open(content, (row.cents, 0), "reserved").payment_id


@contextmanager
def operator() -> Iterator[Connection]:
    """The operator's process, by a pipe that gives its address first."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    try:
        yield ours
    finally:
        ours.send([])
        process.join()


@dataclass
class Bare:
    """The guarded client and nothing else: confirm, then read, for each payment."""

    url: str
    client: GuardedClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = GuardedClient([self.url.partition("//")[2]])
        form = {"grant_type": "client_credentials", "scope": " ".join(
            f"carrier-billing:payments:{what}" for what in ("create", "read", "write")
        )}  # fmt: skip
        basic = base64.b64encode(":".join(CLIENT).encode()).decode()
        signed = self.client.request(
            "POST", f"{self.url}/oauth2/token", form=form, headers={"Authorization": f"Basic {basic}"}
        )
        self.headers = {"Authorization": f"Bearer {signed.json()['access_token']}", "Accept": "application/json"}

    def rate(self, refs: list[str]) -> float:
        """Payments a second."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(self._capture, refs))
        return len(refs) / (time.perf_counter() - begun)

    def _capture(self, ref: str) -> None:
        address, headers = f"{self.url}{PAYMENTS}/{ref}", {**self.headers, "x-correlator": str(uuid.uuid4())}
        answer = self.client.request("POST", f"{address}/confirm", json={"phoneNumber": LINE}, headers=headers)
        assert answer.status == 202
        assert self.client.request("GET", address, headers=headers).json()["paymentStatus"] == "succeeded"


@dataclass
class Workers:
    """Processes of `portal worker` over one configuration, and the most memory each was seen to take."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, count: int) -> None:
        """Start them; they idle until something is due."""
        environment = {**os.environ, "PORTAL_CONFIG": str(self.folder / "portal.toml")}
        with (self.folder / "worker.log").open("ab") as log:
            for _ in range(count):
                command = [sys.executable, "-m", "portal", "worker"]
                self.running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        time.sleep(4)
        assert [process.poll() for process in self.running] == [None] * count, (self.folder / "worker.log").read_text()

    def megabytes(self) -> float:
        """Resident memory of the largest."""
        sizes = []
        for process in self.running:
            status = Path(f"/proc/{process.pid}/status").read_text()
            sizes.append(int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024)
        return max(sizes)

    def stop(self) -> None:
        """End them in order."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            assert process.wait(30) == 0
        self.running.clear()


def drained(database: Database, first: int, last: int) -> float:
    """Make a part of the backlog due, wait until it is captured; charges a second between the first and the last."""
    chosen = Task.id.between(first, last)
    with database.transaction() as session:
        session.execute(update(Task).where(chosen).values(due_at=clock.now()))
    wanted = last - first + 1
    ours = select(Task.subject).where(chosen)
    while True:
        with database.reading() as session:
            left = session.scalar(select(func.count()).where(chosen, Task.done_at.is_(None)))
            if not left:
                times = select(func.min(Charge.captured_at), func.max(Charge.captured_at))
                begun, ended = session.execute(times.where(Charge.order_number.in_(ours))).one()
                return wanted / (ended - begun).total_seconds()
        time.sleep(0.25)


def measure(database: Database, folder: Path, bare: Bare, spare: Iterator[list[str]], count: int) -> list[Any]:
    """By turns, bare and drained, with one worker process and with two."""
    workers, rows, at = Workers(folder), [], 1
    part = count // (2 * TURNS)
    for processes in (1, 2):
        workers.start(processes)
        memory, rates, limits = [workers.megabytes()], [], []
        for _ in range(TURNS):
            limits.append(bare.rate(next(spare)))
            rates.append(drained(database, at, at + part - 1))
            memory.append(workers.megabytes())
            at += part
        workers.stop()
        rows.append((processes, statistics.median(limits), statistics.median(rates),
                     statistics.median(rate / limit for rate, limit in zip(rates, limits, strict=True)),
                     memory))  # fmt: skip
    return rows


def main() -> None:
    """One table; the books are verified at the end."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    table = Table("worker processes", "bare/s", "drained/s", "÷ bare", "MB at start", "MB in the middle", "MB at end")
    with tempfile.TemporaryDirectory(prefix="guichet-benchmark-") as name, operator() as there:
        folder, url = Path(name), there.recv()
        (folder / "portal.toml").write_text(CONFIGURATION.format(url=url, client=CLIENT, line=LINE))
        with closing(Database(f"sqlite:///{folder / 'portal.db'}")) as database:
            template = furnish_one(database)
            new = [Row.make(template) for _ in range(count)]
            there.send(new)
            add_delivered(database, template, new, there.recv(), clock.now() + timedelta(hours=1))
            others = [Row.make(template) for _ in range(count // (2 * TURNS) * 2 * TURNS // 2)]
            there.send(others)
            refs = there.recv()
            size = len(refs) // (2 * TURNS)
            spare = (refs[at : at + size] for at in range(0, len(refs), size))
            bare = Bare(url)
            for processes, limit, rate, ratio, memory in measure(database, folder, bare, spare, count):
                table.add_row(
                    str(processes), f"{limit:.0f}", f"{rate:.0f}", f"{ratio:.2f}",
                    *(f"{memory[at]:.0f}" for at in (0, len(memory) // 2, -1)),
                )  # fmt: skip
            broken = verify(database, Storage(folder))
    Console(width=120).print(table)
    assert not broken, broken[:5]


if __name__ == "__main__":
    threading.current_thread().name = "benchmark"
    main()
