"""Stores that runs are kept in, one of each database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from craton.infra.store.opening import MEMORY, open_store
from craton.infra.store.port import Store
from tests.postgres import PostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for all tests; each takes a database of its own."""
    with PostgreSQL(durable=False) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store."""
    made = open_store(MEMORY if request.param == "sqlite" else request.getfixturevalue("postgresql").database())
    yield made
    made.close()
