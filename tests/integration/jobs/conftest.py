"""Stores that runs are kept in, one of each database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from craton.infra.store.opening import MEMORY, open_store
from craton.infra.store.port import Store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store."""
    made = open_store(MEMORY if request.param == "sqlite" else request.getfixturevalue("postgresql").store())
    yield made
    made.close()
