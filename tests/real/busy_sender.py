"""One of several senders on one spool; run by test_usage_crash.py.

usage: busy_sender.py FOLDER NAME   (charges, refunds and delivers as fast as it can, then ends)
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from tests.connectors.conftest import charge
from tests.connectors.usage_office import reopened

folder, name = Path(sys.argv[1]), sys.argv[2]
office = reopened(folder)
for number in range(25):
    # Everybody tries the shared key: one of them makes the line.
    for key in (f"{name}-{number}", f"shared-{number}"):
        kept = office.adapter.charge(charge(key=key, reference=f"G-{key[:9]}"))
        assert getattr(kept, "state", "") == "captured", kept
    office.adapter.files.close(office.today + timedelta(days=1))
    office.adapter.files.deliver()
