"""The samples of a file, laid down once and read from disk: what is trained on may be larger than the memory.

Owns three flat files: token ids, learned marks, and where each sample begins. Writing is whole or not at all.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from craton.features.tuning.tokens import Sample

_IDS, _LEARNED, _STARTS = "ids.i32", "learned.u8", "starts.npy"


class ShelfWriter:
    """Takes samples in order; `close` makes them a shelf."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        (folder / _STARTS).unlink(missing_ok=True)
        self._ids, self._learned = (folder / _IDS).open("wb"), (folder / _LEARNED).open("wb")
        self._starts = [0]

    def add(self, sample: Sample) -> None:
        """Lay down one more. Raises OSError when the disk is full."""
        self._ids.write(sample.ids.tobytes())
        self._learned.write(sample.learned.astype(np.uint8).tobytes())
        self._starts.append(self._starts[-1] + len(sample.ids))

    def close(self) -> Shelf:
        """The starts come last: a folder without them is no shelf."""
        for file in (self._ids, self._learned):
            file.flush()
            os.fsync(file.fileno())
            file.close()
        partial = self._folder / f"{_STARTS}.partial.npy"
        np.save(partial, np.asarray(self._starts, np.int64))
        partial.replace(self._folder / _STARTS)
        return Shelf(self._folder)


class Shelf:
    """Samples by number."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError for a folder that holds no whole shelf."""
        self._starts: NDArray[np.int64] = np.load(folder / _STARTS)
        total = int(self._starts[-1])
        if total:
            self._ids: NDArray[np.int32] = np.memmap(folder / _IDS, np.int32, "r", shape=(total,))
            self._learned: NDArray[np.uint8] = np.memmap(folder / _LEARNED, np.uint8, "r", shape=(total,))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def tokens(self) -> int:
        """All tokens of all samples."""
        return int(self._starts[-1])

    def length(self, number: int) -> int:
        """Tokens of one sample."""
        return int(self._starts[number + 1] - self._starts[number])

    def learned(self, number: int) -> int:
        """Tokens of one sample that are learned."""
        return int(self._learned[int(self._starts[number]) : int(self._starts[number + 1])].sum())

    def __getitem__(self, number: int) -> Sample:
        start, stop = int(self._starts[number]), int(self._starts[number + 1])
        return Sample(np.array(self._ids[start:stop]), np.array(self._learned[start:stop], np.bool_))
