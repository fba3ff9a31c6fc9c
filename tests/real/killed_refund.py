"""One refund in a process of its own, killed at a chosen commit or send; run by test_killed_refund.py.

usage: killed_refund.py CONFIG ORDER CENTS POINT   (POINT 0: never killed; prints how many points there are)
"""

from __future__ import annotations

import sys
from pathlib import Path

from portal import settings
from portal.billing import charges, refunds
from portal.billing.worker import work_once
from portal.installation import open_installation
from tests.real.killing import Points

config, order, cents, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
points = Points(wanted)
house = open_installation(settings.load(Path(config), {}))
points.watch()

with house.database.transaction() as session:
    refunds.ask(session, "test", charges.of_order(session, order), cents, "broken")
while work_once(house.database, house.owner, house.handlers):
    pass
print(points.passed)
