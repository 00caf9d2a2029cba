"""CreateModelCopyJob, GetModelCopyJob and ListModelCopyJobs: imported models, and their copies, in other Regions or accounts.

Owns who may copy what, and how a job is shown. The caller makes the copy in the account and Region of the call. It must
be allowed to copy the source, by its own policies; a source of another account must besides be shared by that one, which
on AWS is done with Resource Access Manager and here by a tag on the model (`imported.SHARED_WITH`). What a job does is the workflow's (`workflows.copy_model`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from craton.aws.access import explain
from craton.aws.access.compile import PolicySet
from craton.aws.access.policy import parse
from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.hosting import imported
from craton.features.hosting.copy_job import IN_PROGRESS, KIND, SHOWN, CopyJob, job_arn
from craton.features.hosting.imported import SHARED_WITH, ImportedModel
from craton.infra.store.ids import lower_id
from craton.infra.store.port import Query, Reader, Resource, Transaction, select
from craton.services import started, stored, tagging
from craton.services.kms.use import customer_key
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateModelCopyJobRequest,
        CreateModelCopyJobResponse,
        GetModelCopyJobRequest,
        GetModelCopyJobResponse,
        ListModelCopyJobsRequest,
        ListModelCopyJobsResponse,
        ModelCopyJobSummary,
    )

CREATE = "bedrock:CreateModelCopyJob"
NAME_TAKEN = "The target model name already exists in this account and Region. Use a different name."
NO_FOUNDATION = "A foundation model cannot be copied. Name a custom model."
NOUN = stored.Noun(KIND, SHOWN, 0)


# --- create ---


@operation("bedrock", "CreateModelCopyJob")
async def create_model_copy_job(call: Call, req: CreateModelCopyJobRequest) -> CreateModelCopyJobResponse:
    given = [(tag.key, tag.value) for tag in req.targetModelTags or ()]
    mine = imported.model_arn(call.account, call.region, "*")
    source = await called(call, req.sourceModelArn, given)
    if given:
        call.authorize(tagging.TAG, mine, given=tag_keys(request_tags=dict(given)))
    tags = tagging.checked(given)
    key = await customer_key(call, req.modelKmsKeyId) if req.modelKmsKeyId else None
    body = CopyJob(
        source=req.sourceModelArn,
        source_row=source.arn,
        source_name=source.name or "",
        model_id=lower_id(),
        model_name=req.targetModelName,
        kms_key=key,
        model_tags=tags,
    )
    row = msgspec.structs.replace(stored.new_row(call, NOUN, job_arn, "", body), name=None, status=IN_PROGRESS)
    kept = await started.keep(
        call,
        row,
        SHOWN,
        token=req.clientRequestToken,
        request=msgspec.structs.replace(body, model_id=""),
        check=lambda transaction: check_name(call, transaction, req.targetModelName),
    )
    return {"jobArn": kept.arn}


async def called(call: Call, arn: str, given: list[tuple[str, str]]) -> Resource:
    """The row of the source. Raises AccessDeniedException, ResourceNotFoundException, ValidationException."""
    found = await call.app.storage.read(lambda store: imported.named_by(store, arn))
    tags = found.read(ImportedModel).tags if found is not None else {}
    own = found is not None and found.account == call.account
    # Tags of another account's model are that account's, and no matter of the caller's policies.
    keys = {**tag_keys(request_tags=dict(given)), **(tag_keys(resource_tags=tags) if own else {})}
    shared = call.account in tags.get(SHARED_WITH, "").split()
    policy = sharing(call.account) if shared else None
    request, decision = call.app.live.authority.weigh(call, CREATE, arn, keys, policy=policy)
    if not decision.allowed:
        raise explain.fault(request, decision)
    if ":foundation-model/" in arn:
        raise validation(NO_FOUNDATION)
    if found is None:
        raise stored.missing("source model")
    return found


@lru_cache(maxsize=64)
def sharing(account: str) -> PolicySet:
    """A share as a policy of the model: another account may copy it, as far as that one's own policies let anybody."""
    statement = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": CREATE, "Resource": "*"}
    text = msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
    return PolicySet([parse(text, "resource", SHARED_WITH)])


