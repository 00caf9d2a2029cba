"""One Ray cluster for the tests of this folder: making it takes ten seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.compute.ray_cluster import ray_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two nodes."""
    with ray_cluster(2) as made:
        yield made
