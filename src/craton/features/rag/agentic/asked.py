"""What an agentic retrieval is asked for, and what it tells on its way: the records of both.

Owns the names alone. It must not know the API's shapes, prompts or models.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from craton.features.rag.retrieval.acting import Base
from craton.features.rag.retrieval.query import Reranking, Result
from craton.infra.vectors.port import Filter

Step = Literal["SpeculativeRetrieval", "Planning", "Retrieval", "FullDocumentExpansion"]
Status = Literal["IN_PROGRESS", "SUCCEEDED", "FAILED"]


class Retriever(msgspec.Struct, frozen=True):
    """A knowledge base that may be searched. `expands`: the caller may see whole documents of it."""

    base: Base
    description: str = ""
    where: Filter | None = None
    limit: int = 10
    expands: bool = False

    @property
    def id(self) -> str:
        return self.base.id


class Instruction(msgspec.Struct, frozen=True):
    """A retrieval instruction of the caller's: what the planner heeds, and what the answer does."""

    id: str
    version: str
    guidance: str = ""
    answering: str = ""


class Said(msgspec.Struct, frozen=True):
    """A turn of the conversation."""

    role: Literal["user", "assistant"]
    text: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The last of `messages` is the user's question. `model` plans and answers; `managed`: the service chose it.

    `iterations` is how often a plan is made at most; 0: the question itself is searched, and that is all.
    """

    messages: tuple[Said, ...]
    retrievers: tuple[Retriever, ...]
    model: str
    managed: bool = False
    iterations: int = 3
    reranking: Reranking | None = None
    instruction: Instruction | None = None
    user: str | None = None
    answers: bool = True

    @property
    def question(self) -> str:
        return self.messages[-1].text


class Item(msgspec.Struct, frozen=True):
    """A passage with the retriever that found it. `whole`: it is a document's full text."""

    retriever: str
    result: Result
    whole: bool = False

    @property
    def key(self) -> tuple[str, str, bool]:
        """What is the same for one that was found twice."""
        return self.retriever, self.result.document if self.whole else self.result.chunk, self.whole


class Lookup(msgspec.Struct, frozen=True):
    """A question to some retrievers."""

    query: str
    retrievers: tuple[str, ...]


class Expansion(msgspec.Struct, frozen=True):
    """A document that is to be read as a whole."""

    retriever: str
    source: str
    document: str


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """How far the retrieval is."""

    step: Step
    status: Status
    message: str
    lookups: tuple[Lookup, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    items: tuple[Item, ...] = ()
    failures: tuple[str, ...] = ()
    instruction: Instruction | None = None


class Token(msgspec.Struct, frozen=True):
    """The next words of the answer."""

    text: str


class Cited(msgspec.Struct, frozen=True):
    """A part of the answer, its end exclusive, and the places of the items that bear it out."""

    start: int
    end: int
    items: tuple[int, ...]


class Outcome(msgspec.Struct, frozen=True):
    """All that was found, the best first, and the answer if one was asked for."""

    items: tuple[Item, ...]
    answer: str | None = None
    citations: tuple[Cited, ...] = ()


Event = Trace | Token | Outcome
Metadata = dict[str, Any]
