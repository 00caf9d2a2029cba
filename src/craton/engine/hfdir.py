"""A Hugging Face directory's own words, in the terms that serving needs.

Owns where config.json and generation_config.json say how long a context is, how many tokens the vocabulary has, what
ends an answer and how tokens are drawn. Opens no weights, runs no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

# What families call the number of positions that they were trained on.
CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx")
# Where nothing is said (recurrent models have no limit of their own).
CONTEXT_TOKENS = 4096
# Parts of a configuration that describe the text model of one that reads more than text.
TEXT_PARTS = ("text_config", "llm_config", "language_config")


def facts_of(path: Path, config: dict[str, Any], generation: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """`model` and `search` as genai_config.json has them; what is missing is added to `problems`."""
    text = next((config[name] for name in TEXT_PARTS if isinstance(config.get(name), dict)), config)
    if not isinstance(text.get("vocab_size", config.get("vocab_size")), int):
        problems.append("config.json names no vocab_size")
    if not any(path.glob("*.safetensors")):
        pickled = "only pickled weights are there (*.bin, *.pt), which are never opened; "
        problems.append(f"{pickled if _pickled(path) else ''}*.safetensors are missing")
    problems += _shards_missing(path)
    context = next((text[name] for name in CONTEXT_NAMES if isinstance(text.get(name), int)), CONTEXT_TOKENS)
    ends = next(
        (each["eos_token_id"] for each in (generation, text, config) if each.get("eos_token_id") is not None), None
    )
    model = {
        "vocab_size": text.get("vocab_size", config.get("vocab_size")),
        "context_length": context,
        "eos_token_id": ends,
    }
    return {"model": model, "search": generation}


def _pickled(path: Path) -> bool:
    return any(any(path.glob(pattern)) for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl"))


def _shards_missing(path: Path) -> list[str]:
    """Files that an index names and that are not there; names with folders in them count as missing."""
    import json

    index = path / "model.safetensors.index.json"
    if not index.is_file():
        return []
    try:
        named = set(json.loads(index.read_bytes())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"{index.name} is damaged"]
    return [f"{name} is missing" for name in sorted(map(str, named)) if "/" in name or not (path / name).is_file()]
