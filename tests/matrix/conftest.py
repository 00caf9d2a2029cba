"""All cells, asked once for every test of this folder."""

from __future__ import annotations

import pytest

from tests.matrix import page
from tests.matrix.page import Tables


@pytest.fixture(scope="session")
def tables() -> Tables:
    return page.run()
