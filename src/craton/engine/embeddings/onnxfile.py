"""Writes an ONNX file: a graph of nodes, its small constants inside, its large ones in a data file beside it.

Owns the few messages of onnx.proto that a graph needs, in protocol buffers' own encoding, so that conversion needs no
package beyond the base install. Field numbers are those of onnx.proto (ONNX 1.19, IR version 10). Knows no models.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

IR_VERSION = 10
# Operator sets: ONNX's own, and the one that every ONNX Runtime brings (fused attention, quantised products).
OPSETS = {"": 17, "com.microsoft": 1}
TYPES: dict[str, int] = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9}
# Larger constants go to the data file, each on a page of its own: the runtime maps them instead of copying.
INLINE_BYTES = 1024
PAGE_BYTES = 4096
Dimension = int | str
_VARINT, _BYTES, _FIXED32 = 0, 2, 5


class Graph:
    """A graph under construction. Every method that makes something returns its name, to be given to the next node."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[bytes] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._count = 0

    def input(self, name: str, kind: str, shape: tuple[Dimension, ...]) -> str:
        """An input of the graph; a dimension given by name is free."""
        self._inputs.append(_value_info(name, kind, shape))
        return name

    def output(self, value: str, kind: str, shape: tuple[Dimension, ...]) -> None:
        """Make a value that some node has made an output of the graph, under its own name."""
        self._outputs.append(_value_info(value, kind, shape))

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """A tensor that the file holds. The same name again must mean the same tensor."""
        self._constants[name] = np.asarray(value, order="C")
        return name

    def number(self, value: float) -> str:
        """A float32 scalar."""
        return self.constant(f"number_{value!r}", np.array(value, np.float32))

    def integers(self, *values: int) -> str:
        """An int64 vector, as shapes and axes are given."""
        return self.constant("integers_" + "_".join(map(str, values)), np.array(values, np.int64))

    def node(self, op: str, *inputs: str, domain: str = "", result: str = "", **attributes: Any) -> str:
        """Add a node with one result; an empty string among `inputs` leaves an optional one out."""
        self._count += 1
        name = result or f"{op}_{self._count}"
        parts = [_text(1, each) for each in inputs]
        parts += [_text(2, name), _text(3, name), _text(4, op)]
        parts += [_message(5, _attribute(key, value)) for key, value in attributes.items()]
        self._nodes.append(b"".join([*parts, *([_text(7, domain)] if domain else [])]))
        return name

    def save(self, path: Path) -> None:
        """Write `path`, and `path`.data if there are large constants."""
        data = path.with_name(path.name + ".data")
        with data.open("wb") as opened:
            tensors = [_tensor(name, value, data.name, opened) for name, value in self._constants.items()]
        if not data.stat().st_size:
            data.unlink()
        graph = b"".join(
            [
                *(_message(1, node) for node in self._nodes),
                _text(2, self.name),
                *(_message(5, tensor) for tensor in tensors),
                *(_message(11, each) for each in self._inputs),
                *(_message(12, each) for each in self._outputs),
            ]
        )
        opsets = [_message(8, _text(1, domain) + _integer(2, version)) for domain, version in OPSETS.items()]
        head = _integer(1, IR_VERSION) + _text(2, "craton")
        path.write_bytes(b"".join([head, _message(7, graph), *opsets]))


def _tensor(name: str, value: NDArray[Any], data_name: str, data: BinaryIO) -> bytes:
    """A TensorProto; its bytes inside, or where they lie in the data file."""
    parts = [_integer(1, size) for size in value.shape]
    parts += [_integer(2, TYPES[value.dtype.name]), _text(8, name)]
    if value.nbytes <= INLINE_BYTES:
        return b"".join([*parts, _message(9, value.tobytes())])
    offset = -(-data.tell() // PAGE_BYTES) * PAGE_BYTES
    data.write(b"\0" * (offset - data.tell()))
    data.write(value.data)
    facts = {"location": data_name, "offset": str(offset), "length": str(value.nbytes)}
    parts += [_message(13, _text(1, key) + _text(2, fact)) for key, fact in facts.items()]
    return b"".join([*parts, _integer(14, 1)])


def _value_info(name: str, kind: str, shape: tuple[Dimension, ...]) -> bytes:
    sizes = [_integer(1, each) if isinstance(each, int) else _text(2, each) for each in shape]
    dimensions = b"".join(_message(1, size) for size in sizes)
    tensor = _integer(1, TYPES[kind]) + _message(2, dimensions)
    return _text(1, name) + _message(2, _message(1, tensor))


def _attribute(name: str, value: Any) -> bytes:
    """An AttributeProto: a whole number, a float, a text, or a list of whole numbers."""
    if isinstance(value, float):
        return _text(1, name) + _key(2, _FIXED32) + struct.pack("<f", value) + _integer(20, 1)
    if isinstance(value, int):
        return _text(1, name) + _integer(3, value) + _integer(20, 2)
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _integer(20, 3)
    return _text(1, name) + b"".join(_integer(8, each) for each in value) + _integer(20, 7)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _integer(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value & (1 << 64) - 1)


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, value: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
