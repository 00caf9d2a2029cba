"""Reranking: documents put in the order in which they answer a query.

InvokeModel and the operation Rerank come through here. Owns the ranking by an embedding model where that stands in for
a reranking one: by `likeness`, of words and of vectors, which is coarser than a cross-encoder.
"""

from __future__ import annotations

import asyncio
from typing import cast

from craton.context import Call
from craton.features.inference import balance, likeness, run
from craton.features.inference.kinds import Counted, check_route, no_such_schema, ranks_by_embeddings
from craton.features.inference.quotas.quota import hold_tokens
from craton.features.inference.routing.routes import Resolved, Target
from craton.models.canon.embedding import EmbedRequest, Item, Vector, cosine
from craton.models.canon.rerank import RerankReply, RerankRequest, ranked
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.rerank.all import rerank_dialect
from craton.models.providers.provider import Attempt, Embeds, Reranks

_AT_ONCE = 64  # texts per request for vectors, so that no vendor's bound is met
_EMULATED = "relevance_score"
_EXTRAS = "additionalModelRequestFields"


async def invoke(call: Call, resolved: Resolved, model_id: str, body: bytes) -> tuple[bytes, Counted]:
    """A native body's native reply, and what its headers tell."""
    check_route(resolved.route, "rerank")
    dialect = rerank_dialect(resolved.route.native)
    if dialect is None:
        raise no_such_schema(resolved.route)
    request = dialect.read_request(body)
    request.model_id, request.schema, request.native = model_id, dialect.name, body
    reply = await rerank(call, resolved, request)
    return reply.native or dialect.write_reply(reply), Counted(reply.input_tokens)


async def rerank(call: Call, resolved: Resolved, request: RerankRequest) -> RerankReply:
    """The best `top_n` documents, best first, or the native reply where `request.native` could pass through.

    Raises ValidationException for a model of another kind, ResourceNotFoundException where nothing here ranks, and
    what the target raises.
    """
    check_route(resolved.route, "rerank")

    async def ask(target: Target) -> tuple[RerankReply, Target, Ledger]:
        ledger = run.ledger_of(call)
        attempt = run.attempt(call, resolved, target, ledger)
        if ranks_by_embeddings(target):
            return await by_likeness(cast("Embeds", target.provider), request, attempt), target, ledger
        return await cast("Reranks", target.provider).rerank(request, attempt), target, ledger

    with await hold_tokens(call, resolved, (request.query, *request.texts())):
        reply, target, ledger = await balance.first_answer(resolved.route, ask, call)
    call.used = Counted(reply.input_tokens)
    run.tell(call, target, ledger)
    return reply


async def by_likeness(provider: Embeds, request: RerankRequest, attempt: Attempt) -> RerankReply:
    """A ranking by an embedding model and the words in common; what is unlike the query scores 0, not less.

    Long documents are shortened for their vectors, as reranking models do unasked; their words are all seen.
    """
    ledger = attempt.ledger
    ledger.emulate(_EMULATED)
    if request.max_tokens_per_document is not None:
        ledger.drop(request.names.max_tokens_per_document)
    for name in request.extras:
        ledger.drop(f"{_EXTRAS}.{name}")
    texts = [request.query, *request.texts()]
    vectors: list[Vector] = []
    counts: list[int | None] = []
    for at in range(0, len(texts), _AT_ONCE):
        items = [Item(text) for text in texts[at : at + _AT_ONCE]]
        reply = await provider.embed(EmbedRequest(items=items, truncate="end"), attempt)
        vectors += reply.vectors["float"]
        counts.append(reply.input_tokens)
    query, *documents = vectors
    scores = await asyncio.to_thread(_scores, texts, query, documents)
    known = [count for count in counts if count is not None]
    return RerankReply(
        results=ranked(scores, request.top_n), input_tokens=sum(known) if len(known) == len(counts) else None
    )


def _scores(texts: list[str], query: Vector, documents: list[Vector]) -> list[float]:
    """Of the texts after the first, which is the query."""
    return likeness.fused(texts[0], texts[1:], [cosine(query, document) for document in documents])
