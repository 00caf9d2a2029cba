"""What was found put in order by a reranking model, with the caller's rights.

Owns which attributes the model reads with a passage, and that its scores take the place of those of the search. It must not
know how models rank.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.inference import rerank
from craton.features.rag.retrieval.acting import counted, resolved_for, within
from craton.features.rag.retrieval.models import dependency
from craton.features.rag.retrieval.query import Reranking, Result
from craton.models.canon.rerank import Document, RerankRequest

ACTION = "bedrock:Rerank"
TEXT = "text"


async def ranked(call: Call, question: str, found: list[Result], asked: Reranking) -> list[Result]:
    """The passages in the model's order, with its scores, and no more than were asked for.

    Raises AccessDeniedException, ValidationException (no such model), ThrottlingException, DependencyFailedException.
    """
    if not asked.managed:
        call.authorize(ACTION, "*")
    inner = within(call, "InvokeModel")
    try:
        resolved = resolved_for(inner, asked.model_arn, managed=asked.managed)
        if not found:
            return found
        request = RerankRequest(
            query=question,
            documents=[document_of(one, asked) for one in found],
            model_id=resolved.route.model_id,
            top_n=min(asked.keep or len(found), len(found)),
            extras=dict(asked.extras),
        )
        reply = await counted(inner, lambda at: rerank.rerank(at, resolved, request))
    except Fault as fault:
        raise dependency(fault, asked.model_arn) from None
    return [msgspec.structs.replace(found[one.index], score=one.relevance_score) for one in reply.results]


def document_of(one: Result, asked: Reranking) -> Document:
    """A passage as the model reads it: its text alone, or with attributes of its document."""
    if not asked.metadata:
        return one.text
    chosen = {key: value for key, value in one.metadata.items() if key != TEXT and _reads(key, asked)}
    return {**chosen, TEXT: one.text} if chosen else one.text


def _reads(key: str, asked: Reranking) -> bool:
    if asked.include is not None:
        return key in asked.include
    return asked.exclude is None or key not in asked.exclude
