"""A document that comes with a question: read, cut, and as much of it as an answer needs.

A short document is shown whole. Of a long one the model sees the pieces whose words fit the question best, in the order of
the document, since there is no index to search. Owns that choice. It must not know where the document is from.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.inference.quotas.token_estimate import of_text
from craton.features.rag.chunking.cut import cut
from craton.features.rag.chunking.strategy import Fixed
from craton.features.rag.generation.passages import Passage
from craton.features.rag.generation.support import words_of
from craton.features.rag.parsing.parse import parse
from craton.features.rag.pieces import Unreadable
from craton.infra.documents.port import Extractor

PIECES = Fixed(300, 0)
MOST_PIECES = 30
"""Of about 300 tokens each, so that every model in Bedrock's list can take them."""


async def passages(
    call: Call, data: bytes, name: str, mime: str | None, question: str, reference: dict[str, Any]
) -> list[Passage]:
    """The document's passages. `reference` is where it lies, as the API shows it. Raises ValidationException."""
    try:
        parsed = await parse(cast("Extractor", call.app.documents), data, name, mime)
        pieces = await cut(parsed, PIECES, lambda texts: [of_text(text) for text in texts])
    except Unreadable as error:
        raise validation(f"The external source cannot be used: {error}") from None
    texts = [piece.text for piece in pieces]
    places = await asyncio.to_thread(fitting, question, texts, MOST_PIECES)
    return [Passage(texts[place], {"content": {"text": texts[place]}, **reference}) for place in places]


def fitting(question: str, texts: Sequence[str], most: int) -> list[int]:
    """The places of the texts that fit a question best, in their order; the first ones where none fits (BM25)."""
    if len(texts) <= most:
        return list(range(len(texts)))
    asked = {word for word in words_of(question) if word}
    counts = [Counter(word for word in words_of(text) if word) for text in texts]
    average = sum(count.total() for count in counts) / len(counts) or 1.0
    scores = [0.0] * len(texts)
    for word in asked:
        holding = sum(1 for count in counts if word in count)
        rarity = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
        for place, count in enumerate(counts):
            times = count[word]
            scores[place] += rarity * times * 2.2 / (times + 0.3 + 0.9 * count.total() / average)
    best = sorted(range(len(texts)), key=lambda place: (-scores[place], place))[:most]
    return sorted(best)
