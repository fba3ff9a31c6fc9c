"""The kit as a pytest plugin: with `-p connectors.kit.plugin`, every `connector.toml` that pytest meets is a file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connectors.kit import CHECKS, Report, Result, prove


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A connector's manifest stands for its folder."""
    if file_path.name != "connector.toml":
        return None
    made: pytest.Collector = ConnectorFile.from_parent(parent, path=file_path)
    return made


@cache
def _report(folder: Path) -> Report:
    return prove(folder)


class ConnectorFile(pytest.File):
    """One connector: a test for each check."""

    def collect(self) -> Iterator[pytest.Item]:
        """Every check, in the kit's order."""
        for each in CHECKS:
            yield CheckItem.from_parent(self, name=each.id)


class NotPassed(Exception):
    """A check that failed."""


class CheckItem(pytest.Item):
    """One check of one connector; the first that runs proves them all."""

    def runtest(self) -> None:
        """Pass, skip with the reason, or fail with what was exchanged."""
        result = next(each for each in _report(self.path.parent).results if each.check.id == self.name)
        if result.outcome == "skipped":
            pytest.skip(result.why["en"])
        if result.outcome == "failed":
            raise NotPassed(_told(result))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """What the kit says; how it found out is of no interest."""
        if isinstance(excinfo.value, NotPassed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands in a listing."""
        return self.path, None, f"{self.path.parent.name}: {self.name}"


def _told(result: Result) -> str:
    return "\n".join([result.check.words["en"], result.why["en"], result.remedy["en"], *result.exchanges])
