"""Fifteen merchants, many employees who buy, and one merchant who hangs: what the other fourteen feel of it.

usage: python -m benchmarks.hanging_merchant   (from the root of a checkout; six minutes)

`portal serve` as it is installed (two web processes, a worker), over real sockets. Directory, operator and merchants are
the demonstration's, in a process of its own; the fifteenth merchant has a server of its own, which by turns answers
and takes every request without a word. Each employee buys, thinks, and buys again, always from the same merchant: half of them
from the one, so that without a limit those who wait for it would hold every thread there is.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
from rich.console import Console
from rich.table import Table

from demo import people
from demo.companies import COMPANIES
from demo.company import MERCHANT, start_company
from demo.merchants import MerchantsServer
from demo.shops import SHOPS
from portal import settings
from portal.catalog.synchronisation import synchronise
from portal.directory.answers import Group
from portal.installation import open_installation
from portal.migrations import schema
from portal.rights.rules import add_rule
from portal.rights.scopes import Scope
from tests.real.slapd import free_port

MERCHANTS, EMPLOYEES, OF_THE_ONE, THINK_S = 15, 240, 120, 100.0
ROUNDS, TURN_S, WARM_S = 5, 20.0, 30.0
OVER_S = 16.0
"""Any request to a merchant is over by then: what one turn has left behind is not counted in the next."""
CONNECTOR, OFFER = "registre", "kbis"
INPUTS = {"siren": next(siren for siren in COMPANIES if not siren.endswith("7"))}


def company(ours: Connection, port: int) -> None:
    """The other side's process: gives its configuration, then does what it is told until it is told to end."""
    with tempfile.TemporaryDirectory(prefix="guichet-company-") as folder:
        running, last = start_company(Path(folder)), MerchantsServer()
        last.start()
        text = running.configuration(port).partition("\n[merchants.")[0]
        credentials = SHOPS[CONNECTOR].credentials
        secrets = "{" + ", ".join(f'{name} = "{value}"' for name, value in credentials.items()) + "}"
        for number in range(MERCHANTS):
            server = last if number == MERCHANTS - 1 else running.merchants
            text += MERCHANT.format(key=key_of(number), connector=CONNECTOR, url=server.url, secrets=secrets)
        ours.send(text)
        while (told := ours.recv()) != "end":
            last.set_fault(CONNECTOR, "hang" if told == "hang" else None)
        running.stop()
        last.stop()


PORT = free_port()


def key_of(number: int) -> str:
    """What a merchant is called on this site."""
    return f"m{number:02}"


@contextmanager
def served(folder: Path, other_side: Connection) -> Iterator[None]:
    """A portal with a catalogue and one rule, serving."""
    path = folder / "portal.toml"
    path.write_text(other_side.recv(), encoding="utf-8")
    house = open_installation(settings.load(path, {}))
    schema.upgrade(house.database)
    assert all(not each.problem for each in synchronise(house.database, house.merchants))
    with house.database.transaction() as session:
        add_rule(session, "benchmark", Group(people.GROUP_ACHATS), Scope("all"), "buy", "allow")
    house.close()
    environment = {**os.environ, "PORTAL_CONFIG": str(path), "PYTHONPATH": str(Path(__file__).parent.parent)}
    with (folder / "serve.log").open("wb") as log:
        command = [sys.executable, "-m", "portal", "serve", "--bind", f"127.0.0.1:{PORT}"]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            while True:
                try:
                    if httpx2.get(f"http://127.0.0.1:{PORT}/readyz", timeout=5).status_code == 200:
                        break
                except httpx2.HTTPError:
                    assert server.poll() is None, (folder / "serve.log").read_text()
                time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait()


