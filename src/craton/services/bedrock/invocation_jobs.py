"""CreateModelInvocationJob, GetModelInvocationJob, ListModelInvocationJobs and StopModelInvocationJob.

Owns what such a request must be, which models take batches, and how a job is shown. What a job does is the workflow's
(`workflows.batch`); the two meet in the job's row (`features.batch.job`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from craton.aws.wire.faults import Fault, quota_exceeded, validation
from craton.context import Call
from craton.features.batch.job import (
    KIND,
    RUNNING,
    SHOWN,
    STOPPING,
    SUBMITTED,
    BatchJob,
    Location,
    job_arn,
)
from craton.features.inference.routing.routes import Resolved, named_arn
from craton.infra.store.port import (
    EPOCH,
    Query,
    Reader,
    Resource,
    select,
)
from craton.models.catalog.rows import id_needs_profile
from craton.services import named, started, stored, tagging
from craton.services.operation import operation
from craton.services.passing import check_pass_role

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateModelInvocationJobRequest,
        CreateModelInvocationJobResponse,
        GetModelInvocationJobRequest,
        GetModelInvocationJobResponse,
        ListModelInvocationJobsRequest,
        ListModelInvocationJobsResponse,
        ModelInvocationJobSummary,
        StopModelInvocationJobRequest,
        StopModelInvocationJobResponse,
    )

CREATE = "bedrock:CreateModelInvocationJob"
NO_BATCH = "The provided model does not support batch inference."
NO_CONVERSE = "The provided model does not support the model invocation type Converse."
NO_PLACE = "The provided {what} data config must name a location in Amazon S3."
OVER = "The model invocation job cannot be stopped: its status is {status}."
DEFAULT_HOURS = 24
_KINDS = frozenset({"chat", "embedding", "image"})


# --- how jobs are shown ---


def shown(row: Resource) -> ModelInvocationJobSummary:
    """A job as Get and List show it."""
    body = row.read(BatchJob)
    job: ModelInvocationJobSummary = {
        "jobArn": row.arn,
        "jobName": row.name or "",
        "modelId": body.model_id,
        "roleArn": body.role_arn,
        "status": row.status,  # the row holds one of them
        "submitTime": row.created_at,
        "lastModifiedTime": row.updated_at,
        "inputDataConfig": {"s3InputDataConfig": placed(body.source, "s3InputFormat", "JSONL")},  # type: ignore[typeddict-item]
        "outputDataConfig": {"s3OutputDataConfig": placed(body.target, "s3EncryptionKeyId", body.target.kms_key)},  # type: ignore[typeddict-item]
        "timeoutDurationInHours": body.timeout_hours,
        "jobExpirationTime": body.expires_at,
        "modelInvocationType": body.invocation_type,
    }
    if body.subnets:
        job["vpcConfig"] = {"subnetIds": list(body.subnets), "securityGroupIds": list(body.security_groups)}
    if body.token:
        job["clientRequestToken"] = body.token
    if body.message:
        job["message"] = body.message
    if body.ended_at:
        job["endTime"] = body.ended_at
    if body.counts.total is not None:
        job["totalRecordCount"] = body.counts.total
        job["processedRecordCount"] = body.counts.processed
        job["successRecordCount"] = body.counts.succeeded
        job["errorRecordCount"] = body.counts.failed
    return job


def placed(place: Location, name: str, value: str | None) -> dict[str, str]:
    """A location in S3 with one further member, where there is one."""
    told = {"s3Uri": place.uri, "s3BucketOwner": place.owner, name: value}
    return {key: text for key, text in told.items() if text is not None}


# --- create ---


@operation("bedrock", "CreateModelInvocationJob")
async def create_model_invocation_job(
    call: Call, req: CreateModelInvocationJobRequest
) -> CreateModelInvocationJobResponse:
    given = [(tag.key, tag.value) for tag in req.tags or ()]
    mine = job_arn(call.account, call.region, "*")
    resolved = resolve(call, req.modelId, mine, given)
    tags = tagging.checked(given)
    body = body_of(call, req, resolved, tags)
    row = stored.new_row(call, stored.Noun(KIND, SHOWN, 0), job_arn, req.jobName, body)
    row = msgspec.structs.replace(row, status=SUBMITTED)
    await check_pass_role(call, req.roleArn, source_arn=row.arn)
    # A token is held against what was asked, not when.
    asked = (req.jobName, msgspec.structs.replace(body, expires_at=EPOCH))
    made = await started.keep(
        call,
        row,
        SHOWN,
        token=req.clientRequestToken,
        request=asked,
        check=lambda transaction: check_quota(call, transaction, req.modelId),
    )
    return {"jobArn": made.arn}


def body_of(call: Call, req: CreateModelInvocationJobRequest, resolved: Resolved, tags: tagging.Tags) -> BatchJob:
    """The job as it was asked for. Raises ValidationException."""
    kind = req.modelInvocationType or "InvokeModel"
    check_batches(resolved, kind)
    called = reachable(call, req.modelId)
    hours = req.timeoutDurationInHours or DEFAULT_HOURS
    source, target = locations(req)
    vpc = req.vpcConfig
    return BatchJob(
        model_id=req.modelId,
        called=called,
        as_role=called == req.modelId and "inference-profile/" in resolved.resources[0],
        role_arn=req.roleArn,
        source=source,
        target=target,
        invocation_type=kind,
        timeout_hours=hours,
        expires_at=call.app.clock.now() + timedelta(hours=hours),
        subnets=tuple(vpc.subnetIds) if vpc else (),
        security_groups=tuple(vpc.securityGroupIds) if vpc else (),
        token=req.clientRequestToken,
        tags=tags,
    )


def check_quota(call: Call, store: Reader, model_id: str) -> None:
    """So many jobs of one model may be on their way at once."""
    most = call.app.settings.file.limits.batch_jobs_per_model
    under_way = 0
    for status in RUNNING:
        query = Query(kind=KIND, account=call.account, region=call.region, status=status, limit=most or 1)
        under_way += sum(one.read(BatchJob).model_id == model_id for one in select(store, query, bool).items)
    if under_way >= most:
        raise quota_exceeded(
            f"You have reached the limit of {most} in-progress and submitted batch inference jobs for this model."
        )


def locations(req: CreateModelInvocationJobRequest) -> tuple[Location, Location]:
    """Input and output. Raises ValidationException for a union without its one member."""
    source, target = req.inputDataConfig.s3InputDataConfig, req.outputDataConfig.s3OutputDataConfig
    if source is None:
        raise validation(NO_PLACE.format(what="input"))
    if target is None:
        raise validation(NO_PLACE.format(what="output"))
    return (
        Location(source.s3Uri, source.s3BucketOwner),
        Location(target.s3Uri, target.s3BucketOwner, target.s3EncryptionKeyId),
    )


# --- which model ---


def resolve(call: Call, model_id: str, mine: str, tags: list[tuple[str, str]]) -> Resolved:
    """Where the model leads, if the caller may make a batch of it. Raises AccessDenied- and ValidationException.

    An id that can only be called through a profile stands for itself here: a batch is no on-demand call.
    """
    try:
        found: Resolved = call.app.live.routes.resolve(reachable(call, model_id), call.account, call.region)
    except Fault:
        tagging.authorize_create(call, CREATE, (named_arn(model_id, call.region), mine), mine, tags)
        raise
    tagging.authorize_create(call, CREATE, (*found.resources, mine), mine, tags)
    return found


def reachable(call: Call, model_id: str) -> str:
    """The id under which the gateway takes the model: its profile in this region, where it has no other way."""
    if ":foundation-model/" in model_id:
        model_id = model_id.rpartition("/")[2]
    catalog = call.app.catalog
    model = catalog.find(model_id)
    if model is None or not id_needs_profile(model) or call.app.live.routes.relaxed:
        return model_id
    served = (one.profile_id for one in catalog.profiles(call.region) if one.model.model_id == model_id)
    return next(served, model_id)


def check_batches(resolved: Resolved, kind: str) -> None:
    """Raise ValidationException for a model that takes no batches, or none of this kind."""
    if resolved.router is not None or resolved.route.kind not in _KINDS:
        raise validation(NO_BATCH)
    if kind == "Converse" and (resolved.route.kind != "chat" or not resolved.route.capabilities.converse):
        raise validation(NO_CONVERSE)
    if kind == "InvokeModel" and resolved.route.kind == "chat" and resolved.route.dialect is None:
        raise validation(NO_BATCH)


# --- get, list, stop ---


def row_arn(call: Call, identifier: str) -> str:
    return identifier if identifier.startswith("arn:") else job_arn(call.account, call.region, identifier)


NAMED = named.Named(KIND, SHOWN, lambda _, arn: arn, lambda row: row.read(BatchJob).tags)


async def judged(call: Call, action: str, identifier: str) -> Resource:
    """The caller's job by ARN or id, if the caller may do the action on it; its tags are among what conditions may ask."""
    return await named.judged(call, NAMED, action, row_arn(call, identifier))


