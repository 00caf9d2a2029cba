"""A quota split among servers: each has its part, whoever comes and goes, and large requests still pass."""

from __future__ import annotations

from craton.infra.quota.buckets import Buckets


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_server_of_two_gives_half() -> None:
    """After it has been one of them for a minute; half as fast as well."""
    clock = Clock()
    buckets = Buckets(clock)
    buckets.share(2)
    clock.now += 60
    assert buckets.give("a", 100, 1, 100).granted == 50
    clock.now += 6
    assert buckets.give("a", 100, 1, 100).granted == 5


def test_who_joins_others_begins_with_nothing() -> None:
    """They may have given all of this minute's already."""
    clock = Clock()
    buckets = Buckets(clock)
    buckets.share(2)
    assert buckets.give("a", 60, 1, 10).wait_s == 2.0
    clock.now += 2
    assert buckets.give("a", 60, 1, 10).granted == 1.0


def test_a_server_left_alone_has_the_whole_rate() -> None:
    """What the others had comes in by time."""
    clock = Clock()
    buckets = Buckets(clock)
    buckets.share(2)
    clock.now += 60
    buckets.give("a", 60, 30, 30)
    buckets.share(1)
    clock.now += 60
    assert buckets.give("a", 60, 60, 60).granted == 60


def test_a_request_larger_than_a_share_passes_and_is_owed() -> None:
    """A full bucket gives it; the next waits until that is paid."""
    clock = Clock()
    buckets = Buckets(clock)
    buckets.share(4)
    clock.now += 60
    assert buckets.give("a", 100, 80, 85).granted == 80
    refused = buckets.give("a", 100, 80, 85)
    assert refused.granted == 0
    assert refused.wait_s == 80 * 60 / 25
    clock.now += refused.wait_s
    assert buckets.give("a", 100, 80, 85).granted == 80


def test_a_request_larger_than_the_quota_never_passes() -> None:
    """However many servers there are."""
    clock = Clock()
    buckets = Buckets(clock)
    assert buckets.give("a", 100, 101, 106).granted == 0
    buckets.share(2)
    clock.now += 6000
    assert buckets.give("a", 100, 101, 106).granted == 0
