"""A BERT-like encoder as an ONNX graph: token ids and a mask in, one vector per token out.

Owns the layers and the two precisions. In `int8` weights are rounded by output column and activations by row, that is
by token: so a text's vector does not depend on the texts computed beside it, as it would with the usual dynamic
quantisation, which rounds by the whole batch. It is also nearer to fp32 (mean cosine of all-MiniLM-L6-v2 0.996 against
0.991, same speed; rounding in blocks with MatMulNBits reaches 0.9996, slower than fp32). Knows neither pooling nor files.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from craton.engine.embeddings.families import ACTIVATIONS, Family
from craton.engine.embeddings.onnxfile import Graph
from craton.engine.embeddings.weights import Checkpoint, Weights

Precision = Literal["fp32", "int8"]
LARGEST = 64
MICROSOFT = "com.microsoft"


class Layers:
    """The building blocks over one checkpoint; `prefix` stands before the encoder's tensors in it."""

    def __init__(self, graph: Graph, checkpoint: Checkpoint, prefix: str, precision: Precision) -> None:
        self.graph = graph
        self.checkpoint = checkpoint
        self.prefix = prefix
        self.precision = precision

    def read(self, name: str) -> Weights:
        """A tensor of the encoder; one that is named without the prefix (a head's) is found as well."""
        full = self.prefix + name
        return self.checkpoint.read(full if full in self.checkpoint else name)

    def tensor(self, name: str) -> str:
        """A tensor of the checkpoint as a constant."""
        return self.graph.constant(name, self.read(name))

    def bias(self, name: str) -> str:
        """The bias of a dense layer."""
        return self.tensor(name + ".bias")

    def matmul(self, x: str, names: str | list[str], bias: str = "") -> str:
        """`x` times the transposed weight of one dense layer, or of several side by side; plus `bias`."""
        several = [names] if isinstance(names, str) else names
        weight = np.concatenate([self.read(name + ".weight") for name in several])
        label = "+".join(several) + ".weight"
        if self.precision == "int8":
            return self._rounded_matmul(x, label, weight, bias)
        found = self.graph.node("MatMul", x, self.graph.constant(label, weight.T))
        return self.graph.node("Add", found, bias) if bias else found

    def _rounded_matmul(self, x: str, label: str, weight: Weights, bias: str) -> str:
        graph = self.graph
        values, scales = rounded(weight)
        largest = graph.node("ReduceMax", graph.node("Abs", x), axes=[-1], keepdims=1)
        per_unit = graph.node("Div", graph.number(127.0), graph.node("Max", largest, graph.number(1e-12)))
        middle = graph.constant("middle", np.array(128, np.uint8))
        whole = graph.node("QuantizeLinear", graph.node("Mul", x, per_unit), graph.number(1.0), middle)
        held = [graph.constant(label, values), graph.number(1.0), graph.constant(label + ".scales", scales), middle]
        product = graph.node("MatMulIntegerToFloat", whole, *held, domain=MICROSOFT)
        found = graph.node("Div", product, per_unit)
        return graph.node("Add", found, bias) if bias else found

    def activate(self, x: str, op: str, bias: str = "") -> str:
        """An activation after a bias; fused where there is an operator for it."""
        if op == "Gelu" and bias:
            return self.graph.node("BiasGelu", x, bias, domain=MICROSOFT)
        if op == "FastGelu":
            return self.graph.node("FastGelu", x, *([bias] if bias else []), domain=MICROSOFT)
        added = self.graph.node("Add", x, bias) if bias else x
        return self.graph.node(op, added, domain=MICROSOFT if op == "Gelu" else "")

    def norm(self, x: str, name: str, epsilon: float, *, skip: str = "", bias: str = "") -> str:
        """Layer normalisation of x + skip + bias."""
        scale, shift = self.tensor(name + ".weight"), self.tensor(name + ".bias")
        if not skip:
            return self.graph.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)
        inputs = [x, skip, scale, shift, *([bias] if bias else [])]
        return self.graph.node("SkipLayerNormalization", *inputs, domain=MICROSOFT, epsilon=epsilon)

    def lookup(self, ids: str, name: str) -> str:
        """Rows of an embedding table; in int8 each row is held with a scale of its own."""
        table = self.read(name)
        if self.precision == "fp32":
            return self.graph.node("Gather", self.graph.constant(name, table), ids, axis=0)
        scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127
        values = np.rint(table / scales).astype(np.int8)
        whole = self.graph.node("Gather", self.graph.constant(name, values), ids, axis=0)
        scale = self.graph.node("Gather", self.graph.constant(name + ".scales", scales.astype(np.float32)), ids, axis=0)
        return self.graph.node("Mul", self.graph.node("Cast", whole, to=1), scale)


def rounded(weight: Weights) -> tuple[NDArray[np.int8], Weights]:
    """A weight (rows, columns) for MatMulIntegerToFloat: whole numbers (columns, rows) and a scale for each row.

    Seven bits of eight: processors without VNNI add two products in 16 bits, where eight bits would overflow, and the
    same text would have another vector on another machine.
    """
    scales = np.maximum(np.abs(weight).max(axis=1), 1e-12) / LARGEST
    values = np.rint(weight / scales[:, None]).astype(np.int8)
    return np.ascontiguousarray(values.T), scales.astype(np.float32)


