"""A database with nothing in it but tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from portal.database import Database
from portal.migrations import schema


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Made by the migrations."""
    made = Database(f"sqlite:///{tmp_path}/rights.db")
    schema.upgrade(made)
    yield made
    made.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """One writing transaction."""
    with database.transaction() as opened:
        yield opened
