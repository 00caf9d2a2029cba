"""Every dialect of reranking, in one visible table. Each is loaded when somebody names it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

from craton.models.dialects.rerank.dialect import RerankDialect

# Name → class. The last two are what vendors speak themselves; the others are native schemas on Bedrock.
SCHEMAS: dict[str, str] = {
    "amazon.rerank": "AmazonRerank",
    "cohere.rerank": "CohereRerank",
    "cohere.rerank-api": "CohereRerankApi",
    "jina.rerank": "JinaRerank",
}


def rerank_dialect(name: str) -> RerankDialect | None:
    """The dialect with this name, or None."""
    return _load(name) if name in SCHEMAS else None


@cache
def _load(name: str) -> RerankDialect:
    return cast("RerankDialect", getattr(import_module("craton.models.dialects.rerank.schemas"), SCHEMAS[name])())
