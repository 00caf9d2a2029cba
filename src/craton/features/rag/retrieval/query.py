"""A question to a knowledge base, and what was found: the records that retrieval shares with whoever builds on it.

Owns the names alone. It must not know the API's shapes, the store of vectors, nor models.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from craton.infra.vectors.port import Filter

DEFAULT_LIMIT = 5

Mode = Literal["HYBRID", "SEMANTIC"]
AttributeType = Literal["STRING", "NUMBER", "BOOLEAN", "STRING_LIST"]


class Attribute(msgspec.Struct, frozen=True):
    """A metadata attribute as a model is told of it, so that it can make a filter of it."""

    key: str
    type: AttributeType
    description: str


class Implicit(msgspec.Struct, frozen=True):
    """A model makes a filter of the question."""

    model_arn: str
    attributes: tuple[Attribute, ...]


class Reranking(msgspec.Struct, frozen=True):
    """A model puts what was found in order; `keep` is how many of it stay (None: all).

    With `metadata` the model reads attributes with the text: those of `include`, or all but those of `exclude`, or (both
    None) all. `managed`: the service chose the model, so the caller needs no rights to it.
    """

    model_arn: str
    managed: bool = False
    keep: int | None = None
    extras: dict[str, Any] = {}
    metadata: bool = False
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None


class Start(msgspec.Struct, frozen=True):
    """Where a page begins: behind so many results, in the version of the index that the page before it was of."""

    offset: int
    version: int


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. `limit` is how many results there are in all (1–100), whatever they are split into.

    `mode` None: the service decides, and takes both. `user` is who asks, for documents with access lists.
    `page_bytes` is about how much text one answer may have; what is left has a `Start`. None: all at once.
    """

    text: str
    limit: int = DEFAULT_LIMIT
    mode: Mode | None = None
    where: Filter | None = None
    implicit: Implicit | None = None
    reranking: Reranking | None = None
    user: str | None = None
    start: Start | None = None
    page_bytes: int | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A passage that was found, as it is returned: the chunk's parent where it has one.

    `metadata` has the document's own attributes and the reserved `x-amz-bedrock-kb-*` keys; `location` is the API's
    RetrievalResultLocation. `chunk` is the id of the chunk that was found, `start` and `end` its offsets in characters
    in the document's text, `document` the document's key in its data source `source`.
    """

    text: str
    score: float
    location: dict[str, Any]
    metadata: dict[str, Any]
    chunk: str
    document: str
    source: str
    start: int
    end: int
    page: int | None = None


class Results(msgspec.Struct, frozen=True):
    """What was found, the best first. `next` is where the rest of it begins."""

    results: tuple[Result, ...] = ()
    next: Start | None = None
