"""A served encoder's directory: `craton.json`, `model.onnx` with its data, `tokenizer.json`.

Owns the reading and the checks of what `package` writes. Opens no model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from craton.engine.modeldir import ModelDirectoryFault

GRAPH = "model.onnx"
CARD = "craton.json"
Kind = Literal["embedding", "rerank"]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """craton.json. `prompts` maps what a text is for (`query`, `document`) to what is written before it."""

    id: str
    kind: Kind
    context_tokens: int
    dimensions: int = 0
    precision: str = "fp32"
    prompts: dict[str, str] = {}
    # How near the rounded model is to the exact one: lowest and mean cosine over the converter's own texts.
    cosine_to_fp32: dict[str, float] = {}
    sha256: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class EncoderDirectory:
    """The facts of one directory."""

    path: Path
    card: Card
    hashes: dict[str, str] = field(default_factory=dict)


def describe(path: Path) -> EncoderDirectory:
    """Read and check a directory. Raises ModelDirectoryFault listing every problem found."""
    if not path.is_dir():
        raise ModelDirectoryFault(path, ["there is no such directory"])
    problems = [f"{name} is missing" for name in (CARD, GRAPH, "tokenizer.json") if not (path / name).is_file()]
    if problems:
        raise ModelDirectoryFault(path, problems)
    try:
        card = msgspec.json.decode((path / CARD).read_bytes(), type=Card)
    except msgspec.DecodeError as fault:
        raise ModelDirectoryFault(path, [f"{CARD} is damaged: {fault}"]) from None
    if card.context_tokens < 1 or (card.kind == "embedding" and card.dimensions < 1):
        raise ModelDirectoryFault(path, [f"{CARD} lacks context_tokens or dimensions"])
    return EncoderDirectory(path, card, card.sha256)
