"""Commands as an administrator runs them, against the running demonstration company."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from demo.company import Company
from portal.commands import portal
from portal.installation import Installation


@dataclass
class Terminal:
    """A terminal in the folder of one `portal.toml`."""

    configuration: Path

    def run(self, *words: str, typed: str = "", **variables: str) -> Result:
        """One command; a traceback is a failure whatever its exit code."""
        environment = {"PORTAL_CONFIG": str(self.configuration), **variables}
        result = CliRunner().invoke(portal, words, input=typed, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        """What a command says to machines."""
        result = self.run(*words, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def change(self, old: str, new: str) -> None:
        """Edit the configuration."""
        text = self.configuration.read_text(encoding="utf-8")
        assert old in text
        self.configuration.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def terminal(company: Company, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal beside a configuration of the company; nothing is installed yet."""
    path = tmp_path / "portal.toml"
    path.write_text(company.configuration(8000), encoding="utf-8")
    handlers = logging.getLogger().handlers[:]
    yield Terminal(path)
    logging.getLogger().handlers = handlers


@pytest.fixture
def furnished(installation: Installation, terminal: Terminal) -> Terminal:
    """The same with a database, a catalogue and rules."""
    return terminal
