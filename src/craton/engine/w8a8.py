"""A graph in single precision becomes one that multiplies bytes by bytes (W8A8): weights and what meets them, 8 bits each.

Weights have a scale for each column. What meets them has one for each row, made in the graph: a row is divided by its largest
value, so that all rows share one fixed step, and none depends on those beside it (`DynamicQuantizeMatMul`, which is one node
in place of six, takes one scale for all rows of a batch: a request's answer would change with its neighbours). Both are
unsigned, around 128: with signed weights the kernels for processors without VNNI add two products in 16 bits, which
saturates (ten times the divergence, measured). On processors with VNNI signed weights are up to 1.8 times as fast, so a second
graph lies beside the first, over the same data, whose weights become signed when it is opened (`suited` chooses). Owns the
rewriting of exported files in place. Knows no exporter; needs `onnx`, but not to choose.

Measured (152M parameters, AVX2 without VNNI, one thread), beside int4: 0.7 times as fast at one request, where memory decides,
1.3 at 8, 1.4 at 32, 1.4 to 1.6 in prefill, with a hundredth of its divergence; docs/engines.md has the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

FILE, DATA = "model.onnx", "model.onnx.data"
SIGNED = "model.vnni.onnx"
CONTRIB = "com.microsoft"
LARGEST = 127
_SCALE, _ZERO, _LEAST, _LAST = "w8a8.scale", "w8a8.zero", "w8a8.least", "w8a8.last"
_MIDDLE = "w8a8.middle"
_INLINE_BYTES = 1024
_VNNI = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
_FLOAT = 1  # TensorProto.FLOAT
_NOTHING = np.float32(1e-12)


def rewrite(directory: Path) -> int:
    """Rewrite `model.onnx` of a directory and its data; how many products are of bytes now."""
    import onnx

    with TemporaryDirectory(dir=directory) as aside:
        for path in directory.glob(f"{FILE}*"):
            path.rename(Path(aside) / path.name)
        model = onnx.load(str(Path(aside) / FILE), load_external_data=False)
        graph = _Graph(model.graph, Path(aside))
        graph.rewrite()
        if all(one.domain != CONTRIB for one in model.opset_import):
            model.opset_import.append(onnx.helper.make_opsetid(CONTRIB, 1))
        options = {"save_as_external_data": True, "location": DATA, "size_threshold": _INLINE_BYTES}
        onnx.save(model, str(directory / FILE), **options)
    _write_signed(directory)
    return graph.products


def suited(path: Path, cpuinfo: Path = Path("/proc/cpuinfo")) -> Path:
    """The graph of a directory to open on this machine, given its usual one: the signed one where there is VNNI."""
    signed = path.with_name(SIGNED)
    if path.name != FILE or not signed.is_file():
        return path
    try:
        flags = cpuinfo.read_text().split("flags", 1)[-1].partition("\n")[0].split()
    except OSError:
        return path
    return path if _VNNI.isdisjoint(flags) else signed


def _write_signed(directory: Path) -> None:
    """The second graph: its weights are the first one's less 128, which the runtime computes once, when it opens it."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(directory / FILE), load_external_data=False)
    nodes: list[NodeProto] = []
    turned: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "MatMulIntegerToFloat":
            name = node.input[1]
            if name not in turned:
                turned.add(name)
                nodes.append(helper.make_node("Cast", [name], [f"{name}.wide"], to=onnx.TensorProto.INT16))
                nodes.append(helper.make_node("Sub", [f"{name}.wide", _MIDDLE], [f"{name}.less"]))
                nodes.append(helper.make_node("Cast", [f"{name}.less"], [f"{name}.s8"], to=onnx.TensorProto.INT8))
            node.input[1], node.input[5] = f"{name}.s8", f"{_ZERO}.s8"
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array(LARGEST + 1, np.int16), _MIDDLE))
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.int8), f"{_ZERO}.s8"))
    onnx.save(model, str(directory / SIGNED))


