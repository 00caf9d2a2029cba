"""A block: many points of one series as one run of bytes, made to be searched without being taken apart.

    u32 header length | header (msgpack: base ms, runs of [batch, kept ms, count]) | u32 moments − base
    | u32 lengths | the points' bytes, joined by newlines                     all numbers little-endian

A run is what one append brought, or what of it one block holds; runs follow each other as they were appended, so times
rise within a run alone. Compressed as one (zstd). Pure: it must not know keys, databases or what the bytes mean.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate

import msgspec

from craton.infra.series.port import Entry, Point, Sieve, Where, ident_of, left_of, lies_beyond

# Less than the cost of a second pass is gained by higher levels on short texts.
_LEVEL = 1
_MOST_PLAIN = 1 << 28
_HEAD_BYTES = 4


class Damaged(Exception):
    """The bytes are no block."""


class Run(msgspec.Struct, array_like=True):
    """Points of one append. `start` is the place of the first among them in it.

    `batch` is known only when the block is kept: 0 stands for the number that is kept beside it.
    """

    batch: int
    kept_ms: int
    count: int
    start: int = 0


class _Header(msgspec.Struct, array_like=True):
    base_ms: int
    runs: list[Run]


def pack(run: Run, points: Sequence[Point]) -> bytes:
    """The plain bytes of a block of one run."""
    base_ms = points[0].at_ms
    return _joined(
        _Header(base_ms, [run]),
        array("I", [point.at_ms - base_ms for point in points]),
        array("I", [len(point.data) for point in points]),
        [point.data for point in points],
    )


def merged(blocks: Sequence[Block]) -> bytes:
    """The plain bytes of one block that holds all points of several; none may be more than 49 days from another."""
    base_ms = min(block.header.base_ms for block in blocks)
    moments, lengths, runs = array("I"), array("I"), list[Run]()
    for block in blocks:
        shift = block.header.base_ms - base_ms
        moments.extend(block.moments if shift == 0 else [moment + shift for moment in block.moments])
        lengths.extend(block.lengths)
        runs += block.header.runs
    return _joined(_Header(base_ms, runs), moments, lengths, [block.texts for block in blocks])


def compress(plain: bytes) -> bytes:
    from zstandard import ZstdCompressor

    return ZstdCompressor(level=_LEVEL).compress(plain)


def expand(data: bytes) -> bytes:
    """Raises Damaged."""
    from zstandard import ZstdDecompressor, ZstdError

    try:
        return ZstdDecompressor().decompress(data, max_output_size=_MOST_PLAIN)
    except ZstdError:
        raise Damaged from None


class Block:
    """A block that was expanded, of the append with the number `batch` if it does not say. Raises Damaged."""

    def __init__(self, plain: bytes, batch: int = 0) -> None:
        self.plain = plain
        head_end = _HEAD_BYTES + int.from_bytes(plain[:_HEAD_BYTES], "little")
        try:
            self.header = msgspec.msgpack.decode(plain[_HEAD_BYTES:head_end], type=_Header)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Damaged from None
        for run in self.header.runs:
            run.batch = run.batch or batch
        self.count = sum(run.count for run in self.header.runs)
        self._moments_at = head_end
        self._texts_at = head_end + 8 * self.count
        if len(plain) < self._texts_at:
            raise Damaged

    @cached_property
    def moments(self) -> array[int]:
        return _numbers(self.plain[self._moments_at : self._moments_at + 4 * self.count])

    @cached_property
    def lengths(self) -> array[int]:
        return _numbers(self.plain[self._moments_at + 4 * self.count : self._texts_at])

    @property
    def texts(self) -> bytes:
        return self.plain[self._texts_at :]

    @cached_property
    def starts(self) -> list[int]:
        """Where each point begins in `plain`, and where one more would."""
        return list(accumulate((length + 1 for length in self.lengths), initial=self._texts_at))

    def holding(self, needles: Iterable[bytes]) -> list[int]:
        """The places of points that hold any of the needles, and few others, in rising order."""
        places: set[int] = set()
        find, starts, end = self.plain.find, self.starts, len(self.plain)
        for needle in needles:
            at = find(needle, self._texts_at)
            while at >= 0:
                place = bisect_right(starts, at)
                places.add(place - 1)
                at = find(needle, starts[place]) if starts[place] < end else -1
        return sorted(places)

    def select(self, series: str, where: Where, sieve: Sieve | None) -> list[Entry]:
        """The wanted points, in no order."""
        needles = None if sieve is None else sieve.needles
        if needles is not None and not any(needle in self.plain for needle in needles):
            return []  # most blocks of most searches
        places: Iterable[int] = range(self.count) if needles is None else self.holding(needles)
        start_ms, stop_ms = left_of(where)
        found: list[Entry] = []
        base_ms, moments, plain, starts = self.header.base_ms, self.moments, self.plain, self.starts
        matches = None if sieve is None else sieve.matches
        for place in places:
            at_ms = base_ms + moments[place]
            if not start_ms <= at_ms < stop_ms:
                continue
            data = plain[starts[place] : starts[place + 1] - 1]
            if matches is None or matches(data):
                run, index = self._run(place)
                ident = ident_of(at_ms, run.batch, index)
                if lies_beyond(ident, where):
                    found.append(Entry(ident, at_ms, run.kept_ms, series, data))
        return found

    @cached_property
    def _run_ends(self) -> list[int]:
        return list(accumulate(run.count for run in self.header.runs))

    def _run(self, place: int) -> tuple[Run, int]:
        number = bisect_right(self._run_ends, place)
        run = self.header.runs[number]
        return run, run.start + place - (self._run_ends[number] - run.count)


def _joined(header: _Header, moments: array[int], lengths: array[int], texts: Iterable[bytes]) -> bytes:
    head = msgspec.msgpack.encode(header)
    numbers = _turned(moments).tobytes() + _turned(lengths).tobytes()
    return len(head).to_bytes(_HEAD_BYTES, "little") + head + numbers + b"\n".join(texts)


def _numbers(data: bytes) -> array[int]:
    return _turned(array("I", data))


def _turned(column: array[int]) -> array[int]:
    """Between the machine's order of bytes and ours."""
    if sys.byteorder == "big":
        column = array("I", column)
        column.byteswap()
    return column
