"""Servers that several tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.postgres import NOT_DURABLE, Postgres, private_postgresql


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL, running; each test makes the databases it needs."""
    with private_postgresql(*NOT_DURABLE) as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database with our tables, to make others from."""
    return postgres.furnished()
