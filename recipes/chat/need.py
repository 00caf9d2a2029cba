"""What a run still gets wrong, task by task, and how much more it is drawn for that.

The measure uses fresh conversations from the training side of the wall, so that no held-out word or template decides
what is trained. This file owns the measure and the weights. It must not know optimisers.
"""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import Tokenizer

from recipes.chat import mix
from recipes.chat.draw import Draw
from recipes.chat.model import Decoder
from recipes.chat.verdict import in_torch

SAMPLE = 12
LEAST, MOST = 0.4, 2.0


def errors(model: Decoder, vocabulary: Tokenizer, draw: Draw) -> dict[str, float]:
    """The share of wrong last answers of each maker in the whole mix, 0 to 1."""
    found: dict[str, float] = {}
    for maker, _ in mix.FULL:
        verdicts = in_torch(model, vocabulary, [maker(draw) for _ in range(SAMPLE)])
        found[mix.title(maker)] = round(1 - sum(verdicts) / SAMPLE, 3)
    return found


def weights(errors: Mapping[str, float]) -> dict[str, float]:
    """A task that is always right is drawn at `LEAST` of its share, one that is always wrong at `MOST`."""
    return {name: LEAST + (MOST - LEAST) * error for name, error in errors.items()}
