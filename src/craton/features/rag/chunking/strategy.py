"""How a data source wants its documents cut: the API's chunkingConfiguration as a value.

Owns the strategies and their defaults. Sizes count tokens of the model that will read the pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Fixed(msgspec.Struct, frozen=True):
    """Pieces of at most `most` tokens, each beginning with up to `overlap` tokens of the one before."""

    most: int = 300
    overlap: int = 60


class Hierarchical(msgspec.Struct, frozen=True):
    """Parents of at most `parent` tokens, within them children of at most `child`; `overlap` on both levels."""

    parent: int
    child: int
    overlap: int


class Semantic(msgspec.Struct, frozen=True):
    """Cuts where the meaning changes most: each sentence is seen with `buffer` neighbours on both sides, and a distance
    to the next that is beyond `percentile` of all is a cut.
    """

    most: int = 300
    buffer: int = 0
    percentile: int = 95


class Whole(msgspec.Struct, frozen=True):
    """One piece for each document (or record)."""


Strategy = Fixed | Hierarchical | Semantic | Whole

DEFAULT = Fixed()
"""About 300 tokens at the ends of sentences, with a fifth repeated. Source: the user guide on chunking."""


def strategy_of(ingestion: Mapping[str, Any] | None) -> Strategy:
    """Of a data source's vectorIngestionConfiguration (or None), which the API's model has found valid."""
    chosen = (ingestion or {}).get("chunkingConfiguration")
    if not chosen:
        return DEFAULT
    kind = chosen["chunkingStrategy"]
    if kind == "FIXED_SIZE":
        size = chosen.get("fixedSizeChunkingConfiguration")
        return Fixed(size["maxTokens"], size["maxTokens"] * size["overlapPercentage"] // 100) if size else DEFAULT
    if kind == "HIERARCHICAL":
        levels = chosen["hierarchicalChunkingConfiguration"]
        parent, child = (level["maxTokens"] for level in levels["levelConfigurations"])
        return Hierarchical(parent, child, levels["overlapTokens"])
    if kind == "SEMANTIC":
        found = chosen.get("semanticChunkingConfiguration")
        if not found:
            return Semantic()
        return Semantic(found["maxTokens"], found["bufferSize"], found["breakpointPercentileThreshold"])
    return Whole()
