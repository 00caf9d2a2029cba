"""Blocks: packed, merged and searched without loss, and no other bytes taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.infra.series.block import Block, Damaged, Run, compress, expand, merged, pack
from craton.infra.series.port import Point, Where, ident_of

TEXTS = st.binary(max_size=6)
BATCHES = st.lists(st.lists(st.tuples(st.integers(0, 1000), TEXTS), min_size=1, max_size=6), min_size=1, max_size=4)


class Having:
    """Points with these bytes in them."""

    def __init__(self, needle: bytes) -> None:
        self.needles, self.recipe = (needle,), None

    def matches(self, data: bytes) -> bool:
        return self.needles[0] in data


def block_of(batches: list[list[tuple[int, bytes]]]) -> Block:
    runs = [sorted(points, key=lambda point: point[0]) for points in batches]
    blocks = [
        Block(pack(Run(0, 7, len(points)), [Point(*point) for point in points]), batch=number)
        for number, points in enumerate(runs, 1)
    ]
    return Block(expand(compress(merged(blocks))))


@given(BATCHES, st.integers(0, 1000), st.integers(0, 1000))
def test_everything_is_found_again(batches: list[list[tuple[int, bytes]]], start: int, stop: int) -> None:
    """A merged block gives out the points of a span, each with the place that it had when it came."""
    found = block_of(batches).select("s", Where(start_ms=start, stop_ms=stop), None)
    expected = sorted(
        (ident_of(at, batch, index), data)
        for batch, points in enumerate(batches, 1)
        for index, (at, data) in enumerate(sorted(points, key=lambda point: point[0]))
        if start <= at < stop
    )
    assert sorted((entry.ident, entry.data) for entry in found) == expected


@given(BATCHES, st.binary(min_size=1, max_size=2))
def test_a_needle_finds_what_a_look_at_each_finds(batches: list[list[tuple[int, bytes]]], needle: bytes) -> None:
    """Searching the block as a whole misses nothing, whatever stands at the borders of points."""
    found = block_of(batches).select("s", Where(), Having(needle))
    expected = sorted(data for points in batches for _, data in points if needle in data)
    assert sorted(entry.data for entry in found) == expected


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff\xff\xff\xff", b"\x02\x00\x00\x00\x92\x00", b"x" * 40])
def test_other_bytes_are_damaged(data: bytes) -> None:
    """What is no block is told to be damaged."""
    with pytest.raises(Damaged):
        Block(data)
    with pytest.raises(Damaged):
        expand(data)
