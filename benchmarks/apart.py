"""What code of others costs in a process of its own: its start, a round trip, a request, a long list, its memory.

usage: python -m benchmarks.apart   (from the root of a checkout; half a minute)
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response
from rich.console import Console
from rich.table import Table

from connectors.apart.merchant import ApartMerchant
from connectors.apart.pool import Pool
from connectors.apart.process import Code, Patience, Process
from connectors.contract import Buyer, Context, MerchantConnector
from connectors.http import GuardedClient
from connectors.kit.skeleton import make_skeleton
from connectors.merchants.registry import read_folder
from demo.sockets import LoopbackServer

TURNS, TIMES, OFFERS, CLICKS = 9, 200, 50_000, 80
SLOW_S = 0.05
CODE = """
from datetime import UTC, datetime, timedelta
from connectors.contract import MerchantConnector, Offer, Quote


class Connector(MerchantConnector):
    def list_offers(self, state=""):
        for number in range(OFFERS):
            title = {"fr": f"Extrait numero {number}", "en": f"Extract number {number}"}
            yield Offer(f"offer-{number}", title, {"fr": "Un document officiel, au format PDF, en quelques secondes."},
                        "entreprises", 354, 2000, 71, 425, "EUR", "document", keywords="societe greffe")

    def quote(self, offer_id, inputs, buyer):
        self.context.http.request("GET", self.context.base_url + offer_id).json()
        return Quote("q", 354, 2000, 71, 425, "EUR", datetime.now(UTC) + timedelta(minutes=9))
"""
ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"


def median_ms(do: Callable[[], object], times: int = 1) -> float:
    """Milliseconds of one of `times`, the median of the turns."""
    spent = []
    for _turn in range(TURNS):
        begun = time.perf_counter()
        for _time in range(times):
            do()
        spent.append((time.perf_counter() - begun) / times * 1000)
    return statistics.median(spent)


def bare_start() -> None:
    """Python alone, as isolated as its own switches make it."""
    subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True, env={})


def isolated_start(code: Code) -> None:
    """A process that has given everything up, and has loaded its code."""
    Process(code, Patience()).end()


@contextmanager
def echo() -> Iterator[Callable[[], object]]:
    """The least two processes can say to each other: a line, and the same line."""
    with subprocess.Popen([sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout

        def ask() -> object:
            process.stdin.write(b'{"call":"0123456789abcdef","method":"suggest","args":["","",""]}\n')
            process.stdin.flush()
            return process.stdout.readline()

        yield ask
        process.stdin.close()


def merchant() -> LoopbackServer:
    """A merchant that answers a small JSON, at once or after 50 ms."""
    app = Flask("merchant")

    @app.get("/fast")
    def fast() -> Response:
        return Response(b'{"price": 4.25}', mimetype="application/json")

    @app.get("/slow")
    def slow() -> Response:
        time.sleep(SLOW_S)
        return fast()

    return LoopbackServer(app)


def listed(connector: MerchantConnector) -> float:
    """Seconds for the whole list."""
    begun = time.perf_counter()
    assert sum(1 for _each in connector.list_offers()) == OFFERS
    return time.perf_counter() - begun


def at_once(connector: MerchantConnector, threads: int) -> float:
    """Quotes a second of a merchant that takes 50 ms, by so many threads at a time."""

    def click() -> None:
        for _time in range(CLICKS // threads):
            connector.quote("/slow", {}, Buyer("Acme SA"))

    clicking = [threading.Thread(target=click) for _each in range(threads)]
    begun = time.perf_counter()
    for each in clicking:
        each.start()
    for each in clicking:
        each.join()
    return CLICKS / (time.perf_counter() - begun)


def cpu_s(connector: ApartMerchant) -> float:
    """Processor time of this process and of the connector's (s)."""
    with connector._pool.lent() as process:
        spent = Path(f"/proc/{process._popen.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return time.process_time() + sum(map(int, spent[11:13])) / os.sysconf("SC_CLK_TCK")


def own_kb(process: Process) -> int:
    """Memory that the process does not share with any other (kB)."""
    lines = Path(f"/proc/{process._popen.pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def main() -> None:
    """Measure and print."""
    table = Table("what", "least", "within the portal", "in its own process", "times")
    with tempfile.TemporaryDirectory() as place:
        folder = make_skeleton("essai", Path(place))
        (folder / "connector.toml").write_text(_without_tables(folder / "connector.toml"), encoding="utf-8")
        (folder / "connector.py").write_text(CODE.replace("OFFERS", str(OFFERS)), encoding="utf-8")
        declared = make_skeleton("autre", Path(place))
        (declared / "connector.py").write_text(
            "from connectors.declared.merchant import DeclaredMerchant\n\n\nclass Connector(DeclaredMerchant):\n    pass\n"
        )
        server = merchant()
        server.start()
        manifest, made = read_folder(folder)
        http = GuardedClient([urlsplit(server.url).netloc])
        context = Context("essai", server.url, {"api_key": "x" * 20}, http, manifest.model_dump(by_alias=True))
        inside, pool = made(context), Pool(Code("essai", folder))
        apart = ApartMerchant(context, pool)
        measure(table, inside, apart, (Code("essai", folder), Code("autre", declared)))
        with pool.lent() as process:
            table.add_row("memory of its own, after the list (MB)", "", "", f"{own_kb(process) / 1000:.0f}", "")
        apart.close()
        http.close()
        server.stop()
    Console().print(table)


def measure(table: Table, inside: MerchantConnector, apart: ApartMerchant, codes: tuple[Code, Code]) -> None:
    """One line for each thing."""
    bare = median_ms(bare_start)
    for name, code in zip(("a start (ms)", "a start, with what reads manifests (ms)"), codes, strict=True):
        isolated = median_ms(lambda code=code: isolated_start(code))
        table.add_row(name, f"{bare:.0f}", "", f"{isolated:.0f}", f"{isolated / bare:.1f} × least")
    with echo() as ask:
        least = median_ms(ask, TIMES)
    trip = median_ms(lambda: apart.suggest("", "", ""), TIMES)
    table.add_row("a round trip (ms)", f"{least:.3f}", "", f"{trip:.3f}", f"{trip / least:.1f} × least")
    within, without = (median_ms(lambda c=c: c.quote("/fast", {}, Buyer("Acme SA")), 50) for c in (inside, apart))
    table.add_row(
        "a quote of a loopback merchant (ms)", "", f"{within:.2f}", f"{without:.2f}", f"{without / within:.2f}"
    )
    within, without = (statistics.median(listed(each) for _turn in range(3)) for each in (inside, apart))
    table.add_row(f"{OFFERS:,} offers (s)", "", f"{within:.2f}", f"{without:.2f}", f"{without / within:.1f}")
    before = cpu_s(apart)
    listed(apart)
    table.add_row("of it, processor time of both processes (s)", "", "", f"{cpu_s(apart) - before:.2f}", "")
    at_once(apart, 4)
    for threads in (1, 4):
        within, without = at_once(inside, threads), at_once(apart, threads)
        name = f"quotes a second of a merchant that takes 50 ms, {threads} at a time"
        table.add_row(name, "", f"{within:.0f}", f"{without:.0f}", f"{without / within:.2f}")


def _without_tables(path: Path) -> str:
    """The manifest of a connector that is all code."""
    text = path.read_text(encoding="utf-8")
    return text[: text.index("[[input]]")]


if __name__ == "__main__":
    main()
