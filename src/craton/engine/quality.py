"""`python -m craton.engine.quality BASE QUANTISED`: what a model lost when its weights were made smaller.

Owns the measure: both forms read the same text (`sample_text`), token by token, and what they expect next is compared.
Perplexity says how well each predicts the text, the Kullback-Leibler divergence (in nats) how far the second's
expectations are from the first's, and agreement how often both would say the same word next. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craton.engine.backend import EngineFault, ModelSpec
from craton.engine.modeldir import describe
from craton.engine.opening import backend_of, open_rows
from craton.engine.rows import Rows
from craton.engine.sample_text import TEXTS
from craton.engine.tokenizer import Tokenizer

# Of each text so many tokens are read: more would not change the picture, and would cost minutes on large models.
TOKENS = 192
# Read together, one text a row.
ROWS = 8


@dataclass(slots=True)
class Sums:
    """What is added up over all positions; `tokens` is how many of them."""

    tokens: int = 0
    base_nats: float = 0.0
    other_nats: float = 0.0
    divergence: float = 0.0
    worst: float = 0.0
    agreed: int = 0

    def add(self, base: NDArray[np.float64], other: NDArray[np.float64], following: int) -> None:
        """Log probabilities of both forms at one position, and the token that the text goes on with."""
        divergence = float((np.exp(base) * (base - other)).sum())
        self.tokens += 1
        self.base_nats -= float(base[following])
        self.other_nats -= float(other[following])
        self.divergence += divergence
        self.worst = max(self.worst, divergence)
        self.agreed += int(base.argmax() == other.argmax())

    def told(self) -> dict[str, Any]:
        """The figures, rounded."""
        count = max(1, self.tokens)
        base, other = math.exp(self.base_nats / count), math.exp(self.other_nats / count)
        return {
            "tokens": self.tokens,
            "perplexity_base": round(base, 4),
            "perplexity": round(other, 4),
            "perplexity_change": round(other / base - 1, 5),
            "kl_mean_nats": round(self.divergence / count, 6),
            "kl_max_nats": round(self.worst, 5),
            "same_next_token": round(self.agreed / count, 5),
        }


def measure(base: Path, other: Path, threads: int) -> dict[str, Any]:
    """Compare two directories of one model. Raises EngineFault when one cannot be opened, or they are not of one model."""
    named = [backend_of(base, "transformers" if _has_tensors(base) else "auto"), backend_of(other, "auto")]
    found = [describe(path, backend) for path, backend in zip((base, other), named, strict=True)]
    tokenizers = [Tokenizer(each.path / "tokenizer.json", each.eos, each.vocabulary) for each in found]
    texts = [tokenizers[0].encode(text)[:TOKENS] for text in TEXTS]
    if [tokenizers[1].encode(text)[:TOKENS] for text in TEXTS] != texts:
        raise EngineFault("the two directories have different tokenizers: they are not of one model")
    longest = min(each.context_tokens for each in found)
    opened = [
        open_rows(ModelSpec(path, threads, ROWS, context_tokens=min(longest, TOKENS + 8), backend=backend))
        for path, backend in zip((base, other), named, strict=True)
    ]
    room = min(rows.context_tokens for rows in opened)
    texts = [[token for token in text if token < opened[0].vocabulary][:room] for text in texts]
    return {"measured_on": "built-in text", **compared(opened[0], opened[1], [text for text in texts if len(text) > 2])}


def compared(base: Rows, other: Rows, texts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """The figures of two models that are open. Raises EngineFault on logits that are no numbers."""
    if base.vocabulary != other.vocabulary:
        raise EngineFault(f"one has {base.vocabulary} tokens and the other {other.vocabulary}: not of one model")
    sums = Sums()
    width = min(base.capacity, other.capacity, ROWS)
    for first in range(0, len(texts), width):
        # The longest first: rows that end leave from behind, and those that go on stay side by side.
        some = sorted(texts[first : first + width], key=len, reverse=True)
        for one, two in zip(_read(base, some), _read(other, some), strict=True):
            sums.add(_log_softmax(one[0]), _log_softmax(two[0]), one[1])
    return sums.told()


def _read(rows: Rows, texts: Sequence[Sequence[int]]) -> Iterator[tuple[NDArray[np.float32], int]]:
    """For every position of every text: the logits after it, and the token that follows."""
    for row, text in enumerate(texts):
        yield rows.prefill(row, text[:1], 0), text[1]
    for at in range(1, max(map(len, texts)) - 1):
        going = [text for text in texts if len(text) > at + 1]
        tokens = np.array([text[at] for text in going], np.int64)
        logits = rows.decode(tokens, np.full(len(going), at, np.int64))
        for row, text in enumerate(going):
            yield logits[row], text[at + 1]


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    if not np.isfinite(logits).all():
        raise EngineFault("the model's logits are not numbers: the conversion went wrong")
    shifted = logits.astype(np.float64) - float(logits.max())
    return shifted - math.log(float(np.exp(shifted).sum()))


def _has_tensors(path: Path) -> bool:
    return (path / "config.json").is_file() and any(path.glob("*.safetensors"))


def sentence(told: dict[str, Any]) -> str:
    """The figures as a person reads them."""
    return (
        f"perplexity {told['perplexity_base']:.2f} → {told['perplexity']:.2f} ({told['perplexity_change']:+.1%}), "
        f"mean divergence {told['kl_mean_nats']:.4f} nats, the same next token at {told['same_next_token']:.1%} "
        f"of {told['tokens']} positions"
    )


def main(given: list[str] | None = None) -> int:
    """The command line; exit status 0 with one JSON line, 1 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m craton.engine.quality", description=__doc__)
    parser.add_argument("base", type=Path, help="the original: a Hugging Face directory, or one that is served")
    parser.add_argument("quantised", type=Path, help="the directory that is to be judged")
    parser.add_argument("--words", action="store_true", help="a sentence rather than JSON")
    parser.add_argument("--threads", type=int, default=1, help="cores to use (default: 1)")
    options = parser.parse_args(given)
    try:
        told = measure(options.base, options.quantised, max(1, options.threads))
    except EngineFault as fault:
        print(fault, file=sys.stderr)
        return 1
    print(sentence(told) if options.words else json.dumps(told))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
