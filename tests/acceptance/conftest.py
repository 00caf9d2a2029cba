"""Servers that the acceptance tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running import Running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with all defaults: every text model answers through the sample model."""
    with Running(tmp_path_factory.mktemp("home")) as running:
        yield running
