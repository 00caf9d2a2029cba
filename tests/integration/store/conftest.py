"""The databases that the store's tests run on. A further one is one line in BACKENDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from craton.infra.store.opening import MEMORY, open_store
from craton.infra.store.port import Store
from craton.infra.store.upgrade import Upgrades
from tests.postgres import PostgreSQL

Opener = Callable[[Upgrades], Store]
Place = Callable[[], str | Path]

BACKENDS = ("memory", "file", "postgresql")
SHARED = ("file", "postgresql")
"""Those that several processes may open."""


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where the test's empty database is; to be parametrised indirectly with a name of BACKENDS."""
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        return server.store() if "store" in request.fixturenames else server.database()
    return MEMORY if request.param == "memory" else tmp_path / "home" / "store.db"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on all that it can run on."""
    names = set(metafunc.fixturenames)
    if "place" in names:
        metafunc.parametrize("place", BACKENDS if "store" in names else SHARED, indirect=True)


@pytest.fixture
def store(place: str | Path) -> Iterator[Store]:
    """An empty store."""
    made = open_store(place)
    yield made
    made.close()


@pytest.fixture
def lasting(place: str | Path) -> Iterator[Opener]:
    """Opens one and the same database each time it is called."""
    opened: list[Store] = []

    def opens(upgrades: Upgrades) -> Store:
        opened.append(open_store(place, upgrades))
        return opened[-1]

    yield opens
    for each in opened:
        each.close()
