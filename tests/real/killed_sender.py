"""A sender of usage files, killed at every statement, fsync, open and rename in turn; run by test_usage_crash.py.

usage: killed_sender.py FOLDER   (prints how many points there were; a traceback names the point that broke a promise)
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import sqlite3
import sys
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from connectors.contract import ConnectorError
from tests.connectors.conftest import charge
from tests.connectors.usage_office import Office, open_office
from tests.connectors.usage_reader import answer

FIRST, SECOND = charge(1000, 167, reference="G-1"), charge(424, 71, reference="G-2")
wanted = passed = 0


def point() -> None:
    """Die here if this is the chosen point; 0 is nowhere."""
    global passed
    passed += 1
    if passed == wanted:
        os.kill(os.getpid(), signal.SIGKILL)


class Statements(sqlite3.Connection):
    """Two points around every statement that writes, so also around every commit."""

    def execute(self, *arguments: Any) -> Any:
        """The statement; one that only looks can be half done without harm."""
        writes = arguments[0].split()[0] not in {"SELECT", "PRAGMA", "BEGIN"}
        point() if writes else None
        done = super().execute(*arguments)
        point() if writes else None
        return done


class Halves(io.BufferedWriter):
    """A file of which a half may be written."""

    def write(self, content: Any) -> int:
        """One half, a point, the other half."""
        middle = len(content) // 2
        written = super().write(content[:middle])
        self.flush()
        point()
        return written + super().write(content[middle:])


def instrument(folder: Path) -> None:
    """Put points wherever something can be half done."""
    connect, fsync, opened = sqlite3.connect, os.fsync, Path.open

    def synced(descriptor: int) -> None:
        point()
        fsync(descriptor)
        point()

    def seen(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" or (event == "open" and str(arguments[0]).startswith(str(folder))):
            point()

    def halved(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode in {"wb", "xb"}:
            return Halves(io.FileIO(path, mode[0]))
        return opened(path, mode, *arguments, **options)

    os.fsync = synced
    Path.open = halved  # type: ignore[method-assign, assignment]
    sqlite3.connect = lambda *arguments, **options: connect(*arguments, factory=Statements, **options)  # type: ignore[assignment]
    sys.addaudithook(seen)


def work(office: Office) -> None:
    """A day of a sender: two charges, one given back in part, files, an answer, a file issued again."""
    first = office.adapter.prepare(FIRST)
    office.adapter.confirm(first.ref)  # type: ignore[union-attr]
    office.adapter.charge(SECOND)
    office.send()
    office.adapter.refund(first.ref, 100, "back")  # type: ignore[union-attr]
    office.send()
    for path in office.there():
        denied = [line for line in path.read_text().splitlines() if SECOND.key in line]
        with contextlib.suppress(FileExistsError):
            answer(path, [(int(line.split(",")[1]), SECOND.key, "NO", "") for line in denied])
    office.adapter.files.read_answers()
    if office.adapter.files.listing()[0].repeats == 0:
        office.adapter.files.reissue(1)


def judge(office: Office) -> None:
    """What the kill has left can be read; after a restart everything was told once, under numbers without a gap."""
    office.reader.read_folder(office.out)
    work(office)
    office.adapter.files.deliver()
    office.adapter.files.read_answers()
    office.reader.read_folder(office.out)
    assert office.reader.missing() == set()
    assert set(office.reader.billed) == {FIRST.key, SECOND.key, "back"}
    assert office.reader.total == Decimal("13.24")
    files = office.adapter.files.listing()
    assert {file.number for file in files} == {number for _account, _series, number in office.reader.seen}
    assert all(file.state in {"accepted", "accepted_in_part"} for file in files), files
    assert [line.key for line in office.adapter.files.rejected()] == [SECOND.key]


def main(folder: Path) -> None:
    """Every point in turn."""
    global wanted
    template = folder / "template"
    template.mkdir()
    open_office(template)
    for wanted in count(1):
        place = folder / str(wanted)
        shutil.copytree(template, place)
        (place / "out").rmdir()
        office = open_office(place)
        child = os.fork()
        if not child:
            code = 1
            try:
                instrument(place)
                work(office)
                code = 0
            except ConnectorError as error:
                print(error, file=sys.stderr)
            finally:
                os._exit(code)
        _pid, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        assert killed or status == 0, (wanted, status)
        chosen, wanted = wanted, 0
        try:
            office.at += timedelta(minutes=1)
            judge(office)
        except Exception as error:
            raise AssertionError(f"killed at point {chosen}") from error
        wanted = chosen
        shutil.rmtree(place)
        if not killed:
            print(chosen - 1)
            return


main(Path(sys.argv[1]))
