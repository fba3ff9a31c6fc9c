"""Where an installed package is, found without running a line of it, which importing it would do."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def folder_of_package(name: str) -> Path:
    """The folder of a package by its dotted name; one that does not exist when there is no such package."""
    first, *rest = name.split(".")
    try:
        found = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        found = None
    places = [Path(place).joinpath(*rest) for place in (found and found.submodule_search_locations) or ()]
    whole = [place for place in places if (place / "connector.toml").is_file()]
    return next(iter([*whole, *places]), Path(name))
