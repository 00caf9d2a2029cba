"""A replica that did not answer is asked again after a moment, although no placement says that it is back."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from craton.features.inference.replicas import line as lines
from craton.features.inference.replicas.line import Line
from craton.models.catalog.hosted import Placement, Seat
from craton.models.providers.seats import Terms


def test_a_shunned_seat_is_trusted_again_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a report of load after that; one before changes nothing."""
    now = [100.0]
    monkeypatch.setattr(lines, "monotonic", lambda: now[0])
    nothing: Any = lambda _: None  # noqa: E731
    made = Line("m", nothing, nothing, 1, Random(1))
    made.take_up(Placement(deployment="m", standing="ready", seats=[Seat("a", "unix:/a", 4, [])]))
    seat = made.take(10, b"{}", Terms())
    assert seat is not None
    seat.shun()
    made.hear({})
    assert made.take(10, b"{}", Terms()) is None
    now[0] += 3.0
    made.hear({})
    assert made.take(10, b"{}", Terms()) is not None
