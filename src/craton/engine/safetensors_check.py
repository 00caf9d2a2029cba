"""What a directory's safetensors files say of themselves, before a library opens them.

Owns the reading of headers: which file holds which tensor of which shape, and whether the file is whole. A damaged or a
cut file is named here, in words, rather than by whatever a loader raises later.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from craton.engine.backend import EngineFault

# The format's own limit of a header (safetensors, `MAX_HEADER_SIZE`).
HEADER_BYTES = 100 << 20
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as a header declares it."""

    file: str
    kind: str
    shape: tuple[int, ...]


def tensors_of(directory: Path) -> dict[str, Tensor]:
    """Every tensor of all *.safetensors files by name. Raises EngineFault naming the file that is damaged."""
    found: dict[str, Tensor] = {}
    for file in sorted(directory.glob("*.safetensors")):
        found.update(header_of(file))
    return found


def header_of(file: Path) -> dict[str, Tensor]:
    """The tensors of one file. Raises EngineFault when it is damaged, cut short, or declares what it cannot hold."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if size < 8 or length > min(HEADER_BYTES, size - 8):
            raise EngineFault(f"{file.name} is no safetensors file, or is cut short")
        try:
            document = json.loads(opened.read(length))
            listed = {name: each for name, each in document.items() if name != "__metadata__"}
            return {name: _tensor(file.name, name, each, size - 8 - length) for name, each in listed.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EngineFault(f"{file.name} is damaged: its header cannot be read") from None


def _tensor(file: str, name: str, declared: dict[str, Any], room: int) -> Tensor:
    kind, shape = declared["dtype"], declared["shape"]
    begin, end = (int(each) for each in declared["data_offsets"])
    if not isinstance(shape, list) or not all(isinstance(each, int) and each >= 0 for each in shape):
        raise ValueError("shape")
    if end > room:
        raise EngineFault(f"{file} is cut short: {name} ends at byte {end}, and the file holds {room} bytes of tensors")
    each = SIZES.get(str(kind))
    if begin < 0 or begin > end or (each is not None and end - begin != each * math.prod(shape)):
        raise EngineFault(f"{file} is damaged: {name} is declared as {kind}{shape}, and takes {end - begin} bytes")
    return Tensor(file, str(kind), tuple(shape))
