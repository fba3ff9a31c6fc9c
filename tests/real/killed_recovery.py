"""Rounds of recovery, each in a fork that is killed at a chosen commit or send; run by test_recovery.py.

Reads `CONFIG POINT` from standard input, line by line (POINT 0: never killed), and answers each with one line: how the
fork ended (0, or -9 when it was killed) and how many points it passed.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from portal import logs, settings
from portal.installation import open_installation
from tests.real.killing import Points


def recover(config: str, point: int, told: int) -> None:
    """The round, in the fork."""
    points = Points(point)
    house = open_installation(settings.load(Path(config), {}))
    points.watch()
    house.recovery.now()
    os.write(told, str(points.passed).encode())
    os._exit(0)


logs.configure(level=logging.CRITICAL)
for line in sys.stdin:
    config, point = line.split()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            recover(config, int(point), theirs)
        finally:
            os._exit(1)
    os.close(theirs)
    _child, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), os.read(ours, 10).decode() or "0", flush=True)
    os.close(ours)
