"""CreateEvaluationJob, GetEvaluationJob, ListEvaluationJobs, StopEvaluationJob and BatchDeleteEvaluationJob.

Owns how a job is made, shown, stopped and deleted. What it may ask for is `evaluation_request`'s, what it does the
workflow's (`workflows.evaluate`); the two meet in the job's row (`features.evaluation.job`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault, conflict, quota_exceeded, validation
from craton.context import Call
from craton.features.evaluation.job import (
    DELETING,
    IN_PROGRESS,
    KIND,
    RUNNING,
    SHOWN,
    STOPPING,
    EvaluationJob,
    job_arn,
)
from craton.features.inference.routing.routes import named_arn
from craton.infra.store.port import Query, Reader, Resource, Transaction, select
from craton.services import named, started, stored, tagging
from craton.services.bedrock import evaluation_rag
from craton.services.bedrock import evaluation_request as wanted
from craton.services.bedrock import evaluation_shown as shown
from craton.services.kms.use import customer_key
from craton.services.operation import operation
from craton.services.passing import check_pass_role

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        BatchDeleteEvaluationJobError,
        BatchDeleteEvaluationJobItem,
        BatchDeleteEvaluationJobRequest,
        BatchDeleteEvaluationJobResponse,
        CreateEvaluationJobRequest,
        CreateEvaluationJobResponse,
        GetEvaluationJobRequest,
        GetEvaluationJobResponse,
        ListEvaluationJobsRequest,
        ListEvaluationJobsResponse,
        StopEvaluationJobRequest,
        StopEvaluationJobResponse,
    )

CREATE = "bedrock:CreateEvaluationJob"
OVER = "The evaluation job cannot be stopped: its status is {status}."
NOT_OVER = "The evaluation job cannot be deleted while its status is {status}. Stop it first."
NOUN = stored.Noun(KIND, SHOWN, 0)


# --- create ---


@operation("bedrock", "CreateEvaluationJob")
async def create_evaluation_job(call: Call, req: CreateEvaluationJobRequest) -> CreateEvaluationJobResponse:
    given = [(tag.key, tag.value) for tag in req.jobTags or ()]
    # Whoever may make no job at all is told so before anything is said of the request.
    call.authorize(CREATE, job_arn(call.account, call.region, "*"), given=tag_keys(request_tags=dict(given)))
    tags = tagging.checked(given)
    body = body_of(call, req, tags)
    authorize(call, body, given)
    await evaluation_rag.check_base(call, body)
    if req.customerEncryptionKeyId:
        body = msgspec.structs.replace(body, kms_key=await customer_key(call, req.customerEncryptionKeyId))
    row = stored.new_row(call, NOUN, job_arn, req.jobName, body)
    row = msgspec.structs.replace(row, status=IN_PROGRESS)
    await check_pass_role(call, req.roleArn, source_arn=row.arn)
    kept = await started.keep(
        call,
        row,
        SHOWN,
        token=req.clientRequestToken,
        request=(req.jobName, body),
        check=lambda transaction: check_quota(call, transaction),
    )
    return {"jobArn": kept.arn}


def body_of(call: Call, req: CreateEvaluationJobRequest, tags: tagging.Tags) -> EvaluationJob:
    """The job as it was asked for. Raises ValidationException."""
    config = wanted.automated(req)
    judges, own = config.evaluatorModelConfig, config.customMetricConfig
    judge = wanted.judge_of(call, judges.bedrockEvaluatorModels if judges else None)
    custom = wanted.custom_metrics(config)
    if evaluation_rag.asked_for(req):
        subjects = evaluation_rag.subjects(req)
        sets = evaluation_rag.datasets(config, judge, custom, subjects[0])
    else:
        sets = wanted.datasets(config, judge, custom)
        subjects = wanted.subjects(call, req.inferenceConfig.models or [], sets)
    return EvaluationJob(
        role_arn=req.roleArn,
        target=req.outputDataConfig.s3Uri,
        datasets=sets,
        subjects=subjects,
        judge=judge,
        custom=custom,
        custom_judge=wanted.judge_of(call, own.evaluatorModelConfig.bedrockEvaluatorModels if own else None),
        description=req.jobDescription,
        application=req.applicationType,
        tags=tags,
    )


def authorize(call: Call, body: EvaluationJob, given: list[tuple[str, str]]) -> None:
    """Raise unless the caller may make this job of these models, and all of them can answer."""
    mine = job_arn(call.account, call.region, "*")
    judges = [one.called for one in (body.judge, body.custom_judge) if one is not None]
    called = [*(one.called for one in body.subjects if one.called), *judges]
    try:
        arns, mute = wanted.resources(call, called)
    except Fault:
        # Whoever may not make any such job learns nothing of which models there are.
        tagging.authorize_create(call, CREATE, [named_arn(one, call.region) for one in called], mine, given)
        raise
    tagging.authorize_create(call, CREATE, (*arns, mine), mine, given)
    if mute is not None:
        raise validation(wanted.NO_CHAT.format(name=mute))


def check_quota(call: Call, store: Reader) -> None:
    """So many jobs may be on their way at once."""
    most = call.app.settings.file.limits.evaluation_jobs
    under_way = 0
    for status in RUNNING:
        query = Query(kind=KIND, account=call.account, region=call.region, status=status, limit=most or 1)
        under_way += len(select(store, query, bool).items)
    if under_way >= most:
        raise quota_exceeded(
            f"You have reached the limit of {most} evaluation jobs in progress for this account in this Region."
        )


# --- get, list ---


@operation("bedrock", "GetEvaluationJob")
async def get_evaluation_job(call: Call, req: GetEvaluationJobRequest) -> GetEvaluationJobResponse:
    return shown.whole(await judged(call, "bedrock:GetEvaluationJob", req.jobIdentifier))


NAMED = named.Named(KIND, SHOWN, lambda _, arn: arn, lambda row: row.read(EvaluationJob).tags)


async def judged(call: Call, action: str, arn: str) -> Resource:
    """The caller's job, if the caller may do the action on it; its tags are among what conditions may ask."""
    return await named.judged(call, NAMED, action, arn)


