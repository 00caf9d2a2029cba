"""Retrieval, in order on one screen: filter → search → parents → ranking → page.

Retrieve, RetrieveAndGenerate, the agentic stream and agents come through here. It joins the steps and knows none of their
inside; who may ask was decided before. It must not know HTTP or the API's shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

from craton.context import Call
from craton.features.rag.retrieval.acting import Base
from craton.features.rag.retrieval.filters import all_of
from craton.features.rag.retrieval.implicit import implicit_filter
from craton.features.rag.retrieval.passages import passages
from craton.features.rag.retrieval.query import Query, Result, Results, Start
from craton.features.rag.retrieval.ranking import ranked
from craton.features.rag.retrieval.search import search
from craton.infra.vectors.port import Version


async def retrieve(call: Call, base: Base, query: Query) -> Results:
    """What of the knowledge base answers the query, the best first; nothing where nothing was ingested yet.

    Raises ValidationException (no such model, a question too long for it, a role that may not use it),
    AccessDeniedException (the caller may not use the models that the query names), ResourceNotFoundException (deleted
    meanwhile), ThrottlingException, BadGatewayException, DependencyFailedException, InternalServerException.
    """
    if base.body.index is None:
        return Results()
    implied = await implicit_filter(call, query.text, query.implicit) if query.implicit is not None else None
    version, found = await search(call, base, query, all_of(query.where, implied))
    results = passages(found)
    if query.reranking is not None:
        results = await ranked(call, query.text, results, query.reranking)
    return paged(results, query, version)


def paged(results: Sequence[Result], query: Query, version: Version) -> Results:
    """The part of the results that one answer holds: all, or as much text as `query.page_bytes`, at least one."""
    offset = query.start.offset if query.start is not None else 0
    rest, taken, room = results[offset:], 0, query.page_bytes
    for one in rest:
        if room is not None:
            room -= len(one.text.encode("utf-8", "surrogatepass"))
            if room < 0 and taken:
                break
        taken += 1
    following = Start(offset + taken, version.number) if taken < len(rest) else None
    return Results(tuple(rest[:taken]), following)
