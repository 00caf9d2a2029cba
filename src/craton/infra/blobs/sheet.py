"""How a blob lies in a file: its bytes, a checksum of every 64 KiB of them, and a foot that tells a whole file.

    bytes | CRC32C (u32) of each 64 KiB … | foot: size (u64), CRC32C (u32) over id, checksums and size, magic "CBF1"

All numbers little-endian. The bytes come first and without gaps, so that a range is one read; the foot comes last, so
that a file that was cut short has none; the id is in its checksum, so that a file under another's name shows. Pure: the
file is somebody else's. It must not know where files lie.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

MAGIC = b"CBF1"
FRAME_BYTES = 64 * 1024
FOOT = struct.Struct("<QI4s")
_SUM_BYTES = 4
_SUMS = "I"


class Damaged(Exception):
    """The text says where."""


@cache
def _crc32c() -> Callable[..., int]:
    """The runtime is C, and takes 90 ms to load: when the first blob is written or read."""
    toolkit: Any = import_module("awscrt.checksums")
    found: Callable[..., int] = toolkit.crc32c
    return found


class Summing:
    """The sheet of a blob that is being written."""

    __slots__ = ("_crc", "_filled", "_sums", "_value", "size")

    def __init__(self) -> None:
        self._crc = _crc32c()
        self._sums = array(_SUMS)
        self._value = self._filled = self.size = 0

    def update(self, piece: bytes) -> None:
        self.size += len(piece)
        if self._filled + len(piece) < FRAME_BYTES:
            self._value = self._crc(piece, self._value)
            self._filled += len(piece)
            return
        view = memoryview(piece)
        while view:
            part = view[: FRAME_BYTES - self._filled]
            self._value = self._crc(part, self._value)
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == FRAME_BYTES:
                self._sums.append(self._value)
                self._value = self._filled = 0

    def end(self, ident: str) -> bytes:
        """What stands behind the blob's bytes."""
        if self._filled:
            self._sums.append(self._value)
        sums = _little(self._sums).tobytes()
        return sums + FOOT.pack(self.size, _foot_sum(ident, sums, self.size), MAGIC)


class Sheet:
    """The checksums of a blob that is being read. `size` is the blob's, in bytes."""

    __slots__ = ("_crc", "_sums", "size")

    def __init__(self, ident: str, tail: bytes, file_bytes: int) -> None:
        """`tail` is the file's end, from `tail_start(file_bytes)` on. Raises Damaged."""
        if len(tail) < FOOT.size:
            raise Damaged("its end is missing")
        size, foot_sum, magic = FOOT.unpack_from(tail, len(tail) - FOOT.size)
        count = -(-size // FRAME_BYTES)
        if magic != MAGIC or size + count * _SUM_BYTES + FOOT.size != file_bytes:
            raise Damaged("its end is missing")
        sums = tail[len(tail) - FOOT.size - count * _SUM_BYTES : len(tail) - FOOT.size]
        if foot_sum != _foot_sum(ident, sums, size):
            raise Damaged("its checksums are not its own")
        self._crc = _crc32c()
        self.size: int = size
        self._sums = _little(array(_SUMS, sums))

    def check(self, frame: int, data: memoryview) -> None:
        """Raise Damaged unless `data`, whole frames from this number on, are as they were written."""
        for at in range(0, len(data), FRAME_BYTES):
            if self._crc(data[at : at + FRAME_BYTES]) != self._sums[frame + at // FRAME_BYTES]:
                raise Damaged(f"bytes {frame * FRAME_BYTES + at} and following")


def tail_start(file_bytes: int) -> int:
    """Where the tail that `Sheet` needs begins; at most a frame too early."""
    frames = -(-file_bytes // FRAME_BYTES)
    return max(0, file_bytes - FOOT.size - frames * _SUM_BYTES)


def _foot_sum(ident: str, sums: bytes, size: int) -> int:
    return _crc32c()(size.to_bytes(8, "little"), _crc32c()(sums, _crc32c()(ident.encode())))


def _little(sums: array[int]) -> array[int]:
    if sys.byteorder == "big":
        sums = array(_SUMS, sums)
        sums.byteswap()
    return sums
