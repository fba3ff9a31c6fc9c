"""Senders of usage files that are killed at every step, and several of them on one spool."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.connectors.usage_office import open_office

HERE = Path(__file__).parent


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / program), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=HERE.parents[1], env={"PYTHONPATH": str(HERE.parents[1])}, **pipes)


def test_killed_at_any_step_every_line_is_told_once(tmp_path):
    with start("killed_sender.py", tmp_path) as program:
        said, complained = program.communicate(timeout=300)

    assert program.returncode == 0, complained[-3000:]
    assert int(said) > 100


@pytest.mark.parametrize("senders", [2, 4])
def test_several_senders_on_one_spool_double_and_lose_nothing(senders, tmp_path):
    office = open_office(tmp_path)
    programs = [start("busy_sender.py", tmp_path, f"sender{number}") for number in range(senders)]
    for program in programs:
        with program:
            _said, complained = program.communicate(timeout=300)
        assert program.returncode == 0, complained[-3000:]
    office.send()

    office.reader.read_folder(office.out)

    assert office.reader.missing() == set()
    assert len(office.reader.billed) == 25 * (senders + 1)
    assert office.reader.total == Decimal("4.24") * 25 * (senders + 1)
    assert [path.name for path in office.out.iterdir() if path.name.endswith(".part")] == []
