"""What a reranking model is asked, and what it answers: one shape for every vendor's schema.

Owns the records and how a document that is no text is read as one. Knows no HTTP and no vendor.
"""

from __future__ import annotations

from typing import Any

import msgspec

Document = str | dict[str, Any]


class Names(msgspec.Struct, frozen=True):
    """The caller's own names of the members below, for the ledger."""

    max_tokens_per_document: str = "max_tokens_per_doc"


class RerankRequest(msgspec.Struct, kw_only=True):
    """A query and what to rank by it. `top_n` None: all of them.

    `extras`: fields of the model's own schema that the caller added. `native`, `schema`: as in an EmbedRequest.
    """

    query: str
    documents: list[Document]
    model_id: str = ""
    top_n: int | None = None
    max_tokens_per_document: int | None = None
    extras: dict[str, Any] = {}
    names: Names = Names()
    schema: str = ""
    native: bytes = b""

    def texts(self) -> list[str]:
        return [document_text(document) for document in self.documents]


class Ranked(msgspec.Struct, frozen=True):
    """A document by its place in the request, and its score from 0 to 1."""

    index: int
    relevance_score: float


class RerankReply(msgspec.Struct, kw_only=True):
    """Best first. `input_tokens` None: the upstream did not say. `native`: its reply as it came."""

    results: list[Ranked] = []
    input_tokens: int | None = None
    native: bytes = b""


def document_text(document: Document) -> str:
    """A text as it is; an object as lines of `name: value`, which is how Cohere advises to send structured data."""
    if isinstance(document, str):
        return document
    return "\n".join(f"{name}: {_plain(value)}" for name, value in document.items())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def ranked(scores: list[float], top_n: int | None) -> list[Ranked]:
    """Results of scores in the documents' order: best first, equal ones in that order."""
    places = sorted(range(len(scores)), key=lambda place: -scores[place])
    return [Ranked(place, scores[place]) for place in places[:top_n]]