@operation("bedrock", "GetModelInvocationJob")
async def get_model_invocation_job(call: Call, req: GetModelInvocationJobRequest) -> GetModelInvocationJobResponse:
    row = await judged(call, "bedrock:GetModelInvocationJob", req.jobIdentifier)
    return {**shown(row)}


@operation("bedrock", "ListModelInvocationJobs")
async def list_model_invocation_jobs(
    call: Call, req: ListModelInvocationJobsRequest
) -> ListModelInvocationJobsResponse:
    """The newest first, unless it is asked otherwise."""
    call.authorize("bedrock:ListModelInvocationJobs", "*")
    page, token = await started.page(
        call,
        KIND,
        SHOWN,
        after=req.submitTimeAfter,
        before=req.submitTimeBefore,
        status=req.statusEquals,
        order=req.sortOrder,
        limit=req.maxResults,
        token=req.nextToken,
        name_contains=req.nameContains,
    )
    answer: ListModelInvocationJobsResponse = {"invocationJobSummaries": [shown(row) for row in page.items]}
    if token is not None:
        answer["nextToken"] = token
    return answer


@operation("bedrock", "StopModelInvocationJob")
async def stop_model_invocation_job(call: Call, req: StopModelInvocationJobRequest) -> StopModelInvocationJobResponse:
    """The job's answers so far are written; until then it is `Stopping`."""
    row = await judged(call, "bedrock:StopModelInvocationJob", req.jobIdentifier)
    await started.stop(call, row, SHOWN, running=RUNNING, stopping=STOPPING, over=OVER)
    return {}
