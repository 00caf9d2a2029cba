"""Every dialect of embeddings, in one visible table. Each is loaded when somebody names it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

from craton.models.dialects.embeddings.dialect import EmbedDialect

# Name → module and class. The last three are vendors' own APIs; the others are native schemas on Bedrock.
SCHEMAS: dict[str, tuple[str, str]] = {
    "amazon.titan-embed-text": ("titan_text", "TitanTextV1"),
    "amazon.titan-embed-text-v2": ("titan_text", "TitanTextV2"),
    "amazon.titan-embed-image": ("titan_image", "TitanImage"),
    "amazon.nova-embed": ("nova", "NovaEmbed"),
    "cohere.embed": ("cohere", "CohereEmbedV3"),
    "cohere.embed-v4": ("cohere", "CohereEmbedV4"),
    "twelvelabs.marengo": ("marengo", "Marengo2"),
    "twelvelabs.marengo-3": ("marengo", "Marengo3"),
    "cohere.embed-api": ("cohere", "CohereEmbedApi"),
    "openai.embeddings": ("openai", "OpenAIEmbeddings"),
    "google.gemini-embed": ("gemini", "GeminiEmbed"),
}


def embed_dialect(name: str) -> EmbedDialect | None:
    """The dialect with this name, or None."""
    return _load(name) if name in SCHEMAS else None


@cache
def _load(name: str) -> EmbedDialect:
    file, kind = SCHEMAS[name]
    return cast("EmbedDialect", getattr(import_module(f"craton.models.dialects.embeddings.{file}"), kind)())
