"""The databases that the index of objects is tested on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from craton.infra.store.opening import open_store
from craton.infra.store.port import Store
from tests.postgres import PostgreSQL

BACKENDS = ("file", "postgresql")


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        made = open_store(server.store())
    else:
        made = open_store(tmp_path / "home" / "store.db", durable=False)
    yield made
    made.close()
