"""Samples side by side in rows, each seeing only itself, and rows in blocks that are computed at once.

A row is as long as the longest sample asks for, and at least `SHORTEST_ROW`: what attention costs grows with it, and
short rows would have more holes at their ends. Positions begin anew with each sample, and the mask lets a token look
only at earlier ones of its own sample. The loss is asked for only where something is to be learned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from craton.features.tuning.tokens import Sample

SHORTEST_ROW = 96
BLOCK_TOKENS = 2048
"""How many tokens are computed at once: what the way back keeps in memory grows with it."""

_Numbered = tuple[int, Sample]


class Block:
    """`ids`, `positions` and `segments` (which sample of its row; -1 nobody's) of rows × length.

    `at` are the places, counted over all rows, whose next token is one of `targets`; `owners` are the numbers of the
    samples that these belong to.
    """

    __slots__ = ("at", "ids", "owners", "positions", "segments", "targets")

    def __init__(self, rows: Sequence[Sequence[_Numbered]], length: int) -> None:
        shape = len(rows), length
        self.ids: NDArray[np.int64] = np.zeros(shape, np.int64)
        self.positions: NDArray[np.int64] = np.zeros(shape, np.int64)
        self.segments: NDArray[np.int64] = np.full(shape, -1, np.int64)
        at: list[NDArray[np.int64]] = []
        owners: list[NDArray[np.int64]] = []
        for number, row in enumerate(rows):
            start = 0
            for segment, (owner, sample) in enumerate(row):
                stop = start + len(sample.ids)
                self.ids[number, start:stop] = sample.ids
                self.positions[number, start:stop] = np.arange(len(sample.ids))
                self.segments[number, start:stop] = segment
                learned = np.flatnonzero(sample.learned)
                at.append(number * length + start + learned - 1)
                owners.append(np.full(len(learned), owner, np.int64))
                start = stop
        self.at: NDArray[np.int64] = np.concatenate(at)
        self.targets: NDArray[np.int64] = self.ids.reshape(-1)[self.at + 1]
        self.owners: NDArray[np.int64] = np.concatenate(owners)

    @property
    def tokens(self) -> int:
        """Those of samples, without the holes."""
        return int((self.segments >= 0).sum())


def blocks(numbers: Sequence[int], get: Callable[[int], Sample], *, together: bool = True) -> list[Block]:
    """Blocks of the samples with these numbers; one of its own for each where they may not share a row."""
    samples = [(number, get(number)) for number in numbers]
    samples = sorted((pair for pair in samples if len(pair[1].ids)), key=lambda pair: -len(pair[1].ids))
    if not together:
        return [Block([[pair]], len(pair[1].ids)) for pair in samples]
    found: list[Block] = []
    while samples:
        length = max(SHORTEST_ROW, len(samples[0][1].ids))
        rows, samples = _filled(samples, length, max(1, BLOCK_TOKENS // length))
        found.append(Block(rows, length))
    return found


def _filled(samples: list[_Numbered], length: int, most: int) -> tuple[list[list[_Numbered]], list[_Numbered]]:
    """At most `most` rows, filled by first fit from the longest sample down, and what found no place."""
    rows: list[list[_Numbered]] = []
    room: list[int] = []
    rest: list[_Numbered] = []
    for pair in samples:
        size = len(pair[1].ids)
        at = next((index for index, left in enumerate(room) if left >= size), None)
        if at is None:
            if len(rows) == most:
                rest.append(pair)
                continue
            at = len(rows)
            rows.append([])
            room.append(length)
        rows[at].append(pair)
        room[at] -= size
    return rows, rest
