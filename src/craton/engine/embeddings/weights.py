"""The tensors of a safetensors checkpoint, in one file or in several with an index, mapped and given as float32.

Owns that format (https://github.com/huggingface/safetensors: eight bytes of length, a JSON header, the data). It reads
numbers only: a checkpoint cannot run code. Knows no models.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craton.engine.backend import EngineFault

Weights = NDArray[np.float32]
HEADER_BYTES = 100 << 20
# safetensors' names for what can become float32 without a library; BF16 is the upper half of a float32.
TYPES: dict[str, type[np.generic]] = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "F64": np.float64}


class WeightsFault(EngineFault):
    """The checkpoint is damaged, or lacks a tensor."""


class Checkpoint:
    """All tensors of a directory, by name."""

    def __init__(self, directory: Path) -> None:
        """Read the headers. Raises WeightsFault."""
        files = weight_files(directory)
        if not files:
            raise WeightsFault(f"{directory} holds no *.safetensors")
        self._places: dict[str, tuple[NDArray[np.uint8], dict[str, Any]]] = {}
        for file in files:
            self._places.update(_places(file))

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor. Raises WeightsFault when it is missing."""
        return tuple(self._place(name)[1]["shape"])

    def read(self, name: str) -> Weights:
        """A tensor as float32. Raises WeightsFault when it is missing or of a type that is no real number."""
        data, entry = self._place(name)
        kind = TYPES.get(entry["dtype"])
        if kind is None:
            raise WeightsFault(f"the tensor {name} is of type {entry['dtype']}, which cannot be read")
        start, end = entry["data_offsets"]
        raw = data[start:end].view(kind).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            return (raw.astype(np.uint32) << 16).view(np.float32)
        return raw.astype(np.float32, copy=False)

    def _place(self, name: str) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        try:
            return self._places[name]
        except KeyError:
            raise WeightsFault(f"the weights lack the tensor {name}") from None


def weight_files(directory: Path) -> list[Path]:
    """The one file of that name, else the parts that an index names; other variants beside them are not looked at."""
    one, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    if one.is_file() or not index.is_file():
        return [one] if one.is_file() else sorted(directory.glob("*.safetensors"))[:1]
    try:
        return [directory / name for name in sorted(set(json.loads(index.read_bytes())["weight_map"].values()))]
    except (ValueError, KeyError, AttributeError):
        raise WeightsFault(f"{index.name} is damaged") from None


def _places(file: Path) -> Iterator[tuple[str, tuple[NDArray[np.uint8], dict[str, Any]]]]:
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            if length > HEADER_BYTES:
                raise ValueError(length)
            header: dict[str, Any] = dict(json.loads(opened.read(length)))
        data = np.memmap(file, np.uint8, "r", offset=8 + length)
    except (OSError, TypeError, ValueError, struct.error):
        raise WeightsFault(f"{file.name} is no safetensors file, or is cut short") from None
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        width = np.dtype(TYPES.get(entry["dtype"], np.uint8)).itemsize
        whole = entry["dtype"] not in TYPES or end - start == math.prod(entry["shape"]) * width
        if not 0 <= start <= end <= data.size or not whole:
            raise WeightsFault(f"{file.name} is cut short or damaged at the tensor {name}")
        yield name, (data, entry)
