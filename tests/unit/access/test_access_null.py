"""The Null condition."""

from __future__ import annotations

import pytest

from tests.unit.access.scenes import met


@pytest.mark.parametrize(
    ("wanted", "given", "fits"),
    [
        ("true", None, True), ("true", "x", False), ("true", "", False), ("true", (), True),
        ("false", None, False), ("False", "x", True), ("false", "", True), ("false", (), False),
        (["true", "false"], None, True), (["true", "false"], "x", True),
    ],
)  # fmt: skip
def test_null_asks_for_the_key_alone(wanted, given, fits) -> None:
    """True wants the key absent, false wants it there; an empty string is a value, no values are none."""
    assert met("Null", wanted, given) is fits


@pytest.mark.parametrize("operator", ["NullIfExists", "ForAnyValue:Null", "ForAllValues:Null"])
def test_null_takes_no_suffix_and_no_prefix(operator) -> None:
    """To ask whether a key exists, if it exists, is no question."""
    with pytest.raises(ValueError, match="not a condition operator"):
        met(operator, "true")
