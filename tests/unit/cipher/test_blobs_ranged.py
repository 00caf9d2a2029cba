"""Ranges of what was sealed as a stream: plain slices, from little reading, and never a byte that was not sealed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.infra.cipher import envelope, ranged
from craton.infra.cipher.envelope import HEAD_BYTES, PIECE_BYTES, SEALED_BYTES, Cutter
from craton.infra.cipher.port import Tampered

KEY, WRAPPED, BELONGS = bytes(range(32)), b"wrapped" * 25, b"whose"
PLAIN = os.urandom(3 * PIECE_BYTES + 1)
SIZES = (0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 3 * PIECE_BYTES, 3 * PIECE_BYTES + 1)
PLACES = sorted({max(0, border + beside) for border in SIZES for beside in (-1, 0, 1)})


class Lying:
    """Sealed bytes somewhere; `read_bytes` counts what was asked of them."""

    def __init__(self, data: bytes, piece_bytes: int = 50_000) -> None:
        self.data, self.piece_bytes, self.read_bytes = data, piece_bytes, 0

    async def read(self, start: int, stop: int | None) -> AsyncGenerator[bytes]:
        asked = self.data[start:stop]
        for at in range(0, len(asked), self.piece_bytes):
            piece = asked[at : at + self.piece_bytes]
            self.read_bytes += len(piece)
            yield piece


async def unwrap(wrapped: bytes) -> bytes:
    assert wrapped == WRAPPED
    return KEY


@cache
def sealed(size: int) -> bytes:
    async def seal() -> bytes:
        async def source() -> AsyncGenerator[bytes]:
            yield PLAIN[:size]

        return b"".join([piece async for piece in envelope.seal_stream(KEY, WRAPPED, source(), BELONGS)])

    return asyncio.run(seal())


def opened(lying: Lying, start: int, stop: int | None, belongs: bytes = BELONGS) -> bytes:
    async def read() -> bytes:
        found = ranged.open_range(unwrap, lying.read, start, stop, belongs)
        return b"".join([piece async for piece in found])

    return asyncio.run(read())


@pytest.mark.parametrize("size", SIZES)
def test_ranges_at_every_border_are_slices(size: int) -> None:
    """Around each border of pieces, with an end and without, a range is the slice."""
    lying = Lying(sealed(size))
    assert [
        (start, stop)
        for start in PLACES
        for stop in (*PLACES, None)
        if (stop is None or start <= stop) and opened(lying, start, stop) != PLAIN[:size][start:stop]
    ] == []


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, len(PLAIN)), length=st.none() | st.integers(0, len(PLAIN)), size=st.sampled_from(SIZES),
    piece_bytes=st.integers(1000, 200_000),
)  # fmt: skip
def test_any_range_is_a_slice(start: int, length: int | None, size: int, piece_bytes: int) -> None:
    """However the sealed bytes come, any range is the slice."""
    stop = None if length is None else start + length
    assert opened(Lying(sealed(size), piece_bytes), start, stop) == PLAIN[:size][start:stop]


def test_a_range_reads_little_more_than_itself() -> None:
    """A byte in the middle costs its own piece and the header."""
    lying = Lying(sealed(len(PLAIN)))
    opened(lying, 2 * PIECE_BYTES + 5, 2 * PIECE_BYTES + 6)
    assert lying.read_bytes <= SEALED_BYTES + HEAD_BYTES


@pytest.mark.parametrize("size", [PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_what_was_changed_or_moved_is_refused(size: int) -> None:
    """A flipped bit, a piece in another's place, and a piece left out all raise."""
    data = sealed(size)
    head = len(data) - size - 16 * -(-size // PIECE_BYTES)
    pieces = [data[at : at + SEALED_BYTES] for at in range(head, len(data), SEALED_BYTES)]
    flipped = data[: head + 100] + bytes((data[head + 100] ^ 1,)) + data[head + 101 :]
    for bad in (flipped, data[:head] + b"".join(reversed(pieces)) if len(pieces) > 1 else flipped):
        with pytest.raises(Tampered):
            opened(Lying(bad), 0, size)
    if len(pieces) > 1:
        with pytest.raises(Tampered):
            opened(Lying(data[:head] + b"".join(pieces[1:])), 0, None)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_cut_short_is_refused(size: int) -> None:
    """Reading to the end, or across it, raises where the last piece is missing or no longer whole."""
    data = sealed(size)
    head = len(data) - size - 16 * max(1, -(-size // PIECE_BYTES))
    for left in {0, 3, head - 1, head, head + 1, len(data) - 1, head + SEALED_BYTES, head + 2 * SEALED_BYTES}:
        if left < len(data):
            with pytest.raises(Tampered):
                opened(Lying(data[:left]), 0, None)


def test_what_belongs_to_another_is_refused() -> None:
    """A range opens for its own account, purpose and context alone."""
    with pytest.raises(Tampered):
        opened(Lying(sealed(10)), 0, 5, b"somebody else")


def test_a_whole_is_no_stream() -> None:
    """What was sealed as one whole has no ranges."""
    with pytest.raises(Tampered):
        opened(Lying(envelope.seal(KEY, WRAPPED, b"content", BELONGS)), 0, None)


@given(st.lists(st.binary(max_size=30), max_size=20), st.integers(1, 16))
def test_the_cutter_holds_back_what_may_be_last(pieces: list[bytes], size: int) -> None:
    """Whatever comes leaves in full pieces; the rest is between one byte and a full piece, unless nothing came."""
    cutter, came = Cutter(size), []
    for piece in pieces:
        came += [bytes(full) for full in cutter.feed(piece)]
        assert all(len(full) == size for full in came)
        assert len(cutter.rest()) <= size
    assert b"".join([*came, cutter.rest()]) == b"".join(pieces)
    assert bool(cutter.rest()) == any(pieces)
