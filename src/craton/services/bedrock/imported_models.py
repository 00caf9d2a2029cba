"""GetImportedModel, ListImportedModels and DeleteImportedModel.

Owns how an imported model is shown, what keeps it from being deleted, and the deleting of its files. Who serves it is
`features.hosting`'s; how it came is `workflows.import_model`'s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from craton.aws.wire.faults import conflict
from craton.context import Call
from craton.features.hosting import copy_job, provisioned
from craton.features.hosting.folders import discard
from craton.features.hosting.imported import KIND, SHOWN, UNITS_VERSION, ImportedModel, model_arn
from craton.infra.store.port import Query, Reader, Resource, Transaction, select
from craton.services import started, stored
from craton.services.named import Named, judged
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        DeleteImportedModelRequest,
        DeleteImportedModelResponse,
        GetImportedModelRequest,
        GetImportedModelResponse,
        ImportedModelSummary,
        ListImportedModelsRequest,
        ListImportedModelsResponse,
    )

IN_USE = "The imported model is used by {what}. Delete that first."


def summary(row: Resource) -> ImportedModelSummary:
    """A model as List shows it."""
    body = row.read(ImportedModel)
    return {
        "modelArn": row.arn,
        "modelName": row.name or "",
        "creationTime": row.created_at,
        "instructSupported": body.instruct,
        "modelArchitecture": body.architecture,
    }


@operation("bedrock", "GetImportedModel")
async def get_imported_model(call: Call, req: GetImportedModelRequest) -> GetImportedModelResponse:
    row = await found(call, "bedrock:GetImportedModel", req.modelIdentifier)
    body = row.read(ImportedModel)
    more: GetImportedModelResponse = {
        "modelDataSource": {"s3DataSource": {"s3Uri": body.uri}},
        "customModelUnits": {
            "customModelUnitsPerModelCopy": body.units,
            "customModelUnitsVersion": UNITS_VERSION,
        },
    }
    if body.job_arn:  # none made a copy
        more |= {"jobName": body.job_name, "jobArn": body.job_arn}
    if body.kms_key:
        more["modelKmsKeyArn"] = body.kms_key
    return {**summary(row), **more}


NAMED = Named(
    KIND,
    SHOWN,
    lambda call, name: model_arn(call.account, call.region, name),
    lambda row: row.read(ImportedModel).tags,
    by_id=False,
)


async def found(call: Call, action: str, identifier: str) -> Resource:
    """The caller's model by ARN or name, if the caller may do the action on it."""
    return await judged(call, NAMED, action, identifier)


@operation("bedrock", "ListImportedModels")
async def list_imported_models(call: Call, req: ListImportedModelsRequest) -> ListImportedModelsResponse:
    """The newest first, unless it is asked otherwise."""
    call.authorize("bedrock:ListImportedModels", "*")
    page, token = await started.page(
        call,
        KIND,
        SHOWN,
        after=req.creationTimeAfter,
        before=req.creationTimeBefore,
        status=None,
        order=req.sortOrder,
        limit=req.maxResults,
        token=req.nextToken,
        name_contains=req.nameContains,
    )
    answer: ListImportedModelsResponse = {"modelSummaries": [summary(row) for row in page.items]}
    if token is not None:
        answer["nextToken"] = token
    return answer


@operation("bedrock", "DeleteImportedModel")
async def delete_imported_model(call: Call, req: DeleteImportedModelRequest) -> DeleteImportedModelResponse:
    """The row goes first, and with it the routes of every worker; replicas finish what they are at, and end.

    A process that has the files open keeps them until it ends, so they need not wait for it.
    """
    row = await found(call, "bedrock:DeleteImportedModel", req.modelIdentifier)

    def work(transaction: Transaction) -> None:
        check_unused(transaction, row)
        transaction.delete(row.arn)

    with stored.faults(SHOWN):
        await call.app.storage.write(work)
    await asyncio.to_thread(discard, call.app.settings.home_path, row.id)
    return {}


def check_unused(store: Reader, row: Resource) -> None:
    """Raise ConflictException where something of the account stands on the model, or a copy of it is being made."""
    kept = provisioned.kept_of(store, row.arn)
    if kept:
        raise conflict(IN_USE.format(what=f"the provisioned throughput {kept[0]}"))
    query = Query(kind=copy_job.KIND, status=copy_job.IN_PROGRESS, limit=1)
    for job in select(store, query, lambda one: one.read(copy_job.CopyJob).source_row == row.arn).items:
        raise conflict(IN_USE.format(what=f"the model copy job {job.arn}"))
