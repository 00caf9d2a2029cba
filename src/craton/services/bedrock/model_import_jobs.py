"""CreateModelImportJob, GetModelImportJob and ListModelImportJobs.

Owns what such a request must be, and how a job is shown. What a job does is the workflow's (`workflows.import_model`);
the two meet in the job's row (`features.hosting.import_job`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import conflict, quota_exceeded, validation
from craton.context import Call
from craton.features.hosting import imported
from craton.features.hosting.import_job import COMPLETED, IN_PROGRESS, KIND, SHOWN, ImportJob, job_arn
from craton.infra.store.ids import lower_id
from craton.infra.store.port import Query, Reader, Resource, Transaction, select
from craton.services import started, stored, tagging
from craton.services.kms.use import customer_key
from craton.services.named import Named, judged
from craton.services.operation import operation
from craton.services.passing import check_pass_role

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateModelImportJobRequest,
        CreateModelImportJobResponse,
        GetModelImportJobRequest,
        GetModelImportJobResponse,
        ListModelImportJobsRequest,
        ListModelImportJobsResponse,
        ModelImportJobSummary,
    )

CREATE = "bedrock:CreateModelImportJob"
NO_SOURCE = "The provided model data source must name a location in Amazon S3."
NAME_TAKEN = "The imported model name already exists in this account and Region. Use a different name."
NOUN = stored.Noun(KIND, SHOWN, 0)


# --- create ---


@operation("bedrock", "CreateModelImportJob")
async def create_model_import_job(call: Call, req: CreateModelImportJobRequest) -> CreateModelImportJobResponse:
    mine = job_arn(call.account, call.region, "*")
    given = [(tag.key, tag.value) for tag in req.jobTags or ()]
    of_model = [(tag.key, tag.value) for tag in req.importedModelTags or ()]
    tagging.authorize_create(call, CREATE, ("*",), mine, given)
    if of_model:
        made = imported.model_arn(call.account, call.region, "*")
        call.authorize(tagging.TAG, made, given=tag_keys(request_tags=dict(of_model)))
    body = await body_of(call, req, tagging.checked(given), tagging.checked(of_model))
    row = stored.new_row(call, NOUN, job_arn, req.jobName, body)
    row = msgspec.structs.replace(row, status=IN_PROGRESS)
    await check_pass_role(call, req.roleArn, source_arn=row.arn)
    kept = await started.keep(
        call,
        row,
        SHOWN,
        token=req.clientRequestToken,
        # A token is held against what was asked, not against the id that was drawn for the model.
        request=(req.jobName, msgspec.structs.replace(body, model_id="")),
        check=lambda transaction: check_room(call, transaction, req.importedModelName),
    )
    return {"jobArn": kept.arn}


async def body_of(
    call: Call, req: CreateModelImportJobRequest, tags: tagging.Tags, of_model: tagging.Tags
) -> ImportJob:
    """The job as it was asked for. Raises ValidationException, AccessDeniedException (for the key)."""
    source = req.modelDataSource.s3DataSource
    if source is None:
        raise validation(NO_SOURCE)
    key = await customer_key(call, req.importedModelKmsKeyId) if req.importedModelKmsKeyId else None
    vpc = req.vpcConfig
    return ImportJob(
        model_id=lower_id(),
        model_name=req.importedModelName,
        role_arn=req.roleArn,
        uri=source.s3Uri,
        kms_key=key,
        subnets=tuple(vpc.subnetIds) if vpc else (),
        security_groups=tuple(vpc.securityGroupIds) if vpc else (),
        tags=tags,
        model_tags=of_model,
    )


def check_room(call: Call, store: Transaction, name: str) -> None:
    """Raise unless the name is free, also among models that are on their way, and the account may have one more."""
    limits = call.app.settings.file.limits
    under_way = jobs_under_way(call, store)
    if len(under_way) >= limits.import_jobs:
        raise quota_exceeded(
            f"You have reached the limit of {limits.import_jobs} concurrent model import jobs for this account in this "
            "Region."
        )
    taken = store.get_by_name(call.account, call.region, imported.KIND, name) is not None
    if taken or any(job.model_name == name for job in under_way):
        raise conflict(NAME_TAKEN)
    stored.check_room(call, store, stored.Noun(imported.KIND, imported.SHOWN, limits.imported_models), len(under_way))


def jobs_under_way(call: Call, store: Reader) -> list[ImportJob]:
    most = call.app.settings.file.limits.import_jobs
    query = Query(kind=KIND, account=call.account, region=call.region, status=IN_PROGRESS, limit=most or 1)
    return [row.read(ImportJob) for row in select(store, query, bool).items]


# --- get, list ---


def summary(row: Resource) -> ModelImportJobSummary:
    """A job as List shows it, and Get with more."""
    body = row.read(ImportJob)
    told: ModelImportJobSummary = {
        "jobArn": row.arn,
        "jobName": row.name or "",
        "status": row.status,
        "creationTime": row.created_at,
        "lastModifiedTime": row.updated_at,
        "importedModelName": body.model_name,
    }
    if row.status == COMPLETED:
        told["importedModelArn"] = imported.model_arn(row.account, row.region, body.model_id)
    if body.ended_at is not None:
        told["endTime"] = body.ended_at
    return told


@operation("bedrock", "GetModelImportJob")
async def get_model_import_job(call: Call, req: GetModelImportJobRequest) -> GetModelImportJobResponse:
    row = await found(call, "bedrock:GetModelImportJob", req.jobIdentifier)
    body = row.read(ImportJob)
    more: GetModelImportJobResponse = {
        "roleArn": body.role_arn,
        "modelDataSource": {"s3DataSource": {"s3Uri": body.uri}},
    }
    if body.message:
        more["failureMessage"] = body.message
    if body.kms_key:
        more["importedModelKmsKeyArn"] = body.kms_key
    if body.subnets:
        more["vpcConfig"] = {"subnetIds": list(body.subnets), "securityGroupIds": list(body.security_groups)}
    return {**summary(row), **more}


NAMED = Named(
    KIND,
    SHOWN,
    lambda call, name: job_arn(call.account, call.region, name),
    lambda row: row.read(ImportJob).tags,
    by_id=True,
)


async def found(call: Call, action: str, identifier: str) -> Resource:
    """The caller's job by ARN, id or name, if the caller may do the action on it."""
    return await judged(call, NAMED, action, identifier)


@operation("bedrock", "ListModelImportJobs")
async def list_model_import_jobs(call: Call, req: ListModelImportJobsRequest) -> ListModelImportJobsResponse:
    """The newest first, unless it is asked otherwise."""
    call.authorize("bedrock:ListModelImportJobs", "*")
    page, token = await started.page(
        call,
        KIND,
        SHOWN,
        after=req.creationTimeAfter,
        before=req.creationTimeBefore,
        status=req.statusEquals,
        order=req.sortOrder,
        limit=req.maxResults,
        token=req.nextToken,
        name_contains=req.nameContains,
    )
    answer: ListModelImportJobsResponse = {"modelImportJobSummaries": [summary(row) for row in page.items]}
    if token is not None:
        answer["nextToken"] = token
    return answer
