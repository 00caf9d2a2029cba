"""What the files of a tokenizer say before anybody loads them: of which kind it is, and whether there is a chat template.

Loading is the engine's, in its own process: the definitive check. Source of the kinds: Bedrock user guide, "Import a
model with Custom Model Import".
"""

from __future__ import annotations

from typing import Any

from craton.features.importing.document import document
from craton.features.importing.fault import BadModel
from craton.features.importing.listing import TOKENIZER, TOKENIZER_CONFIG

KINDS = frozenset(
    {"T5Tokenizer", "LlamaTokenizer", "CodeLlamaTokenizer", "GPT2Tokenizer", "GPTNeoXTokenizer", "PreTrainedTokenizer",
     "Qwen2Tokenizer", "TokenizersBackend"}
)  # fmt: skip
TEMPLATE = "chat_template.jinja"


def check(tokenizer: bytes, settings: bytes) -> None:
    """Raise BadModel for files that are no tokenizer, or one of a kind that is not imported."""
    model = document(TOKENIZER, tokenizer).get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        raise BadModel(f"{TOKENIZER} has no model with a vocabulary.")
    told = document(TOKENIZER_CONFIG, settings)
    kind = told.get("tokenizer_class")
    if kind is not None and str(kind).removesuffix("Fast") not in KINDS:
        raise BadModel(f"{TOKENIZER_CONFIG}: the tokenizer {str(kind)[:100]} is not supported.")


def words(tokenizer: bytes) -> int:
    """One more than the highest id that the tokenizer gives."""
    told = document(TOKENIZER, tokenizer)
    vocabulary: Any = told["model"]["vocab"]
    ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
    added = [one.get("id", 0) for one in told.get("added_tokens") or () if isinstance(one, dict)]
    return 1 + max((one for one in (*ids, *added) if isinstance(one, int)), default=-1)


def has_template(settings: bytes, names: list[str]) -> bool:
    """Whether a conversation can be put to the model."""
    return bool(document(TOKENIZER_CONFIG, settings).get("chat_template")) or TEMPLATE in names
