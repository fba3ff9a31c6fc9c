"""The storm: people buy while every fault befalls every call and processes are killed; in the end the books agree.

usage: python -m tests.real.storm [--purchases 1000] [--buyers 20] [--seconds 300] [--rate 0.1] [--seed N] [--hurry]

A real `portal serve` on the demonstration company, which is a process of its own and whose hangs last 1, 3 or 17 s
(clients wait 15 s). Every 5 s one process of the portal, whichever, gets a SIGKILL; a small supervisor starts the server
again as systemd would. Buyers behave like people: on an error page or a cut connection they press again. Somebody in
finance has parts given back meanwhile. The killing ends after `--seconds`, the bad weather when everything is bought.
Then what is due is worked through: in its own time, or with `--hurry` in this process with a clock that runs ahead.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from demo import people
from demo.portal import furnish
from portal import settings
from portal.installation import open_installation
from portal.rights.ceilings import Terms, add_ceiling
from portal.rights.scopes import Scope
from tests.real.slapd import free_port
from tests.real.storm_buyers import Buyer, Finance, Log
from tests.real.storm_ending import ByCommands, Hurried, settle_all
from tests.real.test_serving import ROOT, by_age, family, wait_until

KILL_EVERY_S = 5.0
RESTART_S = 0.5
LONGEST_END_S = 5.0
KINDS = ("parent", "worker", "web")


@dataclass
class Plan:
    """How much of a storm."""

    purchases: int = 1000
    buyers: int = 20
    seconds: float = 300
    rate: float = 0.1
    seed: int = 1
    kill_every_s: float = KILL_EVERY_S
    kills: int = 0
    """So many at least, and a restart after them, however long that takes."""
    offline_limit: str = ""
    """Up to how much is bought while the operator cannot be reached; empty: nothing."""


def environment(configuration: Path) -> dict[str, str]:
    """What the portal's programs are started with."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    return kept | {"PORTAL_CONFIG": str(configuration), "PYTHONPATH": str(ROOT)}


