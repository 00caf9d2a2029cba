"""CreateModelCustomizationJob, GetModelCustomizationJob, ListModelCustomizationJobs and StopModelCustomizationJob.

Owns what such a request must be, and how a job is shown. What a job does is the workflow's (`workflows.customize`); the
two meet in the job's row (`features.hosting.customization_job`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault, conflict, quota_exceeded, validation
from craton.context import Call
from craton.features.hosting import custom
from craton.features.hosting.customization_job import (
    COMPLETED,
    IN_PROGRESS,
    KIND,
    NOT_STARTED,
    PHASES,
    RUNNING,
    SHOWN,
    STOPPING,
    BaseModel,
    CustomizationJob,
    Phase,
    job_arn,
)
from craton.features.inference.routing.routes import foundation_model_arn
from craton.features.tuning.hyperparameters import BadHyperParameter, settings_of, shown
from craton.infra.store.ids import lower_id
from craton.infra.store.port import Query, Reader, Resource, Transaction, select
from craton.services import started, stored, tagging
from craton.services.bedrock.customization_config import asked_for, check_grader, plain
from craton.services.bedrock.tuning_bases import base_of, judged_as
from craton.services.kms.use import customer_key
from craton.services.named import Named, judged
from craton.services.operation import operation
from craton.services.passing import check_pass_role

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateModelCustomizationJobRequest,
        CreateModelCustomizationJobResponse,
        GetModelCustomizationJobRequest,
        GetModelCustomizationJobResponse,
        ListModelCustomizationJobsRequest,
        ListModelCustomizationJobsResponse,
        ModelCustomizationJobSummary,
        StopModelCustomizationJobRequest,
        StopModelCustomizationJobResponse,
    )

CREATE = "bedrock:CreateModelCustomizationJob"
NAME_TAKEN = "The custom model name already exists in this account and Region. Use a different name."
OVER = "The model customization job cannot be stopped: its status is {status}."
NOUN = stored.Noun(KIND, SHOWN, 0)


# --- create ---


@operation("bedrock", "CreateModelCustomizationJob", status="partial")
async def create_model_customization_job(
    call: Call, req: CreateModelCustomizationJobRequest
) -> CreateModelCustomizationJobResponse:
    mine = job_arn(call.account, call.region, "*", "*")
    given = [(tag.key, tag.value) for tag in req.jobTags or ()]
    of_model = [(tag.key, tag.value) for tag in req.customModelTags or ()]
    tagging.authorize_create(call, CREATE, (judged_as(call, req.baseModelIdentifier),), mine, given)
    if of_model:
        made = custom.model_arn(call.account, call.region, "*", "*")
        call.authorize(tagging.TAG, made, given=tag_keys(request_tags=dict(of_model)))
    kind = req.customizationType or "FINE_TUNING"
    try:
        base = await base_of(call, req.baseModelIdentifier, kind)
        body = await body_of(call, req, kind, base)
    except Fault:
        # Whoever may not pass the role hears that first; there is no job yet for its trust policy to ask for.
        await check_pass_role(call, req.roleArn)
        raise
    body = msgspec.structs.replace(body, tags=tagging.checked(given), model_tags=tagging.checked(of_model))
    row = stored.new_row(
        call, NOUN, lambda account, region, ident: job_arn(account, region, base.id, ident), req.jobName, body
    )
    row = msgspec.structs.replace(row, status=IN_PROGRESS)
    await check_pass_role(call, req.roleArn, source_arn=row.arn)
    kept = await started.keep(
        call,
        row,
        SHOWN,
        token=req.clientRequestToken,
        # A token is held against what was asked, not against the id that was drawn for the model.
        request=(req.jobName, msgspec.structs.replace(body, model_id="")),
        check=lambda transaction: check_room(call, transaction, body),
    )
    return {"jobArn": kept.arn}


async def body_of(call: Call, req: CreateModelCustomizationJobRequest, kind: str, base: BaseModel) -> CustomizationJob:
    """The job as it was asked for. Raises ValidationException, AccessDeniedException (for the key)."""
    asked = asked_for(call, req, kind)
    try:
        settings_of(base.id, asked.hyperparameters, base.context_tokens)
        settled = shown(base.id, asked.hyperparameters)
    except BadHyperParameter as error:
        raise validation(str(error)) from None
    if kind == "REINFORCEMENT_FINE_TUNING":
        await check_grader(call, plain(req.customizationConfig))
    key = await customer_key(call, req.customModelKmsKeyId) if req.customModelKmsKeyId else None
    vpc = req.vpcConfig
    return CustomizationJob(
        model_id=lower_id(),
        model_name=req.customModelName,
        role_arn=req.roleArn,
        type=kind,
        base=base,
        training=plain(req.trainingDataConfig),
        validation=plain(req.validationDataConfig),
        output=plain(req.outputDataConfig),
        config=plain(req.customizationConfig),
        hyperparameters=asked.hyperparameters,
        settled=settled,
        kms_key=key,
        subnets=tuple(vpc.subnetIds) if vpc else (),
        security_groups=tuple(vpc.securityGroupIds) if vpc else (),
        token=req.clientRequestToken,
        phases={name: Phase() for name in PHASES},
    )


def check_room(call: Call, store: Transaction, body: CustomizationJob) -> None:
    """Raise unless the name is free, also among models that are on their way, and the account may have one more."""
    limits = call.app.settings.file.limits
    under_way = jobs_under_way(call, store)
    if len(under_way) >= limits.customization_jobs:
        raise quota_exceeded(
            f"You have reached the limit of {limits.customization_jobs} model customization jobs that are in progress for "
            "this account in this Region."
        )
    if base_arn := body.base.custom_arn:
        found = store.get(base_arn)
        if found is None:
            raise stored.missing(custom.SHOWN)
    taken = store.get_by_name(call.account, call.region, custom.KIND, body.model_name) is not None
    if taken or any(job.model_name == body.model_name for job in under_way):
        raise conflict(NAME_TAKEN)
    stored.check_room(call, store, stored.Noun(custom.KIND, custom.SHOWN, limits.custom_models), len(under_way))


def jobs_under_way(call: Call, store: Reader) -> list[CustomizationJob]:
    most = call.app.settings.file.limits.customization_jobs
    found: list[CustomizationJob] = []
    for status in RUNNING:
        query = Query(kind=KIND, account=call.account, region=call.region, status=status, limit=most or 1)
        found += [row.read(CustomizationJob) for row in select(store, query, bool).items]
    return found


# --- get, list ---


def base_arn_of(row: Resource, base: BaseModel) -> str:
    """The foundation model: to this answer a custom model's ancestor."""
    return foundation_model_arn(base.id, row.region)


