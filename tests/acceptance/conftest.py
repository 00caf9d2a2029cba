"""Servers that the acceptance tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.running import Running

if TYPE_CHECKING:
    from tests.acceptance.answering import Library


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
