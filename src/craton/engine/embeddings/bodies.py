"""What `/v1/embeddings` and `/v1/rerank` take and give: OpenAI's shape and the one that rerank servers agree on.

Owns the fields, their checks and the replies' JSON. Unknown fields are ignored; those that would change the answer are
obeyed or refused by name. Knows no model.
"""

from __future__ import annotations

import base64
from typing import Any, Literal

import msgspec
import numpy as np

from craton.engine.embeddings.session import Results
from craton.engine.embeddings.tokens import Truncate
from craton.engine.openai_request import BadRequest

# As OpenAI's: more texts belong into several requests.
MOST_TEXTS = 2048
encode = msgspec.json.Encoder().encode


class EmbeddingsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/embeddings. `input_type`, `truncate` and `priority` are this engine's own; OpenAI's clients send none."""

    input: str | list[str]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    # What the texts are for: a model that was trained with prompts gets the one of that name before each.
    input_type: Literal["query", "document"] | None = None
    # What happens to a text that is too long: its end or its start is cut off, or the request is refused.
    truncate: Truncate = "end"
    # batch: nobody waits for the answer, so it is computed beside everything else.
    priority: Literal["default", "batch"] = "default"


class RerankRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/rerank."""

    query: str
    documents: list[str]
    model: str = ""
    top_n: int | None = None


class CountRequest(msgspec.Struct, frozen=True):
    """POST /tokenize."""

    prompt: str
    model: str = ""


def texts_of(asked: EmbeddingsRequest, dimensions: int) -> list[str]:
    """The texts, checked. Raises BadRequest."""
    if asked.dimensions is not None and asked.dimensions != dimensions:
        text = f"This model's embeddings have {dimensions} dimensions; 'dimensions' can be nothing else"
        raise BadRequest(text, "dimensions", "invalid_value")
    return _some([asked.input] if isinstance(asked.input, str) else asked.input, "input")


def documents_of(asked: RerankRequest) -> list[str]:
    """The documents, checked. Raises BadRequest."""
    if asked.top_n is not None and asked.top_n < 1:
        raise BadRequest("'top_n' must be at least 1", "top_n", "invalid_value")
    return _some(asked.documents, "documents")


def _some(texts: list[str], name: str) -> list[str]:
    if not 1 <= len(texts) <= MOST_TEXTS:
        raise BadRequest(f"'{name}' must hold 1 to {MOST_TEXTS} texts", name, "invalid_value")
    return texts


def embeddings(found: Results, model: str, tokens: int, encoding: str) -> bytes:
    """The reply to /v1/embeddings: (texts, dimensions) as numbers, or as base64 of little-endian float32."""
    vectors: list[Any] = (
        found.tolist()
        if encoding == "float"
        else [base64.b64encode(each.astype("<f4").tobytes()).decode() for each in found]
    )
    data = [{"object": "embedding", "index": at, "embedding": each} for at, each in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return encode({"object": "list", "data": data, "model": model, "usage": usage})


def ranking(logits: Results, model: str, tokens: int, top_n: int | None) -> bytes:
    """The reply to /v1/rerank: best first; scores between 0 and 1 (the logistic function of the model's logit)."""
    scores = 1 / (1 + np.exp(-logits[:, 0].astype(np.float64)))
    order = np.argsort(-scores, kind="stable")[:top_n].tolist()
    results = [{"index": at, "relevance_score": float(scores[at])} for at in order]
    return encode({"model": model, "results": results, "usage": {"total_tokens": tokens}})
