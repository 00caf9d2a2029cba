"""CreateDataSource, GetDataSource, ListDataSources, UpdateDataSource and DeleteDataSource.

Owns how a data source is made below its knowledge base, shown and changed. What it may be is `data_source_request`'s; its
documents come and go by `workflows.ingest`. They meet in the row (`features.rag.resources`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgspec

from craton.aws.wire.faults import conflict, quota_exceeded, validation
from craton.context import Call
from craton.features.rag import resources
from craton.features.rag.documents import SOURCE_DELETION_RUN
from craton.features.rag.resources import AVAILABLE, DATA_SOURCE, DELETING, SHOWN_BASE, SHOWN_SOURCE, DataSource
from craton.features.rag.resources import KnowledgeBase as Base
from craton.infra.store.port import Query, Reader, Resource
from craton.services.bedrock.customization_config import plain
from craton.services.bedrock_agent import data_source_request as wanted
from craton.services.bedrock_agent import rows
from craton.services.kms.use import customer_key
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent import (
        CreateDataSourceRequest,
        CreateDataSourceResponse,
        DataSourceSummary,
        DeleteDataSourceRequest,
        DeleteDataSourceResponse,
        GetDataSourceRequest,
        GetDataSourceResponse,
        ListDataSourcesRequest,
        ListDataSourcesResponse,
        UpdateDataSourceRequest,
        UpdateDataSourceResponse,
    )
    from craton.aws.shapes.bedrock_agent import DataSource as ShownSource

FIXED = "The {member} of a data source cannot be changed. Specify it as it was when the data source was created."


@operation("bedrock-agent", "CreateDataSource", status="partial")
async def create_data_source(call: Call, req: CreateDataSourceRequest) -> CreateDataSourceResponse:
    base = await rows.base(call, "bedrock:CreateDataSource", req.knowledgeBaseId)
    check_living(base, SHOWN_BASE)
    body = DataSource(
        base_id=base.id,
        configuration=plain(req.dataSourceConfiguration),
        ingestion=plain(req.vectorIngestionConfiguration),
        description=req.description,
        deletion_policy=req.dataDeletionPolicy or "DELETE",
    )
    wanted.check(call, base.read(Base), body.configuration, body.ingestion)
    body = msgspec.structs.replace(body, kms_key=await key_of(call, plain(req.serverSideEncryptionConfiguration)))
    arn_of = partial(arn_below, base.id)
    row = rows.new(call, DATA_SOURCE, arn_of, resources.below(base.id, req.name), AVAILABLE, body)
    kept = await rows.keep(
        call,
        row,
        SHOWN_SOURCE,
        req.clientToken,
        (req.name, body),
        lambda transaction: check_room(call, transaction, base),
    )
    return {"dataSource": shown(kept)}


def arn_below(base: str, account: str, region: str, ident: str) -> str:
    return resources.source_arn(account, region, base, ident)


def check_living(row: Resource, shown: str) -> None:
    """Raise ConflictException for what is being deleted."""
    if row.status == DELETING:
        raise conflict(rows.BUSY.format(shown=shown, status=row.status))


def check_room(call: Call, store: Reader, base: Resource) -> None:
    """Raise unless the knowledge base is there still, and may have one more."""
    now = store.get(base.arn)
    if now is None:
        raise rows.missing(SHOWN_BASE, base.id)
    check_living(now, SHOWN_BASE)
    most = call.app.settings.file.limits.data_sources
    beneath = Query(
        kind=DATA_SOURCE,
        account=base.account,
        region=base.region,
        name_contains=resources.below(base.id, ""),
        limit=most + 1,
    )
    if len(store.list(beneath).items) >= most:
        raise quota_exceeded(f"You have reached the limit of {most} data sources for this knowledge base.")


async def key_of(call: Call, encryption: dict[str, Any]) -> str | None:
    """The customer's key for what lies here on its way into the index. Raises ValidationException, AccessDeniedException."""
    name = encryption.get("kmsKeyArn")
    return await customer_key(call, name) if name else None


# --- get, list ---


def shown(row: Resource) -> ShownSource:
    """A data source as every operation shows it."""
    body = row.read(DataSource)
    told: dict[str, Any] = {
        "knowledgeBaseId": body.base_id,
        "dataSourceId": row.id,
        "name": name_of(row),
        "status": row.status,
        "dataSourceConfiguration": body.configuration,
        "dataDeletionPolicy": body.deletion_policy,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }
    more = {
        "description": body.description,
        "vectorIngestionConfiguration": body.ingestion,
        "serverSideEncryptionConfiguration": {"kmsKeyArn": body.kms_key} if body.kms_key else {},
        "failureReasons": list(body.failures),
    }
    return cast("ShownSource", told | {name: value for name, value in more.items() if value})


