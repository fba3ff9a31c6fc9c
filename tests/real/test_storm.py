"""A short storm: forty purchases over real HTTP, everything fails now and then, processes are killed; the books agree.

The whole one, a thousand purchases, is `python -m tests.real.storm`.
"""

from __future__ import annotations

import random

from tests.real.storm import KINDS, Plan, storm


def test_a_short_storm(tmp_path):
    plan = Plan(
        purchases=40, buyers=12, seconds=13, kills=3, seed=random.SystemRandom().randrange(10**6), kill_every_s=4
    )  # fmt: skip
    print(plan)
    log = storm(plan, tmp_path, hurry=True)

    assert log.counts["purchases"] == 40
    assert log.counts["restarts"] >= 1
    assert sum(log.counts[f"killed {kind}"] for kind in KINDS) >= 3