def summary(row: Resource) -> ModelCustomizationJobSummary:
    """A job as List shows it."""
    body = row.read(CustomizationJob)
    told: dict[str, Any] = {
        "jobArn": row.arn,
        "baseModelArn": body.base.custom_arn or base_arn_of(row, body.base),
        "jobName": row.name or "",
        "status": row.status,
        "statusDetails": details(body),
        "creationTime": row.created_at,
        "lastModifiedTime": row.updated_at,
        "customModelName": body.model_name,
        "customizationType": body.type,
    }
    if row.status == COMPLETED:
        told["customModelArn"] = made_arn(row, body)
    if body.ended_at is not None:
        told["endTime"] = body.ended_at
    return cast("ModelCustomizationJobSummary", told)


def made_arn(row: Resource, body: CustomizationJob) -> str:
    return custom.model_arn(row.account, row.region, body.base.id, body.model_id)


def details(body: CustomizationJob) -> dict[str, Any]:
    """Where each phase is."""
    return {name: _phase(body.phases.get(name, Phase())) for name in PHASES}


def _phase(phase: Phase) -> dict[str, Any]:
    told: dict[str, Any] = {"status": phase.status}
    if phase.status != NOT_STARTED:
        told |= {"creationTime": phase.created_at, "lastModifiedTime": phase.changed_at}
    return told


@operation("bedrock", "GetModelCustomizationJob")
async def get_model_customization_job(
    call: Call, req: GetModelCustomizationJobRequest
) -> GetModelCustomizationJobResponse:
    row = await found(call, "bedrock:GetModelCustomizationJob", req.jobIdentifier)
    body = row.read(CustomizationJob)
    told: dict[str, Any] = {
        "jobArn": row.arn,
        "jobName": row.name or "",
        "outputModelName": body.model_name,
        "roleArn": body.role_arn,
        "status": row.status,
        "statusDetails": details(body),
        "creationTime": row.created_at,
        "lastModifiedTime": row.updated_at,
        "baseModelArn": base_arn_of(row, body.base),
        "hyperParameters": body.settled,
        "trainingDataConfig": body.training,
        "validationDataConfig": body.validation or {"validators": []},
        "outputDataConfig": body.output,
        "customizationType": body.type,
    }
    more = {
        "outputModelArn": made_arn(row, body) if row.status == COMPLETED else None,
        "clientRequestToken": body.token,
        "endTime": body.ended_at,
        "failureMessage": body.message,
        "outputModelKmsKeyArn": body.kms_key,
        "customizationConfig": body.config or None,
        "trainingMetrics": metrics(body.training_loss),
        "validationMetrics": None if body.validation_loss is None else [{"validationLoss": body.validation_loss}],
    }
    told |= {name: value for name, value in more.items() if value is not None}
    if body.subnets:
        told["vpcConfig"] = {"subnetIds": list(body.subnets), "securityGroupIds": list(body.security_groups)}
    return cast("GetModelCustomizationJobResponse", told)


def metrics(training_loss: float | None) -> dict[str, float] | None:
    return None if training_loss is None else {"trainingLoss": training_loss}


NAMED = Named(
    KIND,
    SHOWN,
    lambda call, name: job_arn(call.account, call.region, "*", name),
    lambda row: row.read(CustomizationJob).tags,
    by_id=True,
)


async def found(call: Call, action: str, identifier: str) -> Resource:
    """The caller's job by ARN, id or name, if the caller may do the action on it."""
    return await judged(call, NAMED, action, identifier)


@operation("bedrock", "ListModelCustomizationJobs")
async def list_model_customization_jobs(
    call: Call, req: ListModelCustomizationJobsRequest
) -> ListModelCustomizationJobsResponse:
    """The newest first, unless it is asked otherwise."""
    call.authorize("bedrock:ListModelCustomizationJobs", "*")
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
    answer: ListModelCustomizationJobsResponse = {
        "modelCustomizationJobSummaries": [summary(row) for row in page.items]
    }
    if token is not None:
        answer["nextToken"] = token
    return answer


# --- stop ---


@operation("bedrock", "StopModelCustomizationJob")
async def stop_model_customization_job(
    call: Call, req: StopModelCustomizationJobRequest
) -> StopModelCustomizationJobResponse:
    """Training keeps a checkpoint and ends; until then the job is `Stopping`."""
    row = await found(call, "bedrock:StopModelCustomizationJob", req.jobIdentifier)
    await started.stop(call, row, SHOWN, running=RUNNING, stopping=STOPPING, over=OVER)
    return {}
