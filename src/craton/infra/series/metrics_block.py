"""An hour of one metric as bytes: its parts in order of time, each a summary of what was measured in it.

    msgpack: [part, samples, total, least, most, bins or nil], …      part: which step of the hour, from 0

Whole numbers are written as such, since most are small. Pure: it must not know tables or metrics.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from craton.infra.series.metrics_summary import Bins, Summary, merged

HOUR_S = 3600
_EXACT = 2.0**53


class _Part(msgspec.Struct, array_like=True):
    part: int
    samples: float
    total: float
    least: float
    most: float
    bins: Bins | None = None


class _Plain(msgspec.Struct, array_like=True):
    """A part whose spread nobody asks for."""

    part: int
    samples: float
    total: float
    least: float
    most: float
    bins: msgspec.Raw = msgspec.Raw(b"\xc0")


Row = tuple[int, float, float, float, float, Bins | None]
PlainRow = tuple[int, float, float, float, float, msgspec.Raw]
"""Part, samples, total, least, most, and what percentiles need: as it is kept, for who reads thousands of them."""

_rows = msgspec.msgpack.Decoder(list[Row])
_plain_rows = msgspec.msgpack.Decoder(list[PlainRow])
_parts = msgspec.msgpack.Decoder(list[_Part])
_plain = msgspec.msgpack.Decoder(list[_Plain])
_encode = msgspec.msgpack.Encoder().encode


def pack(parts: Mapping[int, Summary]) -> bytes:
    return _encode(
        [
            (
                part, _short(one.samples), _short(one.total), _short(one.least), _short(one.most),
                None if one.bins is None else {index: _short(count) for index, count in one.bins.items()},
            )
            for part, one in sorted(parts.items())
        ]
    )  # fmt: skip


def unpack(data: bytes, *, spread: bool = True) -> dict[int, Summary]:
    """The parts of an hour. Without `spread` percentiles cannot be told, and it takes a third of the time."""
    if spread:
        return {one.part: Summary(one.samples, one.total, one.least, one.most, one.bins) for one in _parts.decode(data)}
    return {one.part: Summary(one.samples, one.total, one.least, one.most) for one in _plain.decode(data)}


def rows(data: bytes) -> list[Row]:
    """The parts of an hour."""
    return _rows.decode(data)


def plain_rows(data: bytes) -> list[PlainRow]:
    """The parts of an hour whose spread nobody asks for."""
    return _plain_rows.decode(data)


def coarser(parts: Mapping[int, Summary], step_s: int, new_step_s: int) -> dict[int, Summary]:
    """The parts brought together to longer steps."""
    found: dict[int, list[Summary]] = {}
    for part, one in parts.items():
        found.setdefault(part * step_s // new_step_s, []).append(one)
    return {part: merged(ones) for part, ones in found.items()}


def _short(number: float) -> float | int:
    return int(number) if abs(number) < _EXACT and number == int(number) else number
