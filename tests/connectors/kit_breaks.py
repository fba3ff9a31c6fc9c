"""Ways to break a connector: what the kit's tests do to a copy of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.kit import Report

Break = Callable[[Path], None]
CODE = "from connectors.contract import *\nfrom connectors.declared.merchant import DeclaredMerchant\n\n\nclass Connector(DeclaredMerchant):\n"


def failed(report: Report) -> dict[str, str]:
    """What failed, and why."""
    return {result.check.id: result.why["en"] for result in report.failed}


def edit(name: str, *changes: tuple[str, str]) -> Break:
    """Break a file by replacing texts in it."""

    def run(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")

    return run


def code(body: str, head: str = "") -> Break:
    """Break it by code of its own."""

    def run(folder: Path) -> None:
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        (folder / "connector.py").write_text(head + CODE + lines, encoding="utf-8")

    return run


def manifest(*changes: tuple[str, str]) -> Break:
    """Break connector.toml."""
    return edit("connector.toml", *changes)


def without(name: str) -> Break:
    """Forget a file."""
    return lambda folder: (folder / name).unlink()


def shows(step: str, content: Any) -> Break:
    """Write a fixture."""

    def run(folder: Path) -> None:
        (folder / f"fixtures/{step}.json").write_text(json.dumps(content), encoding="utf-8")

    return run


def all_of(*breaks: Break) -> Break:
    """Several at once."""

    def run(folder: Path) -> None:
        for each in breaks:
            each(folder)

    return run