class _Graph:
    """One graph while it is rewritten."""

    def __init__(self, graph: GraphProto, directory: Path) -> None:
        self._graph = graph
        self._directory = directory
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._turned = {
            node.output[0]: node.input[0]
            for node in graph.node
            if node.op_type == "Transpose" and self._is_matrix(node.input[0]) and self._is_looked_up(node.output[0])
        }
        self._quantised: set[str] = set()
        self._made: list[TensorProto] = []
        self.products = 0

    def rewrite(self) -> None:
        self._constant(_SCALE, np.array(1 / LARGEST, np.float32))
        self._constant(_ZERO, np.array(LARGEST + 1, np.uint8))
        self._constant(_LEAST, np.array(1e-8, np.float32))
        self._constant(_LAST, np.array([-1], np.int64))
        nodes = [made for node in self._graph.node for made in self._instead(node)]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        used = {name for node in nodes for name in node.input}
        kept = [_loaded(one, self._directory) for one in self._graph.initializer if one.name in used]
        kept += [one for one in self._made if one.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)

    def _instead(self, node: NodeProto) -> Iterator[NodeProto]:
        """What stands in a node's place: itself, unless it reads a matrix of weights."""
        if node.op_type == "MatMul" and self._is_matrix(node.input[1]):
            yield from self._product(node)
        elif _takes_rows(node) and (node.input[0] in self._turned or self._is_matrix(node.input[0])):
            yield from self._looked_up(node)
        elif node.op_type != "Transpose" or node.output[0] not in self._turned:
            yield node

    def _is_matrix(self, name: str) -> bool:
        tensor = self._tensors.get(name)
        return tensor is not None and len(tensor.dims) == 2 and tensor.data_type == _FLOAT

    def _is_looked_up(self, name: str) -> bool:
        """Whether rows of it are all that is wanted: an embedding that is the output's matrix, turned."""
        readers = [node for node in self._graph.node if name in node.input]
        return all(_takes_rows(node) and node.input[0] == name for node in readers)

    def _product(self, node: NodeProto) -> Iterator[NodeProto]:
        from onnx import helper

        left, name, out = node.input[0], node.input[1], node.output[0]
        if left not in self._quantised:  # of what meets several matrices once
            self._quantised.add(left)
            yield from self._row_bytes(left)
        if f"{name}.u8" not in self._tensors:
            self._keep_columns(name)
        yield helper.make_node(
            "MatMulIntegerToFloat", [f"{left}.u8", f"{name}.u8", _SCALE, f"{name}.scales", _ZERO, _ZERO],
            [f"{out}.unit"], domain=CONTRIB, name=node.name,
        )  # fmt: skip
        yield helper.make_node("Mul", [f"{out}.unit", f"{left}.most"], [out])
        self.products += 1

    def _row_bytes(self, name: str) -> Iterator[NodeProto]:
        """Each row over its largest value, as bytes around 128."""
        from onnx import helper

        yield helper.make_node("Abs", [name], [f"{name}.abs"])
        yield helper.make_node("ReduceMax", [f"{name}.abs", _LAST], [f"{name}.max"], keepdims=1)
        yield helper.make_node("Max", [f"{name}.max", _LEAST], [f"{name}.most"])
        yield helper.make_node("Div", [name, f"{name}.most"], [f"{name}.unit"])
        yield helper.make_node("QuantizeLinear", [f"{name}.unit", _SCALE, _ZERO], [f"{name}.u8"])

    def _looked_up(self, node: NodeProto) -> Iterator[NodeProto]:
        """Rows of a table, such as the embedding: each with a scale of its own."""
        from onnx import helper

        name, places, out = node.input[0], node.input[1], node.output[0]
        if f"{name}.rows" not in self._tensors:
            self._keep_rows(name)
        yield helper.make_node("Gather", [f"{name}.rows", places], [f"{out}.q8"], axis=0)
        yield helper.make_node("Cast", [f"{out}.q8"], [f"{out}.unit"], to=_FLOAT)
        yield helper.make_node("Gather", [f"{name}.row_scales", places], [f"{out}.scales"], axis=0)
        yield helper.make_node("Mul", [f"{out}.unit", f"{out}.scales"], [out])

    def _keep_columns(self, name: str) -> None:
        """A product's matrix: bytes around 128, and a scale for each column."""
        values = self._matrix(name)
        scales = np.maximum(np.abs(values).max(axis=0), _NOTHING) / LARGEST
        self._constant(f"{name}.u8", (np.rint(values / scales) + LARGEST + 1).astype(np.uint8))
        self._constant(f"{name}.scales", scales)

    def _keep_rows(self, name: str) -> None:
        """A table: signed bytes, and a scale for each row."""
        values = self._matrix(name)
        scales = np.maximum(np.abs(values).max(axis=1, keepdims=True), _NOTHING) / LARGEST
        self._constant(f"{name}.rows", np.rint(values / scales).astype(np.int8))
        self._constant(f"{name}.row_scales", scales)

    def _matrix(self, name: str) -> NDArray[np.float32]:
        from onnx import numpy_helper

        source = self._turned.get(name)
        values: NDArray[np.float32] = numpy_helper.to_array(_loaded(self._tensors[source or name], self._directory))
        return values.T if source else values

    def _constant(self, name: str, value: NDArray[Any]) -> None:
        from onnx import numpy_helper

        self._made.append(numpy_helper.from_array(value, name))
        self._tensors[name] = self._made[-1]


def _takes_rows(node: NodeProto) -> bool:
    """Whether a node gathers along the first axis, which is the default: rows of a table have a scale each, columns none."""
    return node.op_type == "Gather" and all(one.i == 0 for one in node.attribute if one.name == "axis")


def _loaded(tensor: TensorProto, directory: Path) -> TensorProto:
    """A tensor with its data, which may lie in a file beside the graph: a copy, for a whole model may not fit into memory."""
    from onnx import TensorProto as Tensor
    from onnx import external_data_helper

    if not external_data_helper.uses_external_data(tensor):
        return tensor
    whole = Tensor()
    whole.CopyFrom(tensor)
    external_data_helper.load_external_data_for_tensor(whole, str(directory))
    whole.data_location = Tensor.DEFAULT
    del whole.external_data[:]
    return whole
