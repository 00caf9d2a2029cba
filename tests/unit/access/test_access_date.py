"""Date conditions."""

from __future__ import annotations

import pytest

from tests.unit.access.scenes import met

NEW_YEAR = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "fits"),
    [
        ("DateEquals", NEW_YEAR, "2026-01-01", True),
        ("DateEquals", NEW_YEAR, "2026-01", True),
        ("DateEquals", NEW_YEAR, "1767225600", True),
        ("DateEquals", NEW_YEAR, "2026-01-01T01:00:00+01:00", True),
        ("DateEquals", NEW_YEAR, "2026-01-01T00:00:00.5Z", False),
        ("DateEquals", NEW_YEAR, "soon", False),
        ("DateEquals", NEW_YEAR, "2026-13-01", False),
        ("DateNotEquals", NEW_YEAR, "2026-01-02", True),
        ("DateNotEquals", NEW_YEAR, "2026-01-01", False),
        ("DateLessThan", NEW_YEAR, "2025-12-31T23:59:59Z", True),
        ("DateLessThan", NEW_YEAR, "2026-01-01", False),
        ("DateLessThanEquals", NEW_YEAR, "2026-01-01", True),
        ("DateGreaterThan", NEW_YEAR, "2026-01-01T00:00:01Z", True),
        ("DateGreaterThan", "1767225600", NEW_YEAR, False),
        ("DateGreaterThanEquals", "1767225600", NEW_YEAR, True),
        ("DateGreaterThanEquals", "0001-01-01", "0001-01-01T00:00:00+14:00", False),
    ],
)
def test_moments_are_compared(operator, wanted, given, fits) -> None:
    """ISO dates in any zone and seconds since 1970 are moments; anything else fits nothing."""
    assert met(operator, wanted, given) is fits


@pytest.mark.parametrize("broken", ["yesterday", "", "2026-02-30", "2026-W01", "20260101T000000Z", "12:00"])
def test_values_that_are_no_dates_are_refused(broken) -> None:
    """A policy cannot hold a date that never compares."""
    with pytest.raises(ValueError, match="is not a date"):
        met("DateEquals", broken, NEW_YEAR)