def check_name(call: Call, store: Transaction, name: str) -> None:
    """Raise where the name is taken, also by a copy on its way, or the account may have no further model.

    The operation has neither conflicts nor quotas among its errors: both are ValidationException.
    """
    query = Query(kind=KIND, account=call.account, region=call.region, status=IN_PROGRESS, limit=1)
    coming = select(store, query, lambda row: row.read(CopyJob).model_name == name).items
    if coming or store.get_by_name(call.account, call.region, imported.KIND, name) is not None:
        raise validation(NAME_TAKEN)
    most = call.app.settings.file.limits.imported_models
    if store.count(call.account, call.region, imported.KIND) >= most:
        raise validation(f"You have reached the limit of {most} imported models for this account in this Region.")


# --- get, list ---


def summary(row: Resource) -> ModelCopyJobSummary:
    """A job as Get and List show it."""
    body = row.read(CopyJob)
    told: ModelCopyJobSummary = {
        "jobArn": row.arn,
        "status": row.status,
        "creationTime": row.created_at,
        "targetModelArn": imported.custom_arn(imported.model_arn(row.account, row.region, body.model_id)),
        "targetModelName": body.model_name,
        "sourceAccountId": body.source_account,
        "sourceModelArn": body.source,
        "sourceModelName": body.source_name,
    }
    if body.kms_key:
        told["targetModelKmsKeyArn"] = body.kms_key
    if body.model_tags:
        told["targetModelTags"] = [{"key": key, "value": value} for key, value in body.model_tags.items()]
    if body.message:
        told["failureMessage"] = body.message
    return told


@operation("bedrock", "GetModelCopyJob")
async def get_model_copy_job(call: Call, req: GetModelCopyJobRequest) -> GetModelCopyJobResponse:
    call.authorize("bedrock:GetModelCopyJob", req.jobArn)
    return {**summary(await stored.own(call, req.jobArn, NOUN))}


@operation("bedrock", "ListModelCopyJobs")
async def list_model_copy_jobs(call: Call, req: ListModelCopyJobsRequest) -> ListModelCopyJobsResponse:
    """The newest first, unless it is asked otherwise."""
    call.authorize("bedrock:ListModelCopyJobs", "*")
    wanted = (req.sourceAccountEquals, req.sourceModelArnEquals, req.targetModelNameContains)
    shape = stored.listing(
        call, req.creationTimeAfter, req.creationTimeBefore, req.statusEquals, *wanted, req.sortOrder
    )
    query = Query(
        kind=KIND,
        account=call.account,
        region=call.region,
        status=req.statusEquals,
        created_after=req.creationTimeAfter,
        created_before=req.creationTimeBefore,
        descending=req.sortOrder != "Ascending",
        limit=req.maxResults or stored.DEFAULT_PAGE,
        after=stored.opened(call, shape, req.nextToken),
    )

    def look(store: Reader) -> tuple[tuple[Resource, ...], str | None]:
        page = select(store, query, lambda row: fits(row.read(CopyJob), *wanted))
        return page.items, stored.issued(call, shape, page.after)

    with stored.faults(SHOWN):
        rows, token = await call.app.storage.read(look)
    answer: ListModelCopyJobsResponse = {"modelCopyJobSummaries": [summary(row) for row in rows]}
    if token is not None:
        answer["nextToken"] = token
    return answer


def fits(job: CopyJob, account: str | None, source: str | None, name: str | None) -> bool:
    """Whether a job is what a listing's filters ask for."""
    return (
        (account is None or job.source_account == account)
        and (source is None or job.source == source)
        and (name is None or name in job.model_name)
    )
