"""For all tests: properties are about what is true, not how long it took on a busy machine; one database server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.postgres import PostgreSQL

settings.register_profile("craton", deadline=None)
settings.load_profile("craton")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for all tests of this process; each takes a database of its own, and none may stop it."""
    from tests.postgres import PostgreSQL  # few tests need what this loads

    with PostgreSQL(durable=False) as server:
        yield server
