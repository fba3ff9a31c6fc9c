"""After the storm: everything that is due is done, the books are compared, every dispute is decided, and again."""

from __future__ import annotations

import collections
import json
import logging
import random
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from portal import clock, logs, settings
from portal.admin.purchase_sheet import case_of, waiting
from portal.billing.worker import work_once
from portal.checkout.books import compare
from portal.checkout.disputes import settle
from portal.checkout.verification import verify
from portal.installation import open_installation

PATIENCE_S = 3 * 3600
FINAL = ("write_off", "consider_captured", "consider_voided", "refund", "give_up")
"""Choices after which a dispute cannot come back; the others ask once more."""

Dispute = dict[str, Any]


class Ending(Protocol):
    """A way to bring everything to its end."""

    def work(self) -> None:
        """Until nothing is due any more."""

    def breaches(self) -> list[dict[str, Any]]:
        """What `portal verify --books` finds."""

    def disputes(self) -> list[Dispute]:
        """What `portal disputes list` shows."""

    def decide(self, number: str, choice: str) -> None:
        """What `portal disputes decide` does."""

    def close(self) -> None:
        """Leave everything as it was found."""


def settle_all(ending: Ending, counts: collections.Counter[str], chance: random.Random) -> None:
    """Raises `AssertionError` when the books differ by anything but listed disputes, or differ after the decisions."""
    ending.work()
    listed = ending.disputes()
    open_numbers = {each["order"] for each in listed}
    for each in listed:
        counts[f"dispute: order {each['state']}, charge {each['charge']['state']}"] += 1
    found = ending.breaches()
    counts["differences of listed disputes"] = sum(breach["subject"] in open_numbers for breach in found)
    beyond = [breach for breach in found if breach["subject"] not in open_numbers]
    assert beyond == [], beyond
    for round_number in range(4):
        listed = ending.disputes()
        if not listed:
            break
        for each in listed:
            ending.decide(each["order"], "look")
        for each in ending.disputes():
            safe = [choice for choice in each["choices"] if choice != "look"]
            assert safe, f"nothing can be decided: {each}"
            final = [choice for choice in safe if choice in FINAL]
            choice = chance.choice(final if round_number and final else safe)
            counts[f"decided: {choice}"] += 1
            ending.decide(each["order"], choice)
        ending.work()
    assert ending.disputes() == []
    assert ending.breaches() == []


class ByCommands:
    """In its own time: the server's worker works, and everything is asked and decided by the portal's commands."""

    def __init__(self, configuration: Path, environment: dict[str, str]) -> None:
        self._environment, self._configuration = environment, configuration

    def work(self) -> None:
        """Wait for the worker, saying what it waits for."""
        began, told = time.monotonic(), 0.0
        while time.monotonic() - began < PATIENCE_S:
            left = self._left()
            if not left:
                return
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(
                    f"{told - began:.0f} s: {sum(times for *_what, times in left)} tasks left, {left[:6]}", flush=True
                )
            time.sleep(2)
        raise AssertionError(f"still waiting after {PATIENCE_S} s: {self._left()}")

    def breaches(self) -> list[dict[str, Any]]:
        """`portal verify --books`."""
        found: list[dict[str, Any]] = self._portal("verify", "--books", "--json")["breaches"]
        return found

    def disputes(self) -> list[Dispute]:
        """`portal disputes list`."""
        found: list[Dispute] = self._portal("disputes", "list", "--json")
        return found

    def decide(self, number: str, choice: str) -> None:
        """`portal disputes decide`."""
        self._run("disputes", "decide", number, choice, "--reason", "after the storm")

    def close(self) -> None:
        """Nothing was changed."""

    def _left(self) -> list[tuple[str, str, int]]:
        query = "select kind, substr(last_detail, 1, 60), count(*) from tasks where done_at is null group by 1, 2 order by 3 desc"
        with sqlite3.connect(f"file:{self._configuration.with_name('portal.db')}?mode=ro", uri=True) as database:
            return list(database.execute(query))

    def _portal(self, *words: str) -> Any:
        return json.loads(self._run(*words).stdout)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "portal", *words],
            env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done


class Hurried:
    """In this process, with the portal's clock running ahead over back-offs, leases and deadlines."""

    def __init__(self, configuration: Path) -> None:
        logs.configure(level=logging.ERROR)
        self._house = open_installation(settings.load(configuration, {}))
        self._now, self._ahead = clock.now, timedelta()

    def work(self) -> None:
        """Twenty minutes pass whenever nothing is due; the other side's own clock does not run ahead."""
        for _turn in range(60):
            while work_once(self._house.database, "after the storm", self._house.handlers):
                pass
            with self._house.database.reading() as session:
                if (
                    not session.connection()
                    .exec_driver_sql("select 1 from tasks where done_at is null limit 1")
                    .first()
                ):
                    return
            self._ahead += timedelta(minutes=20)
            time.sleep(0.25)
            clock.now = lambda: self._now() + self._ahead
        raise AssertionError("the outbox does not run empty")

    def breaches(self) -> list[dict[str, Any]]:
        """As the command finds them."""
        found = verify(self._house.database, self._house.storage) + compare(self._house.means).differences
        return [vars(breach) for breach in found]

    def disputes(self) -> list[Dispute]:
        """As the command lists them."""
        with self._house.database.reading() as session:
            cases = [case_of(session, order.number) for order, _account in waiting(session)]
        return [
            {"order": case.order.number, "state": case.order.state, "choices": case.choices,
             "charge": {"state": case.evidence.charge.state}}
            for case in cases if case
        ]  # fmt: skip

    def decide(self, number: str, choice: str) -> None:
        """As the command decides."""
        settle(self._house.database, self._house.operators, "test", number, choice, "after the storm")

    def close(self) -> None:
        """The clock is right again."""
        clock.now = self._now
        self._house.close()
