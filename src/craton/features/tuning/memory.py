"""How much memory a run needs, told before it takes it.

An estimate from the base's configuration and the plan: weights, what is trained with its gradients and the
optimiser's two moments, and what a block keeps for the way back. It errs upwards by design.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from craton.features.tuning.packing import BLOCK_TOKENS
from craton.features.tuning.plan import Plan
from craton.features.tuning.progress import TuningFault

_FLOAT = 4
_INTERPRETER = 700 << 20
"""torch, transformers and peft, loaded."""
_KEPT_PER_LAYER = 24
"""Values of one width that a layer keeps per token for the way back."""


def needed_bytes(plan: Plan) -> int:
    """About what the run takes at its highest, in bytes. Raises TuningFault for a base without a configuration."""
    base = Path(plan.base)
    config = _config(base)
    weights = sum(file.stat().st_size for file in base.glob("*.safetensors"))
    narrow = config.get("torch_dtype") or config.get("dtype")
    count = weights // (_FLOAT if narrow == "float32" else 2)
    width, layers = int(config.get("hidden_size", 1024)), int(config.get("num_hidden_layers", 12))
    inner, words = int(config.get("intermediate_size", 4 * width)), int(config.get("vocab_size", 32_000))
    trained = plan.settings.rank * layers * (6 * width + 3 * (width + inner)) if plan.settings.rank else count
    tokens, row = max(BLOCK_TOKENS, plan.settings.max_tokens), plan.settings.max_tokens
    heads = int(config.get("num_attention_heads", 16))
    kept = tokens * layers * (_KEPT_PER_LAYER * width + 3 * inner) + tokens * row * heads + 3 * tokens * words
    return plan.processes * (_INTERPRETER + _FLOAT * (count + 4 * trained + kept))


def check_room(plan: Plan) -> None:
    """Raises TuningFault of the kind `memory` if the run may not take what it needs."""
    needed = needed_bytes(plan)
    if plan.memory_bytes and needed > plan.memory_bytes:
        raise TuningFault(
            "memory", f"training needs about {shown(needed)} of memory, and {shown(plan.memory_bytes)} are free"
        )


def shown(size: int) -> str:
    """Bytes as people say them."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MiB"


def _config(base: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((base / "config.json").read_bytes())
    except (OSError, ValueError) as fault:
        raise TuningFault("base", f"the base model's config.json cannot be read: {fault}") from fault
    return found