@operation("bedrock", "ListEvaluationJobs")
async def list_evaluation_jobs(call: Call, req: ListEvaluationJobsRequest) -> ListEvaluationJobsResponse:
    """The newest first, unless it is asked otherwise."""
    call.authorize("bedrock:ListEvaluationJobs", "*")
    if req.applicationTypeEquals == "RagEvaluation":
        return {"jobSummaries": []}
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
    answer: ListEvaluationJobsResponse = {"jobSummaries": [shown.summary(row) for row in page.items]}
    if token is not None:
        answer["nextToken"] = token
    return answer


# --- stop, delete ---


@operation("bedrock", "StopEvaluationJob")
async def stop_evaluation_job(call: Call, req: StopEvaluationJobRequest) -> StopEvaluationJobResponse:
    """Calls under way are given up; outputs that are written stay."""
    row = await judged(call, "bedrock:StopEvaluationJob", req.jobIdentifier)
    await started.stop(call, row, SHOWN, running=RUNNING, stopping=STOPPING, over=OVER)
    return {}


@operation("bedrock", "BatchDeleteEvaluationJob")
async def batch_delete_evaluation_job(
    call: Call, req: BatchDeleteEvaluationJobRequest
) -> BatchDeleteEvaluationJobResponse:
    """Each job for itself: what cannot be deleted is among the errors. Outputs in S3 stay."""
    errors: list[BatchDeleteEvaluationJobError] = []
    gone: list[BatchDeleteEvaluationJobItem] = []
    for arn in dict.fromkeys(req.jobIdentifiers):
        try:
            await delete(call, arn)
        except Fault as fault:
            if fault.name == "AccessDeniedException" or fault.http_status() >= 500:
                raise
            errors.append({"jobIdentifier": arn, "code": fault.name, "message": fault.message})
        else:
            gone.append({"jobIdentifier": arn, "jobStatus": DELETING})
    return {"errors": errors, "evaluationJobs": gone}


async def delete(call: Call, arn: str) -> None:
    """Take a job that has ended, and its run. Raises ResourceNotFoundException, ConflictException."""
    from craton.infra.jobs import runs

    row = await judged(call, "bedrock:BatchDeleteEvaluationJob", arn)

    def work(transaction: Transaction) -> None:
        found = transaction.get(row.arn)
        if found is None:
            raise stored.missing(SHOWN)
        if found.status in RUNNING:
            raise conflict(NOT_OVER.format(status=found.status))
        transaction.delete(row.arn)
        transaction.run(lambda connection: runs.forget(connection, row.arn))

    with stored.faults(SHOWN):
        await call.app.storage.keep(work)