def encoder(layers: Layers, family: Family, config: dict[str, Any], context_tokens: int) -> str:
    """The whole encoder over inputs that it declares: the name of its last layer's output (batch, sequence, width)."""
    graph = layers.graph
    ids = graph.input("input_ids", "int32", ("batch", "sequence"))
    mask = graph.input("attention_mask", "int32", ("batch", "sequence"))
    epsilon = float(family.setting(config, "layer_norm_eps", 1e-12))
    x = _embeddings(layers, family, config, ids, epsilon)
    distances = _relative_bias(layers, family, config, ids, context_tokens)
    for number in range(int(family.setting(config, "num_hidden_layers"))):
        x = _layer(layers, family, config, x, mask, distances, family.layer.format(number), epsilon)
    return x


def _embeddings(layers: Layers, family: Family, config: dict[str, Any], ids: str, epsilon: float) -> str:
    graph = layers.graph
    first = int(config.get("pad_token_id") or 0) + 1 if family.positions_after_padding else 0
    length = graph.node("Gather", graph.node("Shape", ids), graph.integers(1), axis=0)
    end = graph.node("Add", length, graph.integers(first))
    table = layers.tensor("embeddings.position_embeddings.weight")
    positions = graph.node("Slice", table, graph.integers(first), end, graph.integers(0))
    x = graph.node("Add", layers.lookup(ids, "embeddings.word_embeddings.weight"), positions)
    kinds = "embeddings.token_type_embeddings.weight"
    if layers.prefix + kinds in layers.checkpoint:
        types = graph.input("token_type_ids", "int32", ("batch", "sequence"))
        x = graph.node("Add", x, graph.node("Gather", layers.tensor(kinds), types, axis=0))
    x = layers.norm(x, "embeddings.LayerNorm", epsilon)
    if layers.prefix + "embeddings_project.weight" in layers.checkpoint:
        x = layers.matmul(x, "embeddings_project", layers.bias("embeddings_project"))
    return x


def _layer(
    layers: Layers, family: Family, config: dict[str, Any], x: str, mask: str, distances: str, at: str, epsilon: float
) -> str:
    """Attention, then the two dense layers, each with its residual and its normalisation."""
    graph = layers.graph
    heads = int(family.setting(config, "num_attention_heads"))
    names = [at + family.query, at + family.key, at + family.value]
    bias = graph.constant(at + "attention.bias", np.concatenate([layers.read(name + ".bias") for name in names]))
    if layers.precision == "fp32":
        weight = np.concatenate([layers.read(name + ".weight") for name in names]).T
        packed = graph.constant(at + "attention.weight", weight)
        more = ["", distances] if distances else []
        mixed = graph.node("Attention", x, packed, bias, mask, *more, domain=MICROSOFT, num_heads=heads)
    else:
        each = [layers.matmul(x, name) for name in names]
        mixed = graph.node("MultiHeadAttention", *each, bias, mask, distances, domain=MICROSOFT, num_heads=heads)
    out = at + family.attention_out
    x = layers.norm(layers.matmul(mixed, out), at + family.attention_norm, epsilon, skip=x, bias=layers.bias(out))
    inner = layers.matmul(x, at + family.inner)
    activation = ACTIVATIONS[str(family.setting(config, "hidden_act", "gelu"))]
    wide = layers.activate(inner, activation, layers.bias(at + family.inner))
    outer = at + family.outer
    return layers.norm(layers.matmul(wide, outer), at + family.outer_norm, epsilon, skip=x, bias=layers.bias(outer))


def _relative_bias(layers: Layers, family: Family, config: dict[str, Any], ids: str, context_tokens: int) -> str:
    """The bias that each pair of positions gets, (1, heads, sequence, sequence); "" for families without."""
    if not family.relative_bias:
        return ""
    graph = layers.graph
    table = layers.read(family.relative_bias)
    at = np.arange(context_tokens)
    buckets = relative_buckets(at[None, :] - at[:, None], table.shape[0])
    whole = graph.constant("relative_bias", table[buckets].transpose(2, 0, 1)[None])
    length = graph.node("Gather", graph.node("Shape", ids), graph.integers(1), axis=0)
    ends = graph.node("Concat", length, length, axis=0)
    return graph.node("Slice", whole, graph.integers(0, 0), ends, graph.integers(2, 3))


def relative_buckets(distance: NDArray[np.int64], buckets: int, farthest: int = 128) -> NDArray[np.int64]:
    """T5's and MPNet's buckets: half of them for each direction, exact near by and logarithmic farther off."""
    half = buckets // 2
    back = -distance
    behind = np.where(back < 0, half, 0)
    size = np.abs(back)
    exact = half // 2
    ratio = np.log(np.maximum(size, 1) / exact) / np.log(farthest / exact)
    far = np.minimum(exact + (ratio * (half - exact)).astype(np.int64), half - 1)
    return behind + np.where(size < exact, size, far)
