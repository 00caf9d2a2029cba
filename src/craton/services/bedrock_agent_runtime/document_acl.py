"""CheckIngestedDocumentAcl and GetIngestedDocumentAcl: who may see a document, as it was ingested.

A document without a list is everybody's: access is granted, and both lists are empty. Lists hold users alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.context import Call
from craton.features.rag.retrieval.access import may_see
from craton.infra.vectors.port import Access, VectorsError
from craton.services.bedrock_agent_runtime.found import knowledge_base
from craton.services.bedrock_agent_runtime.ingested import away, ingested
from craton.services.operation import operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from craton.aws.shapes.bedrock_agent_runtime import (
        CheckIngestedDocumentAclRequest,
        CheckIngestedDocumentAclResponse,
        DocumentAclCondition,
        DocumentAclMembership,
        GetIngestedDocumentAclRequest,
        GetIngestedDocumentAclResponse,
    )

CHECK = "bedrock:CheckIngestedDocumentAcl"
GET = "bedrock:GetIngestedDocumentAcl"
_USERS = 3000
"""Of one condition."""


@operation("bedrock-agent-runtime", "CheckIngestedDocumentAcl")
async def check_ingested_document_acl(
    call: Call, req: CheckIngestedDocumentAclRequest
) -> CheckIngestedDocumentAclResponse:
    access = await access_of(call, CHECK, req.knowledgeBaseId, req.dataSourceId, req.documentId)
    return {"hasAccess": may_see(access, req.userContext.userId)}


@operation("bedrock-agent-runtime", "GetIngestedDocumentAcl")
async def get_ingested_document_acl(call: Call, req: GetIngestedDocumentAclRequest) -> GetIngestedDocumentAclResponse:
    access = await access_of(call, GET, req.knowledgeBaseId, req.dataSourceId, req.documentId)
    if access is None:
        return {"documentAcl": {}}
    return {"documentAcl": {"allowList": shown(access.allowed), "denyList": shown(access.denied)}}


async def access_of(call: Call, action: str, base_id: str, source: str, ident: str) -> Access | None:
    """The list of a document, if the caller may do the action on its knowledge base."""
    base = await knowledge_base(call, base_id, action)
    found = await ingested(call, base, source, ident)
    try:
        return await found.shelf.access(found.key)
    except VectorsError as error:
        away(call, error)


def shown(users: Sequence[str]) -> DocumentAclMembership:
    """Who is in a list; each of them is enough."""
    conditions: list[DocumentAclCondition] = [
        {
            "users": [{"id": user, "type": "DATA_SOURCE"} for user in users[at : at + _USERS]],
            "groups": [],
            "conditionOperator": "OR",
        }
        for at in range(0, len(users), _USERS)
    ]
    return {"conditions": conditions, "memberRelation": "OR"}
