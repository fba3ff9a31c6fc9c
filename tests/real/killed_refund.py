"""One refund in a process of its own, killed at a chosen commit or send; run by test_killed_refund.py.

usage: killed_refund.py CONFIG ORDER CENTS POINT   (POINT 0: never killed; prints how many points there are)
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import httpx2
from sqlalchemy import event
from sqlalchemy.orm import Session

from portal import settings
from portal.billing import charges, refunds
from portal.billing.worker import work_once
from portal.installation import open_installation

config, order, cents, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
passed = 0


def point(*_arguments: object) -> None:
    """Die here if this is the chosen point."""
    global passed
    passed += 1
    if passed == wanted:
        os.kill(os.getpid(), signal.SIGKILL)


send = httpx2.Client.send


def sending(client: httpx2.Client, *arguments: object, **options: object) -> httpx2.Response:
    """Two points around every request: before it leaves, and after its answer has come."""
    point()
    answer = send(client, *arguments, **options)  # type: ignore[arg-type]
    point()
    return answer


httpx2.Client.send = sending  # type: ignore[assignment, method-assign]
house = open_installation(settings.load(Path(config), {}))
event.listen(Session, "before_commit", point)
event.listen(Session, "after_commit", point)

with house.database.transaction() as session:
    refunds.ask(session, "test", charges.of_order(session, order), cents, "broken")
while work_once(house.database, house.owner, house.handlers):
    pass
print(passed)
