"""How many tokens texts have: by the tokenizer of the model that will read them where it lies here, else by an estimate.

Owns the choice. The estimate is on the safe side of what tokenizers of embedding models make of prose, so pieces come
out smaller rather than too long. It must not know documents or strategies.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from craton.features.rag.pieces import CountTokens

_WORD = re.compile(r"\w+|[^\w\s]")
_WORD_CHARACTERS = 5
"""A longer word counts as several tokens, one for each so many characters."""
_TOKENIZER = "tokenizer.json"


def counting(directory: str | None) -> CountTokens:
    """What counts for the model in this directory; None: for a model that is elsewhere."""
    path = Path(directory) / _TOKENIZER if directory else None
    return (_exact(path) if path is not None and path.is_file() else None) or estimated


@cache
def _exact(path: Path) -> CountTokens | None:
    try:
        from tokenizers import Tokenizer
    except ImportError:  # an installation without the extra that has it
        return None
    found = Tokenizer.from_file(str(path))
    found.no_truncation()
    found.no_padding()

    def count(texts: Sequence[str]) -> Sequence[int]:
        whole = [text.encode("utf-8", "replace").decode() for text in texts]
        return [len(one.ids) for one in found.encode_batch_fast(whole, add_special_tokens=False)]

    return count


def estimated(texts: Sequence[str]) -> Sequence[int]:
    """By words and signs."""
    return [sum(1 + (len(word) - 1) // _WORD_CHARACTERS for word in _WORD.findall(text)) for text in texts]
