"""What follows the encoder: pooling and normalisation for an embedding, the classifier for a rerank score.

Owns both heads as graphs. The result of an embedding is (batch, dimensions), of a reranker (batch,): the raw logit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from craton.engine.embeddings.families import Family
from craton.engine.embeddings.graph import Layers
from craton.engine.embeddings.weights import Checkpoint

# sentence-transformers' names of pooling modes that the graph can compute.
POOLINGS = ("mean", "cls", "max", "mean_sqrt_len_tokens")
# torch's activation after a Dense module → the operator.
DENSE_ACTIVATIONS = {"Identity": "", "Tanh": "Tanh", "ReLU": "Relu", "GELU": "Gelu", "Sigmoid": "Sigmoid"}


@dataclass(frozen=True)
class Dense:
    """A Dense module of sentence-transformers: a folder with its own weights, and what follows them."""

    checkpoint: Checkpoint
    activation: str
    bias: bool


def pooled(layers: Layers, x: str, pooling: str) -> str:
    """One vector per text of one per token: (batch, sequence, width) to (batch, width)."""
    graph = layers.graph
    if pooling == "cls":
        return _first(layers, x)
    mask = graph.node("Cast", "attention_mask", to=1)
    mask = graph.node("Unsqueeze", mask, graph.integers(2))
    if pooling == "max":
        # As sentence-transformers: padding is -1e9 before the maximum.
        outside = graph.node("Mul", graph.node("Sub", mask, graph.number(1.0)), graph.number(1e9))
        return graph.node("ReduceMax", graph.node("Add", graph.node("Mul", x, mask), outside), axes=[1], keepdims=0)
    total = graph.node("ReduceSum", graph.node("Mul", x, mask), graph.integers(1), keepdims=0)
    count = graph.node("ReduceSum", mask, graph.integers(1), keepdims=0)
    if pooling == "mean_sqrt_len_tokens":
        count = graph.node("Sqrt", count)
    return graph.node("Div", total, count)


def projected(layers: Layers, x: str, dense: Dense) -> str:
    """A Dense module: linear, then its activation."""
    part = Layers(layers.graph, dense.checkpoint, "", "fp32")
    x = part.matmul(x, "linear", part.bias("linear") if dense.bias else "")
    return part.activate(x, dense.activation) if dense.activation else x


def normalised(layers: Layers, x: str) -> str:
    """Each vector at length 1; a vector of zeros stays."""
    graph = layers.graph
    length = graph.node("ReduceL2", x, axes=[1], keepdims=1)
    return graph.node("Div", x, graph.node("Max", length, graph.number(1e-12)))


def score(layers: Layers, family: Family, x: str) -> str:
    """The one label of a sequence classifier: (batch, 1)."""
    exact = Layers(layers.graph, layers.checkpoint, layers.prefix, "fp32")
    dense, out = family.head
    x = exact.matmul(_first(layers, x), dense, exact.bias(dense))
    x = exact.activate(x, family.head_activation)
    return exact.matmul(x, out, exact.bias(out))


def _first(layers: Layers, x: str) -> str:
    return layers.graph.node("Gather", x, layers.graph.constant("first", np.array(0, np.int64)), axis=1)
