"""A database for catalogues."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.database import Database
from portal.migrations import schema


@pytest.fixture
def database(tmp_path: Path, ready_database: Path) -> Iterator[Database]:
    """A database with nothing in it."""
    schema.metadata()
    shutil.copy(ready_database, tmp_path)
    made = Database(f"sqlite:///{tmp_path}/portal.db")
    yield made
    made.close()
