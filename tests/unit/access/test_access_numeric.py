"""Numeric conditions."""

from __future__ import annotations

import pytest

from tests.unit.access.scenes import met


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "fits"),
    [
        ("NumericEquals", "10", "10.0", True),
        ("NumericEquals", "0.1", "0.10000000000000000000000001", False),
        ("NumericEquals", "1e3", "1000", True),
        ("NumericEquals", "1", "x", False),
        ("NumericNotEquals", "1", "x", True),
        ("NumericNotEquals", "1", "1.0", False),
        ("NumericLessThan", "10", "9.99", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThan", ["1", "100"], "50", True),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericLessThanEquals", "-1", "-0.5", False),
        ("NumericGreaterThan", "10", "11", True),
        ("NumericGreaterThan", "10", "10", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericGreaterThanEquals", "10", "9", False),
        ("NumericGreaterThan", "10", "NaN", False),
        ("NumericGreaterThan", "10", "Infinity", False),
        ("NumericLessThan", "10", "", False),
        ("NumericLessThan", "10", "١", False),
    ],
)
def test_numbers_are_compared_exactly(operator, wanted, given, fits) -> None:
    """Decimal numbers are compared without rounding; what is no number fits nothing."""
    assert met(operator, wanted, given) is fits


@pytest.mark.parametrize("broken", ["x", "", "1,000", "NaN", "1e99999", "0x10", "1 "])
def test_values_that_are_no_numbers_are_refused(broken) -> None:
    """A policy cannot hold a number that never compares."""
    with pytest.raises(ValueError, match="is not a number"):
        met("NumericEquals", broken, "1")