def name_of(row: Resource) -> str:
    """The name that its maker gave it."""
    return (row.name or "").rpartition("/")[2]


@operation("bedrock-agent", "GetDataSource")
async def get_data_source(call: Call, req: GetDataSourceRequest) -> GetDataSourceResponse:
    _, row = await rows.source(call, "bedrock:GetDataSource", req.knowledgeBaseId, req.dataSourceId)
    return {"dataSource": shown(row)}


@operation("bedrock-agent", "ListDataSources")
async def list_data_sources(call: Call, req: ListDataSourcesRequest) -> ListDataSourcesResponse:
    base = await rows.base(call, "bedrock:ListDataSources", req.knowledgeBaseId)
    beneath = resources.below(base.id, "")
    page, token = await rows.page(call, DATA_SOURCE, SHOWN_SOURCE, req.maxResults, req.nextToken, beneath)
    answer: ListDataSourcesResponse = {"dataSourceSummaries": [summary(row) for row in page.items]}
    if token is not None:
        answer["nextToken"] = token
    return answer


def summary(row: Resource) -> DataSourceSummary:
    body = row.read(DataSource)
    told: DataSourceSummary = {
        "knowledgeBaseId": body.base_id,
        "dataSourceId": row.id,
        "name": name_of(row),
        "status": row.status,
        "updatedAt": row.updated_at,
    }
    if body.description:
        told["description"] = body.description
    return told


# --- update, delete ---


@operation("bedrock-agent", "UpdateDataSource", status="partial")
async def update_data_source(call: Call, req: UpdateDataSourceRequest) -> UpdateDataSourceResponse:
    """Everything but the type and the chunking may change; the next sync heeds it."""
    base, row = await rows.source(call, "bedrock:UpdateDataSource", req.knowledgeBaseId, req.dataSourceId)
    configuration, ingestion = plain(req.dataSourceConfiguration), plain(req.vectorIngestionConfiguration)
    check_fixed(row.read(DataSource), configuration, ingestion)
    wanted.check(call, base.read(Base), configuration, ingestion)
    key = await key_of(call, plain(req.serverSideEncryptionConfiguration))

    def changed(found: Resource) -> Resource:
        kept = found.read(DataSource)
        body = msgspec.structs.replace(
            kept,
            configuration=configuration,
            ingestion=ingestion,
            description=req.description,
            deletion_policy=req.dataDeletionPolicy or kept.deletion_policy,
            kms_key=key,
        )
        name = resources.below(kept.base_id, req.name)
        return msgspec.structs.replace(found, name=name, body=msgspec.json.encode(body))

    return {"dataSource": shown(await rows.change(call, row, SHOWN_SOURCE, changed))}


def check_fixed(kept: DataSource, configuration: dict[str, Any], ingestion: dict[str, Any]) -> None:
    """Raise ValidationException where the type, the chunking or the use of access lists would change."""
    if configuration["type"] != kept.configuration["type"]:
        raise validation(FIXED.format(member="type"))
    if ingestion.get("chunkingConfiguration") != kept.ingestion.get("chunkingConfiguration"):
        raise validation(FIXED.format(member="chunkingConfiguration"))
    for member in ("type", "aclEnabled"):
        if parameter(configuration, member) != parameter(kept.configuration, member):
            raise validation(FIXED.format(member=f"connectorParameters.{member}"))


def parameter(configuration: dict[str, Any], member: str) -> Any:
    """One of the connector's parameters, None where there are none, or False by default."""
    connector = configuration.get("managedKnowledgeBaseConnectorConfiguration", {})
    found = connector.get("connectorParameters")
    return (found.get(member) or None) if isinstance(found, dict) else None


@operation("bedrock-agent", "DeleteDataSource")
async def delete_data_source(call: Call, req: DeleteDataSourceRequest) -> DeleteDataSourceResponse:
    """Its run takes the row, and by the dataDeletionPolicy what came from it in the index too."""
    base, row = await rows.source(call, "bedrock:DeleteDataSource", req.knowledgeBaseId, req.dataSourceId)
    gone = await rows.delete(call, row, SHOWN_SOURCE, SOURCE_DELETION_RUN)
    return {"knowledgeBaseId": base.id, "dataSourceId": row.id, "status": gone.status}
