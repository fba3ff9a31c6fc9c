"""The documentation says what the code does."""

from __future__ import annotations

import re
import tomllib
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from portal import settings
from portal.billing import charges
from portal.checkout import orders
from portal.commands import portal

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "connectors").rglob("README.md")]


@pytest.fixture
def drawings():
    loader = SourceFileLoader("drawings", str(ROOT / "docs" / "drawings.py"))
    module = module_from_spec(spec_from_loader("drawings", loader))
    loader.exec_module(module)
    return module


def test_the_state_drawings_are_made_from_the_tables(drawings):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

    assert drawings.drawn(page) == page, "run: python docs/drawings.py"
    assert page.count(" --> ") >= len(orders.MOVES) + len(charges.MOVES)


def test_a_drawing_that_has_lost_its_place_is_an_error(drawings):
    with pytest.raises(LookupError, match="order"):
        drawings.drawn("# nothing")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
    for path in re.findall(r"`((?:portal|connectors|demo|tests|docs|instance)/[\w./-]*)`", text):
        assert (ROOT / path).exists() or path.startswith("instance/portal.toml"), path


def test_every_command_the_readme_names_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in re.findall(r"\./run ([a-z]+(?: [a-z][a-z-]*)?)", text):
        first, *rest = line.split()
        command = portal.get_command(None, first)
        assert command is not None, line
        if rest and hasattr(command, "commands"):
            assert rest[0] in command.commands, line


def test_the_example_configuration_is_one(tmp_path):
    text = (ROOT / "instance" / "portal.example.toml").read_text(encoding="utf-8")
    path = tmp_path / "portal.toml"
    path.write_text(text, encoding="utf-8")
    for name in re.findall(r'_file\s*=\s*"([^"]+)"', text):
        (tmp_path / name).write_text("secret", encoding="utf-8")

    loaded = settings.load(path, {})

    assert loaded.directory.urls
    assert set(tomllib.loads(text)) == set(settings.Settings.model_fields) - {"folder"}
