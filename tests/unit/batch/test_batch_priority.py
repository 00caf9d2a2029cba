"""Calls of a batch stand behind all others where a target takes only so many at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from craton.features.inference import tiers
from craton.models.canon.request import ServiceTier


def call(**headers: bytes) -> Any:
    return SimpleNamespace(headers={name.replace("_", "-").encode(): value for name, value in headers.items()})


@pytest.mark.parametrize("tier", [None, ServiceTier("priority")])
def test_a_batch_is_last_whatever_its_body_says(tier: ServiceTier | None) -> None:
    """The header of a batch outweighs the tier that a record's body asks for."""
    assert tiers.rank(call(x_craton_priority=b"batch"), tier) == max(tiers.RANKS.values())


def test_others_keep_their_rank() -> None:
    """Without that header, or with another word in it, a call has the rank of its tier."""
    assert tiers.rank(call(), None) == tiers.DEFAULT
    assert tiers.rank(call(x_craton_priority=b"high"), None) == tiers.DEFAULT
    assert tiers.rank(call(), ServiceTier("priority")) == tiers.RANKS["priority"]