class Supervisor:
    """Keeps `portal serve` running, as systemd does: when its main process has ended, what is left of it is killed."""

    def __init__(self, configuration: Path, port: int, log: Log) -> None:
        self.url, self._port, self._configuration, self._log = f"http://127.0.0.1:{port}", port, configuration, log
        self._file = configuration.with_name("serve.log").open("ab")
        self._ending = threading.Event()
        self.process = self._start()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False

    def children(self) -> list[int]:
        """Its processes but for the main one, the oldest first: its worker."""
        parent = self.process.pid
        return by_age(family(parent) - {parent})

    def stop(self) -> None:
        """End it for good."""
        self._ending.set()
        self._thread.join()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self._kill_left()
        self._file.close()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "portal", "serve", "--bind", f"127.0.0.1:{self._port}"],
            env=environment(self._configuration), stdout=self._file, stderr=self._file, cwd=ROOT, start_new_session=True,
        )  # fmt: skip

    def _keep(self) -> None:
        while not self._ending.is_set():
            self._watch(self.process)
            if self._ending.is_set():
                return
            self._kill_left()
            if not self._ending.wait(RESTART_S):
                self._log.add("restarts")
                self.process = self._start()

    def _watch(self, leader: subprocess.Popen[bytes]) -> None:
        """Until it has ended. A server whose worker has died ends in order, and has some seconds for it."""
        worker, last_call = 0, float("inf")
        while leader.poll() is None and not self._ending.wait(0.1):
            children = self.children()
            worker = worker or next(iter(children), 0)
            if worker and worker not in children:
                last_call = min(last_call, time.monotonic() + LONGEST_END_S)
            if time.monotonic() > last_call:
                leader.kill()

    def _kill_left(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def kill_now_and_then(plan: Plan, supervisor: Supervisor, log: Log, over: threading.Event) -> None:
    """A SIGKILL at a process of the portal, each kind once in three, in random order, until it is over."""
    chance, kinds = random.Random(f"{plan.seed} kills"), list[str]()
    while not over.wait(plan.kill_every_s):
        kinds = kinds or chance.sample(KINDS, len(KINDS))
        kind = kinds.pop()
        parent, children = supervisor.process.pid, supervisor.children()
        there = {"parent": [parent], "worker": children[:1], "web": children[1:]}[kind]
        try:
            if there:
                os.kill(chance.choice(there), signal.SIGKILL)
        except ProcessLookupError:
            continue
        log.add(f"killed {kind if there else 'nobody'}")


def storm(plan: Plan, folder: Path, *, hurry: bool) -> Log:
    """All of it; raises `AssertionError` where a book does not agree."""
    log, port, configuration = Log(), free_port(), folder / "portal.toml"
    began = time.monotonic()
    with ExitStack() as running:
        console = running.enter_context(other_side(folder, port))
        accept_offline(configuration, plan.offline_limit)
        furnish(configuration)
        add_large_ceiling(configuration)
        for login, *_rest in people.PEOPLE_OF_ACME:
            httpx2.post(f"{console}/groups/achats", data={"add": login})
            httpx2.post(f"{console}/groups/stagiaires", data={"remove": login})
        supervisor = Supervisor(configuration, port, log)
        running.callback(supervisor.stop)
        assert wait_until(supervisor.is_ready), "the portal does not start"
        rage(plan, supervisor, configuration, console, log)
        print(f"{time.monotonic() - began:.0f} s: the weather clears; {log}", flush=True)
        if hurry:
            supervisor.stop()
        ending = Hurried(configuration) if hurry else ByCommands(configuration, environment(configuration))
        running.callback(ending.close)
        settle_all(ending, log.counts, random.Random(f"{plan.seed} decisions"))
    log.counts["seconds"] = round(time.monotonic() - began)
    return log


@contextmanager
def other_side(folder: Path, port: int) -> Iterator[str]:
    """The demonstration company in a process of its own; gives the address of its page."""
    command = [sys.executable, "-W", "ignore", "-m", "demo", str(folder), str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as company:
        try:
            yield company.stdout.readline().strip() if company.stdout else ""
        finally:
            company.terminate()


def accept_offline(configuration: Path, limit: str) -> None:
    """Let purchases wait for the operator up to a limit."""
    if limit:
        accepting = f'[operator]\nwhen_unreachable = "accept"\noffline_limit = "{limit}"\n'
        text = configuration.read_text(encoding="utf-8").replace("[operator]\n", accepting, 1)
        configuration.write_text(text, encoding="utf-8")


def add_large_ceiling(configuration: Path) -> None:
    """Every purchase is held and captured against it, and it stops none."""
    house = open_installation(settings.load(configuration, {}))
    with house.database.transaction() as session:
        add_ceiling(session, "storm", None, Terms("everyone", Scope("all"), "year", 100_000_000))
    house.close()


def rage(plan: Plan, supervisor: Supervisor, configuration: Path, console: str, log: Log) -> None:
    """Buyers buy in bad weather while processes die; ends when all is bought and the time is over."""
    logins = [login for login, *_rest in people.PEOPLE_OF_ACME][: plan.buyers]
    shopping = list(range(plan.purchases))
    buyers = [Buyer(login, supervisor.url, log, shopping, f"{plan.seed} {login}") for login in logins]
    httpx2.post(f"{console}/weather", data={"rate": str(plan.rate), "seed": str(plan.seed)})
    over, until = threading.Event(), time.monotonic() + plan.seconds
    killer = threading.Thread(target=kill_now_and_then, args=(plan, supervisor, log, over))
    closing = threading.Event()
    finance = Finance(open_installation(settings.load(configuration, {})), log, closing, f"{plan.seed} finance")
    for thread in (*buyers, killer, finance):
        thread.start()
    while any(buyer.is_alive() for buyer in buyers) or not over.is_set():
        time.sleep(1)
        killed = sum(log.counts[f"killed {kind}"] for kind in KINDS)
        if time.monotonic() > until and killed >= plan.kills and (log.counts["restarts"] or not plan.kills):
            over.set()
        if int(time.monotonic()) % 30 == 0:
            print(f"{len(shopping)} left; {log}", flush=True)
    closing.set()
    killer.join()
    finance.join()
    httpx2.post(f"{console}/weather", data={"rate": "0"})


def main() -> None:
    """The program."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name, value in vars(Plan(seed=random.SystemRandom().randrange(10**6))).items():
        options.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options.add_argument("--hurry", action="store_true", help="let a clock of this process run ahead of deadlines")
    options.add_argument("--folder", type=Path, help="keep everything here")
    given = vars(options.parse_args())
    hurry, kept = given.pop("hurry"), given.pop("folder")
    plan = Plan(**given)
    print(plan, flush=True)
    with tempfile.TemporaryDirectory(prefix="guichet-storm-") as temporary:
        folder = kept or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        log = storm(plan, folder, hurry=hurry)
    for what, times in sorted(log.counts.items()):
        print(f"{times:7} {what}")


if __name__ == "__main__":
    main()
