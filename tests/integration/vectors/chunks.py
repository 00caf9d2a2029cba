"""Chunks for the tests of the vector store, and a store in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from craton.infra.vectors.lance import LanceVectors, Place
from craton.infra.vectors.port import Access, Entry, Reach, Shape, Shelf, Value, Vector, Version
from craton.infra.vectors.structures import Sizes

DIMENSIONS = 8
SHAPE = Shape(DIMENSIONS)
FORWARD = np.ones(DIMENSIONS, dtype=np.float32)


def store(folder: Path, *, keep_s: float = 600.0, sizes: Sizes | None = None) -> LanceVectors:
    return LanceVectors(Place(str(folder)), keep_s=keep_s, cache_bytes=64 * 1024 * 1024, sizes=sizes or Sizes())


def vector(number: int) -> Vector:
    """A direction of its own for each number, none of them far from FORWARD."""
    return FORWARD + np.random.default_rng(number).normal(scale=0.3, size=DIMENSIONS).astype(np.float32)


def chunk(
    number: int, document: str = "doc", text: str = "a text", *, source: str = "SOURCE", direction: Vector | None = None,
    metadata: Mapping[str, Value] | None = None, access: Access | None = None, content: str = "",
) -> Entry:  # fmt: skip
    return Entry(
        id=f"c{number}", document=document, source=source, text=text, location=b'{"type":"CUSTOM"}',
        vector=vector(number) if direction is None else direction, start=number * 10, end=number * 10 + len(text),
        content=content or f"hash {number}", metadata=metadata or {}, access=access,
    )  # fmt: skip


async def filled(vectors: LanceVectors, *entries: Entry, index: str = "kb", shape: Shape = SHAPE) -> Version:
    """A first version with these chunks."""
    draft = await vectors.draft(index, shape, None)
    await draft.put(entries)
    return await draft.finish()


async def ids(shelf: Shelf, reach: Reach | None = None, limit: int = 1000) -> set[str]:
    """All that a search can see."""
    return {found.id for found in await shelf.nearest(FORWARD, limit, reach or Reach())}
