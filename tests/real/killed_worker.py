"""One worker in a process of its own, to be killed from outside or to die at a point; run by test_workers.py."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from portal import logs, settings
from portal.billing.worker import run_worker
from portal.installation import open_installation
from tests.real.killing import Points


def work(config: str, log: str, point: int) -> None:
    """As `portal worker` does, for ever; it dies at its `point`-th commit or send (0: never)."""
    sys.stderr = Path(log).open("a", encoding="utf-8")  # noqa: SIM115 - until it is killed
    logs.configure()
    house = open_installation(settings.load(Path(config), {}))
    Points(point).watch()
    run_worker(house.database, house.handlers, threading.Event())
