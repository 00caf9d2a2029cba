"""What was used lately is kept, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from craton.aws.access.recent import Recent
from craton.aws.access.record import Calls, Record


@given(st.lists(st.integers(0, 60), max_size=300), st.integers(1, 20))
def test_bounds(asked: list[int], size: int) -> None:
    """It holds the latest `size` keys at least and twice as many at most, and never another's value."""
    kept: Recent[int, str] = Recent(size)
    latest: list[int] = []
    for key in asked:
        assert kept.get(key) in (None, str(key))
        kept.put(key, str(key))
        latest = [*(one for one in latest if one != key), key][-size:]
        assert len(kept) <= 2 * size
        assert set(latest) <= set(kept)


def test_what_is_asked_for_stays() -> None:
    """A key that is asked for again and again outlives any number of others."""
    kept: Recent[int, str] = Recent(10)
    kept.put(-1, "here")
    for number in range(1000):
        kept.put(number, "")
        assert kept.get(-1) == "here"


def test_calls_are_bounded() -> None:
    """Of one principal a bounded number of pairs is kept, and none whose resource is nobody's ARN."""
    calls = Calls()
    for number in range(1000):
        calls.take(("a", str(number)), allowed=True)
    calls.take(("a", "x" * 600), allowed=False)
    assert len(calls.allowed) == 256
    assert calls.full
    assert not calls.refused


def test_records_are_bounded() -> None:
    """So is the number of principals."""
    record = Record()
    for number in range(5000):
        record.of(str(number)).take(("a", "b"), allowed=True)
    assert record.known("0") is None
    assert record.known("4999") is not None
