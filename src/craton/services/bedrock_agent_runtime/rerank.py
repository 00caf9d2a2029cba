"""Rerank: documents of the request put in order by a reranking model, Bedrock's or a stand-in for one.

All results come in one answer, at most 1,000 as the documents are, so no answer has a nextToken and none is accepted.
Results name documents by their place; AWS leaves the documents themselves out as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.inference import rerank as ranking
from craton.features.inference import run
from craton.models.canon.rerank import Document, RerankRequest
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import RerankDocument, RerankResponse
    from craton.aws.shapes.bedrock_agent_runtime import RerankRequest as Asked

ACTION = "bedrock:Rerank"
INVALID_TOKEN = "The provided nextToken is invalid."  # noqa: S105 - a message
NO_DOCUMENT = "The document at sources.{place} must have {member}, since its type is {type}."


@operation("bedrock-agent-runtime", "Rerank")
async def rerank(call: Call, req: Asked) -> RerankResponse:
    call.authorize(ACTION, "*")
    configuration = req.rerankingConfiguration.bedrockRerankingConfiguration
    model = configuration.modelConfiguration
    resolved = run.resolve(call, model.modelArn, run.INVOKE)
    if req.nextToken is not None:
        raise validation(INVALID_TOKEN)
    query = req.queries[0].textQuery.text
    if query is None:
        raise validation("The query at queries.0 must have textQuery.text.")
    request = RerankRequest(
        query=query,
        documents=[document(place, source.inlineDocumentSource) for place, source in enumerate(req.sources)],
        model_id=resolved.route.model_id,
        top_n=configuration.numberOfResults,
        extras=dict(model.additionalModelRequestFields or {}),
    )
    reply = await ranking.rerank(call, resolved, request)
    return {"results": [{"index": one.index, "relevanceScore": one.relevance_score} for one in reply.results]}


def document(place: int, given: RerankDocument) -> Document:
    """A document as models take it. Raises ValidationException for one that is not of its type."""
    if given.type == "JSON":
        found = given.jsonDocument
        if isinstance(found, dict):
            return found
        raise validation(NO_DOCUMENT.format(place=place, member="an object as jsonDocument", type="JSON"))
    text = given.textDocument.text if given.textDocument is not None else None
    if text is None:
        raise validation(NO_DOCUMENT.format(place=place, member="textDocument.text", type="TEXT"))
    return text
