"""CreateKnowledgeBase, GetKnowledgeBase, ListKnowledgeBases, UpdateKnowledgeBase and DeleteKnowledgeBase.

Owns how a knowledge base is made, shown and changed. What it may be is `knowledge_base_request`'s; what it holds comes
by `workflows.ingest`, which also deletes it. They meet in the row (`features.rag.resources`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.rag import resources
from craton.features.rag.documents import BASE_DELETION_RUN
from craton.features.rag.resources import ACTIVE, KNOWLEDGE_BASE, SHOWN_BASE, KnowledgeBase
from craton.infra.store.port import Resource
from craton.services import stored, tagging
from craton.services.bedrock.customization_config import plain
from craton.services.bedrock_agent import knowledge_base_request as wanted
from craton.services.bedrock_agent import rows
from craton.services.operation import operation
from craton.services.passing import check_pass_role

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent import (
        CreateKnowledgeBaseRequest,
        CreateKnowledgeBaseResponse,
        DeleteKnowledgeBaseRequest,
        DeleteKnowledgeBaseResponse,
        GetKnowledgeBaseRequest,
        GetKnowledgeBaseResponse,
        KnowledgeBaseSummary,
        ListKnowledgeBasesRequest,
        ListKnowledgeBasesResponse,
        UpdateKnowledgeBaseRequest,
        UpdateKnowledgeBaseResponse,
    )
    from craton.aws.shapes.bedrock_agent import KnowledgeBase as ShownBase

FIXED = "The {member} of a knowledge base cannot be changed. Specify it as it was when the knowledge base was created."
NOT_MANAGED = "Only a managed knowledge base takes metadataConfigurations."
TWICE = "The metadata field {name} is configured more than once."


@operation("bedrock-agent", "CreateKnowledgeBase", status="partial")
async def create_knowledge_base(call: Call, req: CreateKnowledgeBaseRequest) -> CreateKnowledgeBaseResponse:
    given = list((req.tags or {}).items())
    mine = resources.base_arn(call.account, call.region, "*")
    tagging.authorize_create(call, "bedrock:CreateKnowledgeBase", ("*",), mine, given)
    body = KnowledgeBase(
        role_arn=req.roleArn,
        configuration=plain(req.knowledgeBaseConfiguration),
        storage=plain(req.storageConfiguration),
        description=req.description,
        tags=tagging.checked(given),
    )
    wanted.check(call, body.configuration, body.storage)
    row = rows.new(call, KNOWLEDGE_BASE, resources.base_arn, req.name, ACTIVE, body)
    await check_pass_role(call, req.roleArn, source_arn=row.arn)
    kept = await rows.keep(
        call,
        row,
        SHOWN_BASE,
        req.clientToken,
        (req.name, body),
        lambda store: stored.check_room(call, store, noun(call)),
    )
    return {"knowledgeBase": shown(kept)}


def noun(call: Call) -> stored.Noun:
    return stored.Noun(KNOWLEDGE_BASE, SHOWN_BASE, call.app.settings.file.limits.knowledge_bases)


# --- get, list ---


def shown(row: Resource) -> ShownBase:
    """A knowledge base as every operation shows it."""
    body = row.read(KnowledgeBase)
    told: dict[str, Any] = {
        "knowledgeBaseId": row.id,
        "name": row.name or "",
        "knowledgeBaseArn": row.arn,
        "roleArn": body.role_arn,
        "knowledgeBaseConfiguration": body.configuration,
        "status": row.status,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }
    more = {
        "description": body.description,
        "storageConfiguration": body.storage,
        "failureReasons": list(body.failures),
        "metadataConfigurations": list(body.metadata_fields),
    }
    return cast("ShownBase", told | {name: value for name, value in more.items() if value})


@operation("bedrock-agent", "GetKnowledgeBase")
async def get_knowledge_base(call: Call, req: GetKnowledgeBaseRequest) -> GetKnowledgeBaseResponse:
    return {"knowledgeBase": shown(await rows.base(call, "bedrock:GetKnowledgeBase", req.knowledgeBaseId))}


@operation("bedrock-agent", "ListKnowledgeBases")
async def list_knowledge_bases(call: Call, req: ListKnowledgeBasesRequest) -> ListKnowledgeBasesResponse:
    call.authorize("bedrock:ListKnowledgeBases", "*")
    page, token = await rows.page(call, KNOWLEDGE_BASE, SHOWN_BASE, req.maxResults, req.nextToken)
    answer: ListKnowledgeBasesResponse = {"knowledgeBaseSummaries": [summary(row) for row in page.items]}
    if token is not None:
        answer["nextToken"] = token
    return answer


def summary(row: Resource) -> KnowledgeBaseSummary:
    told: KnowledgeBaseSummary = {
        "knowledgeBaseId": row.id,
        "name": row.name or "",
        "status": row.status,
        "updatedAt": row.updated_at,
    }
    description = row.read(KnowledgeBase).description
    if description:
        told["description"] = description
    return told


# --- update, delete ---


@operation("bedrock-agent", "UpdateKnowledgeBase", status="partial")
async def update_knowledge_base(call: Call, req: UpdateKnowledgeBaseRequest) -> UpdateKnowledgeBaseResponse:
    """Name, description, role and searchable fields change; what decides the index stays as it was made."""
    row = await rows.base(call, "bedrock:UpdateKnowledgeBase", req.knowledgeBaseId)
    fields = None if req.metadataConfigurations is None else [plain(one) for one in req.metadataConfigurations]
    check_fixed(row.read(KnowledgeBase), plain(req.knowledgeBaseConfiguration), plain(req.storageConfiguration))
    check_fields(row.read(KnowledgeBase), fields)
    await check_pass_role(call, req.roleArn, source_arn=row.arn)

    def changed(found: Resource) -> Resource:
        body = msgspec.structs.replace(
            found.read(KnowledgeBase),
            role_arn=req.roleArn,
            description=req.description,
            configuration=plain(req.knowledgeBaseConfiguration),
        )
        if fields is not None:
            body = msgspec.structs.replace(body, metadata_fields=tuple(fields))
        return msgspec.structs.replace(found, name=req.name, body=msgspec.json.encode(body))

    return {"knowledgeBase": shown(await rows.change(call, row, SHOWN_BASE, changed))}


def check_fixed(kept: KnowledgeBase, configuration: dict[str, Any], storage: dict[str, Any]) -> None:
    """Raise ValidationException where something else is asked for than what was made.

    How queries are made of a SQL knowledge base may be told anew. A storage that is left out stays as it is.
    """
    if without_queries(configuration) != without_queries(kept.configuration):
        raise validation(FIXED.format(member="knowledgeBaseConfiguration"))
    if storage and storage != kept.storage:
        raise validation(FIXED.format(member="storageConfiguration"))


def without_queries(configuration: dict[str, Any]) -> dict[str, Any]:
    sql = configuration.get("sqlKnowledgeBaseConfiguration")
    if sql is None:
        return configuration
    redshift = {**sql["redshiftConfiguration"]} if "redshiftConfiguration" in sql else {}
    redshift.pop("queryGenerationConfiguration", None)
    return {**configuration, "sqlKnowledgeBaseConfiguration": {**sql, "redshiftConfiguration": redshift}}


def check_fields(kept: KnowledgeBase, fields: list[dict[str, Any]] | None) -> None:
    if fields and kept.configuration["type"] != "MANAGED":
        raise validation(NOT_MANAGED)
    names = [one["name"] for one in fields or ()]
    for name in names:
        if names.count(name) > 1:
            raise validation(TWICE.format(name=name))


@operation("bedrock-agent", "DeleteKnowledgeBase")
async def delete_knowledge_base(call: Call, req: DeleteKnowledgeBaseRequest) -> DeleteKnowledgeBaseResponse:
    """Its run takes the data sources, the index and at last the row; jobs under way are stopped by it."""
    row = await rows.base(call, "bedrock:DeleteKnowledgeBase", req.knowledgeBaseId)
    gone = await rows.delete(call, row, SHOWN_BASE, BASE_DELETION_RUN)
    return {"knowledgeBaseId": row.id, "status": gone.status}
