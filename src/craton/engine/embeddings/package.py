"""Conversion: a directory of transformers or sentence-transformers becomes one that the engine serves.

Owns the assembly of the graph, `craton.json`, and the proof that the result computes; for rounded weights also how near
they are to the exact ones, by texts of its own. Needs the base install only, no torch; nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np

from craton.engine.backend import EngineFault
from craton.engine.embeddings import heads
from craton.engine.embeddings.directory import CARD, GRAPH, Card
from craton.engine.embeddings.graph import Layers, Precision, encoder
from craton.engine.embeddings.onnxfile import Graph
from craton.engine.embeddings.session import Results, Session
from craton.engine.embeddings.source import Source, read
from craton.engine.embeddings.tokens import TextEncoder
from craton.engine.modeldir import sha256

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# A rounded model that is farther than this from the exact one is of no use.
LOWEST_COSINE = 0.96
CARDS = ("README.md", "MODEL_CARD.md", "LICENSE")
# What the two precisions are compared by: sentences, a heading, code, other scripts, short and long.
SAMPLES = (
    "How do I reset my password?",
    "The quarterly report shows that revenue grew by twelve percent while costs stayed level.",
    "Die Katze sitzt auf dem Dach und schaut in den Regen.",
    "def add(a: int, b: int) -> int: return a + b",
    "Chapter 3: Maintenance of the cooling system",
    "東京は日本の首都です。",
    "Water boils at 100 °C at sea level; at 3,000 m it boils at about 90 °C.",
    "yes",
    (
        "A refund is paid to the card that the order was paid with, within five working days of our receiving the goods. "
        "If the card has expired in the meantime, please write to us, and we shall send a cheque instead. "
        "Goods that were made to order, or that were opened although they were sealed for reasons of hygiene, are excepted."
    ),
)
Say = Callable[[str], None]


class PackageFault(EngineFault):
    """The conversion cannot be done or went wrong; the message says what."""


def package(source: Path, target: Path, *, precision: str = "fp32", model_id: str | None = None, say: Say) -> Card:
    """Convert `source` into `target`, which must not exist; it appears whole or not at all. Raises EngineFault."""
    if precision not in PRECISIONS:
        raise PackageFault(f"an encoder's precision is {' or '.join(PRECISIONS)}, not {precision}")
    if target.exists():
        raise PackageFault(f"{target} exists already")
    found = read(source)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        partial.mkdir()
        say("exporting")
        _copy(found, partial)
        write_graph(found, precision, partial / GRAPH)
        say("checking")
        card = _prove(found, partial, precision, model_id or target.name)
        (partial / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say("done")
    return card


def write_graph(found: Source, precision: Precision, path: Path) -> None:
    """Build the encoder with its head and write it."""
    graph = Graph(found.kind)
    layers = Layers(graph, found.checkpoint, found.prefix, precision)
    x = encoder(layers, found.family, found.config, found.context_tokens)
    if found.kind == "rerank":
        result = heads.score(layers, found.family, x)
    else:
        result = heads.pooled(layers, x, found.pooling)
        for dense in found.dense:
            result = heads.projected(layers, result, dense)
        if found.normalised:
            result = heads.normalised(layers, result)
    graph.output(result, "float32", ("batch", "width"))
    graph.save(path)


def _copy(found: Source, partial: Path) -> None:
    """The tokenizer, and the card if there is one."""
    shutil.copyfile(found.root / "tokenizer.json", partial / "tokenizer.json")
    for name in CARDS:
        if (found.path / name).is_file():
            shutil.copyfile(found.path / name, partial / name)


def _prove(found: Source, partial: Path, precision: str, model_id: str) -> Card:
    """Compute the samples as the server will; for rounded weights by the exact graph as well."""
    texts = TextEncoder(partial / "tokenizer.json", found.context_tokens)
    result = _compute(found, texts, partial / GRAPH)
    width = result.shape[1]
    if not np.isfinite(result).all() or (found.kind == "rerank" and width != 1):
        raise PackageFault("the converted model's results are not numbers")
    near: dict[str, float] = {}
    if precision != "fp32" and found.kind == "embedding":
        near = _nearness(result, _exact(found, texts, partial))
        if near["lowest"] < LOWEST_COSINE:
            raise PackageFault(
                f"rounding to {precision} spoils this model (cosine {near['lowest']:.3f} to fp32): take --precision fp32"
            )
    files = sorted(file for file in partial.iterdir() if file.is_file())
    return Card(
        id=model_id,
        kind=found.kind,
        context_tokens=found.context_tokens,
        dimensions=width if found.kind == "embedding" else 0,
        precision=precision,
        prompts=found.prompts,
        cosine_to_fp32=near,
        sha256={file.name: sha256(file) for file in files},
    )


def _compute(found: Source, texts: TextEncoder, path: Path) -> Results:
    session = Session(path, 1)
    if found.kind == "embedding":
        return np.concatenate([session.run([texts.one(text)]) for text in SAMPLES])
    query = texts.cut(SAMPLES[0])
    return np.concatenate([session.run([texts.two(query, text)]) for text in SAMPLES])


def _exact(found: Source, texts: TextEncoder, partial: Path) -> Results:
    scratch = partial / "exact"
    scratch.mkdir()
    try:
        write_graph(found, "fp32", scratch / GRAPH)
        return _compute(found, texts, scratch / GRAPH)
    finally:
        shutil.rmtree(scratch)


def _nearness(one: Results, other: Results) -> dict[str, float]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines = (one * other).sum(axis=1) / np.maximum(lengths, 1e-12)
    return {"lowest": round(float(cosines.min()), 4), "mean": round(float(cosines.mean()), 4)}
