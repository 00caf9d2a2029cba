"""Binary conditions."""

from __future__ import annotations

import pytest

from tests.unit.access.scenes import met


@pytest.mark.parametrize(
    ("wanted", "given", "fits"),
    [
        ("aGVsbG8=", "aGVsbG8=", True),
        ("aGVsbG8=", "aGVsbG9=", True),
        ("aGVsbG8=", "d29ybGQ=", False),
        ("aGVsbG8=", "@", False),
    ],
)
def test_bytes_are_compared(wanted, given, fits) -> None:
    """Values are equal when what they encode is: spare bits in the last character do not count."""
    assert met("BinaryEquals", wanted, given) is fits


@pytest.mark.parametrize("broken", ["a", "@@@@", "aGVsbG8"])
def test_values_that_are_no_base64_are_refused(broken) -> None:
    """A policy cannot hold bytes that cannot be read."""
    with pytest.raises(ValueError, match="is not base64"):
        met("BinaryEquals", broken, "aGVsbG8=")