@dataclass
class Told:
    """What every employee has seen: when a purchase began, the number of its merchant, its seconds, and how it ended."""

    purchases: list[tuple[float, int, float, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


class Employee(threading.Thread):
    """One who buys from one merchant."""

    def __init__(self, number: int, told: Told) -> None:
        super().__init__(daemon=True)
        self._merchant = number % (MERCHANTS - 1) if number >= OF_THE_ONE else MERCHANTS - 1
        self._told, self._chance = told, random.Random(number)
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=60)
        self._token = ""

    def run(self) -> None:
        """Sign in, then buy and think by turns."""
        with self._http:
            self._token = self._field("csrf_token", self._http.get("/sign-in").text)
            signed = self._http.post("/sign-in", data=self._form(login="chloe.lefevre", password=people.PASSWORD))
            assert signed.status_code == 302, signed.text[:2000]
            self._token = self._field("csrf_token", self._http.get("/").text)
            while not self._told.over.wait(self._chance.uniform(0, 2 * THINK_S)):
                begun = time.monotonic()
                ended = self._buy()
                self._told.purchases.append((begun, self._merchant, time.monotonic() - begun, ended))

    def _buy(self) -> str:
        """The two clicks, as the page's script sends them."""
        slug = f"{key_of(self._merchant)}-{OFFER}"
        fragment = {"HX-Request": "true", "HX-Request-Type": "partial"}
        page = self._http.post(f"/offers/{slug}/quote", data=self._form(ask="1", **INPUTS), headers=fragment)
        token = self._field("token", page.text)
        if not token:
            return f"no price ({page.status_code})"
        page = self._http.post("/confirm", data=self._form(token=token), headers=fragment)
        found = re.search(r'class="state state-(\w+)"', page.text)
        return found[1] if found else f"no order ({page.status_code})"

    def _form(self, **fields: str) -> dict[str, str]:
        return {"csrf_token": self._token, **fields}

    def _field(self, name: str, page: str) -> str:
        found = re.search(rf'name="{name}"[^>]*value="([^"]+)"', page)
        return found[1] if found else ""


def main() -> None:
    """By turns everybody answers, and one hangs."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=company, args=(theirs, PORT))
    process.start()
    told, turns = Told(), list[tuple[str, float, float]]()
    with tempfile.TemporaryDirectory(prefix="guichet-benchmark-") as name, served(Path(name), ours):
        crowd = [Employee(number, told) for number in range(EMPLOYEES)]
        for employee in crowd:
            employee.start()
            time.sleep(0.05)
        time.sleep(WARM_S)
        assert any(end == "delivered" for _at, _merchant, _seconds, end in told.purchases), told.purchases[-5:]
        for _round in range(ROUNDS):
            for state in ("calm", "hang"):
                ours.send(state)
                begun = time.monotonic()
                time.sleep(TURN_S)
                turns.append((state, begun, time.monotonic()))
            ours.send("calm")
            time.sleep(OVER_S)
        told.over.set()
        for employee in crowd:
            employee.join(70)
    ours.send("end")
    process.join()
    report(told, turns)


def report(told: Told, turns: list[tuple[str, float, float]]) -> None:
    """The fourteen and the one, calm and not."""
    table = Table("merchants", "turns", "purchases", "median ms", "p95 ms", "p95 ÷ calm", "ended")
    calm = 0.0
    for who, of_last in (("the other fourteen", False), ("the one", True)):
        for state in ("calm", "hang"):
            spans = [(begun, ended) for each, begun, ended in turns if each == state]
            found = [
                (seconds * 1000, end) for at, merchant, seconds, end in told.purchases
                if (merchant == MERCHANTS - 1) is of_last and any(begun <= at < ended for begun, ended in spans)
            ]  # fmt: skip
            spent = sorted(each for each, _end in found)
            p95 = spent[int(len(spent) * 0.95)] if spent else float("nan")
            calm = p95 if state == "calm" else calm
            ends = [end for _each, end in found]
            told_ends = ", ".join(f"{ends.count(end)} {end}" for end in sorted(set(ends)))
            middle = statistics.median(spent) if spent else float("nan")
            table.add_row(who, state, str(len(spent)), f"{middle:.0f}", f"{p95:.0f}", f"{p95 / calm:.2f}", told_ends)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
