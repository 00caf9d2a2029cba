"""What filters mean: the reference."""

from __future__ import annotations

from typing import Any

import pytest

from craton.infra.vectors.filters import matches
from craton.infra.vectors.port import Both, Compare, Either

CHUNK = {"name": "Ada", "year": 1843.0, "open": True, "tags": ("maths", "notes")}


@pytest.mark.parametrize(
    ("op", "key", "value", "holds"),
    [
        ("equals", "name", "Ada", True),
        ("equals", "year", 1843, True),
        ("equals", "open", True, True),
        ("equals", "open", 1.0, False),
        ("equals", "year", "1843", False),
        ("equals", "tags", "maths", False),
        ("notEquals", "name", "Ada", False),
        ("notEquals", "year", "1843", True),
        ("notEquals", "missing", "x", True),
        ("greaterThan", "year", 1842.5, True),
        ("greaterThan", "year", 1843.0, False),
        ("greaterThanOrEquals", "year", 1843.0, True),
        ("lessThan", "year", 1843.0, False),
        ("lessThanOrEquals", "year", 1843.0, True),
        ("lessThan", "name", 5.0, False),
        ("lessThan", "open", 5.0, False),
        ("lessThan", "missing", 5.0, False),
        ("in", "name", ("Bob", "Ada"), True),
        ("in", "name", (), False),
        ("in", "open", (1.0,), False),
        ("notIn", "name", ("Bob",), True),
        ("notIn", "missing", ("Bob",), True),
        ("notIn", "name", ("Ada",), False),
        ("startsWith", "name", "A", True),
        ("startsWith", "tags", "maths", False),
        ("stringContains", "name", "d", True),
        ("stringContains", "tags", "ote", True),
        ("stringContains", "tags", "sn", False),
        ("stringContains", "year", "18", False),
        ("listContains", "tags", "notes", True),
        ("listContains", "tags", "note", False),
        ("listContains", "name", "Ada", False),
    ],
)
def test_a_comparison_is_strict_about_types(op: Any, key: str, value: Any, *, holds: bool) -> None:
    """Only an attribute of the type that the operator compares fulfils it, and a negation holds where that is missing."""
    assert matches(Compare(op, key, value), CHUNK) is holds


def test_groups_hold_as_their_words_say() -> None:
    """All members of the one, some member of the other, to any depth."""
    ada, bob = Compare("equals", "name", "Ada"), Compare("equals", "name", "Bob")
    assert matches(Either((bob, Both((ada, Compare("listContains", "tags", "maths"))))), CHUNK)
    assert not matches(Both((ada, bob)), CHUNK)
    assert not matches(Either((bob, bob)), CHUNK)
