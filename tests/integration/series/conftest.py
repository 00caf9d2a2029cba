"""Series on each database of the store, with keys as the server has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from craton.infra.cipher.keyring import Keyring
from craton.infra.cipher.root import RootKey
from craton.infra.cipher.stored import StoredCipher
from craton.infra.series.engine import SealedSeries
from craton.infra.store.opening import open_store
from craton.infra.store.threaded import ThreadedStore
from tests.postgres import PostgreSQL


class World:
    """One process's way to series; `again` is another process's."""

    def __init__(self, place: str | Path) -> None:
        self.place = place
        self.storage = ThreadedStore(lambda: open_store(place), self.nothing, lambda: b"p" * 32)
        self.cipher = StoredCipher(
            self.storage, Keyring(lambda: RootKey(b"k" * 32)), lambda: datetime.now(UTC), "us-east-1"
        )
        self.reported: list[BaseException] = []
        self.series = SealedSeries(self.storage, self.cipher, self.reported.append)

    async def nothing(self) -> None:
        """No worker has to hear of a write."""

    def again(self) -> World:
        return World(self.place)


@pytest.fixture(params=["file", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    place: str | Path = tmp_path / "store.db"
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        place = server.store()
    made = World(place)
    yield made
    assert made.reported == []
    made.storage.close()
