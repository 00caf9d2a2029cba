"""StartIngestionJob, GetIngestionJob, ListIngestionJobs and StopIngestionJob.

Owns how a sync is started, shown and stopped. What it does is the workflow's (`workflows.ingest`); the two meet in the
job's row (`features.rag.resources`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from craton.aws.wire.faults import conflict, quota_exceeded, validation
from craton.context import Call
from craton.features.rag import resources
from craton.features.rag.resources import (
    COMPLETE,
    INGESTION_JOB,
    RUNNING,
    SHOWN_BASE,
    SHOWN_JOB,
    SHOWN_SOURCE,
    STARTING,
    STOPPING,
    IngestionJob,
    Statistics,
)
from craton.infra.store.port import Query, Reader, Resource, Transaction, select
from craton.services import started, stored
from craton.services.bedrock_agent import rows
from craton.services.bedrock_agent.data_sources import check_living
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent import (
        GetIngestionJobRequest,
        GetIngestionJobResponse,
        IngestionJobStatistics,
        IngestionJobSummary,
        ListIngestionJobsRequest,
        ListIngestionJobsResponse,
        StartIngestionJobRequest,
        StartIngestionJobResponse,
        StopIngestionJobRequest,
        StopIngestionJobResponse,
    )
    from craton.aws.shapes.bedrock_agent import IngestionJob as ShownJob

BUSY = (
    "An ingestion job of the data source {source} is in progress: {job}. Wait for it to end, or stop it, and try again."
)
OVER = "The ingestion job cannot be stopped: its status is {status}."
NOT_A_STATUS = "The filter's value {value} is not a status of an ingestion job."
STATES = frozenset({*RUNNING, COMPLETE, "FAILED", "STOPPED"})

# Member of the API's statistics → that of the row's.
_COUNTS = {
    "numberOfDocumentsScanned": "scanned",
    "numberOfMetadataDocumentsScanned": "metadata_scanned",
    "numberOfNewDocumentsIndexed": "new",
    "numberOfModifiedDocumentsIndexed": "modified",
    "numberOfMetadataDocumentsModified": "metadata_modified",
    "numberOfDocumentsDeleted": "deleted",
    "numberOfDocumentsFailed": "failed",
    "numberOfDocumentsSkipped": "skipped",
}


# --- start, stop ---


@operation("bedrock-agent", "StartIngestionJob")
async def start_ingestion_job(call: Call, req: StartIngestionJobRequest) -> StartIngestionJobResponse:
    base, source = await rows.source(call, "bedrock:StartIngestionJob", req.knowledgeBaseId, req.dataSourceId)
    body = IngestionJob(base_id=base.id, source_id=source.id, description=req.description)
    ident = resources.upper_id()
    name = resources.below(base.id, source.id, ident)
    row = rows.new(call, INGESTION_JOB, partial(arn_below, base.id, source.id), name, STARTING, body, ident)
    kept = await started.keep(
        call,
        row,
        SHOWN_JOB,
        token=req.clientToken,
        request=body,
        check=lambda transaction: check_free(call, transaction, base, source),
    )
    return {"ingestionJob": shown(kept)}


def arn_below(base: str, source: str, account: str, region: str, ident: str) -> str:
    return resources.job_arn(account, region, base, source, ident)


def check_free(call: Call, store: Transaction, base: Resource, source: Resource) -> None:
    """Raise unless both are there still, no job of the source is on its way, and the account may have one more."""
    for row, what in ((base, SHOWN_BASE), (source, SHOWN_SOURCE)):
        now = store.get(row.arn)
        if now is None:
            raise rows.missing(what, row.id)
        check_living(now, what)
    mine = under_way(store, base, resources.below(base.id, source.id, ""))
    if mine:
        raise conflict(BUSY.format(source=source.id, job=mine[0].id))
    most = call.app.settings.file.limits.ingestion_jobs
    if len(under_way(store, base, None)) >= most:
        raise quota_exceeded(
            f"You have reached the limit of {most} ingestion jobs in progress for this account in this Region."
        )


def under_way(store: Reader, base: Resource, beneath: str | None) -> list[Resource]:
    """Jobs of the account that have not ended, those whose names have this part."""
    found: list[Resource] = []
    for status in sorted(RUNNING):
        query = Query(
            kind=INGESTION_JOB,
            account=base.account,
            region=base.region,
            status=status,
            name_contains=beneath,
            limit=100,
        )
        found.extend(store.list(query).items)
    return found


@operation("bedrock-agent", "StopIngestionJob")
async def stop_ingestion_job(call: Call, req: StopIngestionJobRequest) -> StopIngestionJobResponse:
    """What it has made visible stays; the next job goes on from there."""
    action = "bedrock:StopIngestionJob"
    row = await rows.job(call, action, req.knowledgeBaseId, req.dataSourceId, req.ingestionJobId)
    await started.stop(call, row, SHOWN_JOB, running=RUNNING, stopping=STOPPING, over=OVER)
    now = await rows.job(call, action, req.knowledgeBaseId, req.dataSourceId, req.ingestionJobId)
    return {"ingestionJob": shown(now)}


# --- get, list ---


def statistics(counted: Statistics) -> IngestionJobStatistics:
    return cast("IngestionJobStatistics", {name: getattr(counted, member) for name, member in _COUNTS.items()})


def summary(row: Resource) -> IngestionJobSummary:
    """A job as List shows it, and Get with more."""
    body = row.read(IngestionJob)
    told: IngestionJobSummary = {
        "knowledgeBaseId": body.base_id,
        "dataSourceId": body.source_id,
        "ingestionJobId": row.id,
        "status": row.status,
        "startedAt": row.created_at,
        "updatedAt": row.updated_at,
        "statistics": statistics(body.statistics),
    }
    if body.description:
        told["description"] = body.description
    if row.status == COMPLETE:  # all of it became visible in the transaction that ended the job
        told["textReadyAt"] = row.updated_at
    return told


def shown(row: Resource) -> ShownJob:
    told: dict[str, Any] = {**summary(row)}
    failures = row.read(IngestionJob).failures
    if failures:
        told["failureReasons"] = list(failures)
    return cast("ShownJob", told)


@operation("bedrock-agent", "GetIngestionJob")
async def get_ingestion_job(call: Call, req: GetIngestionJobRequest) -> GetIngestionJobResponse:
    action = "bedrock:GetIngestionJob"
    row = await rows.job(call, action, req.knowledgeBaseId, req.dataSourceId, req.ingestionJobId)
    return {"ingestionJob": shown(row)}


@operation("bedrock-agent", "ListIngestionJobs")
async def list_ingestion_jobs(call: Call, req: ListIngestionJobsRequest) -> ListIngestionJobsResponse:
    """The newest first, unless it is asked otherwise."""
    base, source = await rows.source(call, "bedrock:ListIngestionJobs", req.knowledgeBaseId, req.dataSourceId)
    states = wanted_states(req)
    order = req.sortBy.order if req.sortBy else "DESCENDING"
    by_status = req.sortBy is not None and req.sortBy.attribute == "STATUS"
    shape = stored.listing(call, base.id, source.id, sorted(states), order, by_status)
    query = Query(
        kind=INGESTION_JOB,
        account=call.account,
        region=call.region,
        name_contains=resources.below(base.id, source.id, ""),
        descending=order == "DESCENDING",
        limit=req.maxResults or stored.DEFAULT_PAGE,
        after=stored.opened(call, shape, req.nextToken),
    )
    with stored.faults(SHOWN_JOB):
        page = await call.app.storage.read(lambda store: select(store, query, lambda row: row.status in states))
    # By status within a page: statuses change while somebody pages, so an order across pages would lose jobs.
    items = sorted(page.items, key=lambda row: row.status, reverse=order == "DESCENDING") if by_status else page.items
    answer: ListIngestionJobsResponse = {"ingestionJobSummaries": [summary(row) for row in items]}
    token = stored.issued(call, shape, page.after)
    if token is not None:
        answer["nextToken"] = token
    return answer


def wanted_states(req: ListIngestionJobsRequest) -> frozenset[str]:
    """The states that the filters let through. Raises ValidationException."""
    found = STATES
    for one in req.filters or ():
        for value in one.values:
            if value not in STATES:
                raise validation(NOT_A_STATUS.format(value=value))
        found &= frozenset(one.values)
    return found
