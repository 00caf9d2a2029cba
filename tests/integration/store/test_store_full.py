"""A database that may not grow any further says so, and not that it is busy."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from craton.infra.store.port import Full
from craton.infra.store.sql import translated


def test_a_full_disk_has_an_error_of_its_own(tmp_path: Path) -> None:
    """To try again would find the same disk."""
    engine = create_engine(f"sqlite:///{tmp_path / 'full.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE rows (body BLOB)"))
        connection.execute(text("PRAGMA max_page_count = 8"))
        with pytest.raises(Full, match="full"), translated():
            connection.execute(text("INSERT INTO rows VALUES (zeroblob(1000000))"))
    engine.dispose()
