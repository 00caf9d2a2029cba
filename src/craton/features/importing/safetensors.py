"""The header of a safetensors file, read by ourselves: names, types, shapes and places of tensors, and nothing run.

Owns the format's rules (huggingface/safetensors, "Format"): eight bytes of length, a JSON object, then the tensors
without gaps and without overlap. It must not know where the bytes come from: whoever calls reads a range of a file. What
is checked here is checked again by the engine's own reader; the point is to say early, and in whose words, what is wrong.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from math import prod
from typing import Any

import msgspec

from craton.features.importing.document import document
from craton.features.importing.fault import BadModel

PREFIX_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""
WIDTHS = {"F32": 4, "F16": 2, "BF16": 2}
"""Bytes of a number, of the types that Bedrock imports."""
_QUANTISED = frozenset({"I8", "U8", "I4", "U4", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "F6_E3M2"})
_MAX_RANK = 8
_METADATA = "__metadata__"


class Tensor(msgspec.Struct, frozen=True, array_like=True):
    """One tensor; `start` and `end` count from behind the header."""

    name: str
    dtype: str
    shape: list[int]
    start: int
    end: int


def header_bytes(name: str, prefix: bytes, size: int) -> int:
    """How long the header of a file of `size` bytes is, from its first eight. Raises BadModel."""
    if len(prefix) < PREFIX_BYTES:
        raise BadModel(f"{name} is not a safetensors file: it has {size} bytes.")
    (length,) = struct.unpack("<Q", prefix[:PREFIX_BYTES])
    if length > MAX_HEADER_BYTES or length + PREFIX_BYTES > size or length < len("{}"):
        raise BadModel(f"{name} is not a safetensors file: its header would have {length} bytes.")
    return int(length)


def tensors(name: str, header: bytes, size: int) -> list[Tensor]:
    """The tensors of a file of `size` bytes in order of place. Raises BadModel."""
    if not header.startswith(b"{"):
        raise BadModel(f"{name} is not a safetensors file: its header is no JSON object.")
    told = document(f"The header of {name}", header)
    found = [_tensor(name, key, value) for key, value in told.items() if key != _METADATA]
    found.sort(key=lambda one: (one.start, one.end))
    _check_places(name, found, size - PREFIX_BYTES - len(header))
    return found


def _tensor(name: str, key: str, value: Any) -> Tensor:
    where = f"{name}: the tensor {key[:200]}"
    try:
        one = msgspec.convert(value, _Told)
    except msgspec.ValidationError as error:
        raise BadModel(f"{where} is not described as it must be: {error}.") from None
    if one.dtype in _QUANTISED:
        raise BadModel(f"{where} is quantised ({one.dtype}). Import weights of type FP32, FP16 or BF16.")
    width = WIDTHS.get(one.dtype)
    if width is None:
        raise BadModel(f"{where} is of type {one.dtype[:20]}. Import weights of type FP32, FP16 or BF16.")
    start, end = one.data_offsets
    if len(one.shape) > _MAX_RANK or min(one.shape, default=0) < 0 or start < 0 or end < start:
        raise BadModel(f"{where} has a shape or a place that cannot be.")
    if end - start != prod(one.shape) * width:
        raise BadModel(f"{where} of shape {one.shape} has {end - start} bytes, not {prod(one.shape) * width}.")
    return Tensor(key, one.dtype, one.shape, start, end)


class _Told(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def _check_places(name: str, found: list[Tensor], room: int) -> None:
    if not found:
        raise BadModel(f"{name} holds no tensor.")
    for before, after in pairwise(found):
        if after.start < before.end:
            raise BadModel(f"{name}: the tensors {before.name[:200]} and {after.name[:200]} overlap.")
        if after.start > before.end:
            raise BadModel(f"{name}: there is a gap before the tensor {after.name[:200]}.")
    if found[0].start != 0 or found[-1].end != room:
        raise BadModel(f"{name}: its tensors end at byte {found[-1].end} of {room}. The file was cut off or added to.")
