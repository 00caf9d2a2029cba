"""The page `docs/compatibility.md` says what the code does now."""

from __future__ import annotations

from pathlib import Path

from tests.matrix import page
from tests.matrix.page import Tables

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


def test_the_page_is_what_the_cells_yield(tables: Tables) -> None:
    """If not, run `python tools/compatibility.py` and read what changed."""
    assert PAGE.read_text(encoding="utf-8") == page.page(tables)
