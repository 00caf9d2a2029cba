"""Servers that the acceptance tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.running import Running

if TYPE_CHECKING:
    from tests.acceptance.answering import Library
    from tests.acceptance.retrieving import Retrieving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with all defaults: every text model answers through the sample model."""
    with Running(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A server with a small knowledge base, whose chat models are a fake vendor."""
    from tests.acceptance.answering import library  # few tests need what this loads

    with library(tmp_path_factory.mktemp("shelf")) as found:
        yield found


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retrieving]:
    """A server whose models for embeddings, rankings and conversations are fakes."""
    from tests.acceptance.retrieving import retrieving

    with retrieving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two workers, a second account, and small quotas on what knowledge bases have."""
    from tests.acceptance.knowledge import LIBRARIES

    with Running(tmp_path_factory.mktemp("libraries"), LIBRARIES, "--workers", "2") as running:
        yield running
