"""Which version an alias leads to."""

from __future__ import annotations

from craton.features.functions.choosing import version_of
from craton.features.functions.function import Alias


def test_an_alias_shares_out_by_weight() -> None:
    """The further versions get their shares, the alias's own the rest."""
    alias = Alias(version="1", revision="r", weights={"2": 0.25})
    assert version_of(alias, lambda: 0.0) == "2"
    assert version_of(alias, lambda: 0.249) == "2"
    assert version_of(alias, lambda: 0.25) == "1"
    assert version_of(alias, lambda: 0.999) == "1"
    assert version_of(Alias(version="3", revision="r"), lambda: 0.0) == "3"
