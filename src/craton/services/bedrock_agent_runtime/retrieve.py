"""Retrieve: the passages of a knowledge base that answer a question.

`numberOfResults` is how many passages there are in all; where their text is more than one answer should hold (whole
documents as chunks), the rest follows by nextToken, out of the same version of the index as long as that is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from craton.context import Call
from craton.features.rag.counting import Asking
from craton.features.rag.retrieval.query import Result, Start
from craton.features.rag.retrieval.retrieve import retrieve
from craton.services import stored
from craton.services.bedrock_agent_runtime.found import knowledge_base
from craton.services.bedrock_agent_runtime.retrieval_request import check_guardrail, is_managed, query_of, text_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import KnowledgeBaseRetrievalResult, RetrieveRequest, RetrieveResponse
    from craton.infra.store.pages import Listing
    from craton.infra.store.port import After

PAGE_BYTES = 1 << 20


@operation("bedrock-agent-runtime", "Retrieve", status="partial")
async def retrieve_passages(call: Call, req: RetrieveRequest) -> RetrieveResponse:
    asking = Asking(call)
    with asking.begun():
        answer = await answered(call, req, asking)
    asking.over()
    return answer


async def answered(call: Call, req: RetrieveRequest, asking: Asking) -> RetrieveResponse:
    base = asking.base = await knowledge_base(call, req.knowledgeBaseId)
    check_guardrail(req.guardrailConfiguration)
    text, asked = text_of(req.retrievalQuery), req.retrievalConfiguration
    query = query_of(call, text, asked, req.userContext, ranks=is_managed(base))
    shape = stored.listing(call, base.arn, query) if req.nextToken is not None else None
    start = start_of(stored.opened(call, shape, req.nextToken)) if shape is not None else None
    found = await retrieve(call, base, msgspec.structs.replace(query, start=start, page_bytes=PAGE_BYTES))
    answer: RetrieveResponse = {"retrievalResults": [shown(one) for one in found.results]}
    if found.next is not None:
        token = issued(call, shape or stored.listing(call, base.arn, query), found.next)
        answer["nextToken"] = token
    return answer


def start_of(after: After | None) -> Start | None:
    """Where a page begins, as its token tells."""
    return None if after is None else Start(int(after[0]), int(after[1]))


def issued(call: Call, shape: Listing, start: Start) -> str:
    token = stored.issued(call, shape, (start.offset, str(start.version)))
    return cast("str", token)


def shown(one: Result) -> KnowledgeBaseRetrievalResult:
    """A passage as Retrieve shows it."""
    told: dict[str, Any] = {
        "content": {"type": "TEXT", "text": one.text},
        "location": one.location,
        "score": one.score,
        "metadata": one.metadata,
        "documentId": one.document,
    }
    return cast("KnowledgeBaseRetrievalResult", told)
