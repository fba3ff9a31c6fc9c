"""A worker as the system runs it: a fresh installation has a catalogue without a command, whoever hangs or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portal import settings
from portal.catalog.offers import on_sale
from portal.installation import open_installation
from portal.migrations import schema

ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(company, tmp_path):
    """An installation that nobody has ever read a list for."""
    path = tmp_path / "portal.toml"
    path.write_text(company.configuration(8000), encoding="utf-8")
    made = open_installation(settings.load(path, {}))
    schema.upgrade(made.database)
    yield made
    made.close()


@pytest.fixture
def worker(tmp_path):
    """Starts `portal worker`; it is ended at the end."""
    running = []

    def start():
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        environment |= {"PORTAL_CONFIG": str(tmp_path / "portal.toml"), "PYTHONPATH": str(ROOT)}
        with (tmp_path / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "portal", "worker"], env=environment, cwd=ROOT, stdout=log, stderr=log
            )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


def merchants_on_sale(house):
    with house.database.reading() as session:
        return {row.merchant for row in on_sale(session)}


def until(condition, seconds=120):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_fresh_installation_has_a_catalogue_and_one_that_hangs_takes_nobody_elses_place(company, house, worker):
    company.merchants.set_fault("lesechos", "hang")
    process = worker()
    others = {*house.merchants.loaded} - {"lesechos"}
    until(lambda: merchants_on_sale(house) == others)
    until(lambda: [each.merchant for each in house.lists.standing() if each.is_read_now] == ["lesechos"])
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    company.merchants.set_fault("lesechos", None)
    worker()
    until(lambda: merchants_on_sale(house) == {*house.merchants.loaded})
    until(lambda: all(each.next_at and not each.problem for each in house.lists.standing()))
