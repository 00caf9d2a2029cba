"""Boolean conditions."""

from __future__ import annotations

import pytest

from tests.unit.access.scenes import met


@pytest.mark.parametrize(
    ("wanted", "given", "fits"),
    [
        ("true", "true", True),
        ("True", "TRUE", True),
        ("true", "false", False),
        ("false", "false", True),
        ("true", "1", False),
    ],
)
def test_bool(wanted, given, fits) -> None:
    """True is true in any case; a value that is neither true nor false fits nothing."""
    assert met("Bool", wanted, given) is fits


def test_absent_key() -> None:
    """Bool on an absent key fails, so only BoolIfExists lets long-lived keys through an MFA condition."""
    assert not met("Bool", "true")
    assert met("BoolIfExists", "true")
    assert not met("BoolIfExists", "true", "false")


def test_other_words_are_refused() -> None:
    """A policy cannot ask whether something is "yes"."""
    with pytest.raises(ValueError, match="neither true nor false"):
        met("Bool", "yes", "true")
