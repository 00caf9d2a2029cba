"""CreateCustomModel, GetCustomModel, ListCustomModels and DeleteCustomModel.

Owns how a custom model is shown, what keeps it from being deleted, and the deleting of its files. How it came is
`workflows.customize`'s, who serves it `features.hosting`'s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import msgspec

from craton.aws.wire.faults import conflict, validation
from craton.context import Call
from craton.features.hosting import custom_deployment, customization_job, provisioned
from craton.features.hosting.custom import CREATING, KIND, SHOWN, CustomModel, discard, model_arn
from craton.features.hosting.customization_job import BaseModel, CustomizationJob
from craton.features.inference.routing.routes import foundation_model_arn
from craton.infra.store.port import Query, Reader, Resource, Transaction, select
from craton.services import started, stored, tagging
from craton.services.kms.use import customer_key
from craton.services.named import Named, judged
from craton.services.operation import operation
from craton.services.passing import check_pass_role

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateCustomModelRequest,
        CreateCustomModelResponse,
        CustomModelSummary,
        DeleteCustomModelRequest,
        DeleteCustomModelResponse,
        GetCustomModelRequest,
        GetCustomModelResponse,
        ListCustomModelsRequest,
        ListCustomModelsResponse,
    )

CREATE = "bedrock:CreateCustomModel"
NO_SOURCE = "The model source must name a location in Amazon S3: model packages are not built here."
NO_ROLE = "Provide the roleArn of a role that may read the model source."
IN_USE = "The custom model is used by {what}. Delete that first."


def base_arn(row: Resource, model: CustomModel) -> str:
    """What the model was trained on: a foundation model, or a custom model; one without an ancestor is its own."""
    if not model.base.id:
        return row.arn
    return model.base.custom_arn or foundation_model_arn(model.base.id, row.region)


# --- create ---


@operation("bedrock", "CreateCustomModel", status="partial")
async def create_custom_model(call: Call, req: CreateCustomModelRequest) -> CreateCustomModelResponse:
    """From an adapter that a customization job exported, or from whole weights, in a folder in S3."""
    given = [(tag.key, tag.value) for tag in req.modelTags or ()]
    tagging.authorize_create(call, CREATE, ("*",), arn_of_own(call.account, call.region, "*"), given)
    source = req.modelSourceConfig.s3DataSource if req.modelSourceConfig else None
    if source is None:
        raise validation(NO_SOURCE)
    if req.roleArn is None:
        raise validation(NO_ROLE)
    key = await customer_key(call, req.modelKmsKeyArn) if req.modelKmsKeyArn else None
    body = CustomModel(
        base=BaseModel(id="", local=""),
        type="IMPORTED",
        kms_key=key,
        source_uri=source.s3Uri,
        role_arn=req.roleArn,
        tags=tagging.checked(given),
    )
    row = stored.new_row(call, stored.Noun(KIND, SHOWN, 0), arn_of_own, req.modelName, body)
    row = msgspec.structs.replace(row, status=CREATING)
    await check_pass_role(call, req.roleArn, source_arn=row.arn)
    kept = await started.keep(
        call,
        row,
        SHOWN,
        token=req.clientRequestToken,
        request=(req.modelName, body),
        check=lambda store: stored.check_room(call, store, noun(call)),
    )
    return {"modelArn": kept.arn}


def arn_of_own(account: str, region: str, ident: str) -> str:
    """The ARN of a model that no customization here made: of the base `imported`."""
    return model_arn(account, region, "imported", ident)


def noun(call: Call) -> stored.Noun:
    return stored.Noun(KIND, SHOWN, call.app.settings.file.limits.custom_models)


# --- get, list ---


@operation("bedrock", "GetCustomModel")
async def get_custom_model(call: Call, req: GetCustomModelRequest) -> GetCustomModelResponse:
    row = await found(call, "bedrock:GetCustomModel", req.modelIdentifier)
    model = row.read(CustomModel)
    more: dict[str, Any] = {
        "jobName": model.job_name,
        "jobArn": model.job_arn,
        "modelKmsKeyArn": model.kms_key,
        "hyperParameters": model.hyperparameters,
        "trainingDataConfig": model.training,
        "validationDataConfig": model.validation,
        "outputDataConfig": model.output,
        "customizationConfig": model.config,
        "failureMessage": model.message,
        "baseModelArn": base_arn(row, model) if model.base.id else None,
    }
    told = {
        "modelArn": row.arn,
        "modelName": row.name or "",
        "creationTime": row.created_at,
        "customizationType": model.type,
        "modelStatus": row.status,
        **{name: value for name, value in more.items() if value},
    }
    if model.training_loss is not None:
        told["trainingMetrics"] = {"trainingLoss": model.training_loss}
    if model.validation_loss is not None:
        told["validationMetrics"] = [{"validationLoss": model.validation_loss}]
    return cast("GetCustomModelResponse", told)


NAMED = Named(
    KIND,
    SHOWN,
    lambda call, name: model_arn(call.account, call.region, "*", name),
    lambda row: row.read(CustomModel).tags,
    by_id=False,
)


async def found(call: Call, action: str, identifier: str) -> Resource:
    """The caller's model by ARN or name, if the caller may do the action on it."""
    return await judged(call, NAMED, action, identifier)


@operation("bedrock", "ListCustomModels")
async def list_custom_models(call: Call, req: ListCustomModelsRequest) -> ListCustomModelsResponse:
    """The newest first, unless it is asked otherwise. Models of other accounts are never among them."""
    call.authorize("bedrock:ListCustomModels", "*")
    shape = stored.listing(
        call, req.creationTimeAfter, req.creationTimeBefore, req.nameContains, req.sortOrder, req.isOwned,
        req.modelStatus, req.baseModelArnEquals, req.foundationModelArnEquals,
    )  # fmt: skip
    query = Query(
        kind=KIND,
        account=call.account,
        region=call.region,
        status=req.modelStatus,
        name_contains=req.nameContains,
        created_after=req.creationTimeAfter,
        created_before=req.creationTimeBefore,
        descending=req.sortOrder != "Ascending",
        limit=req.maxResults or stored.DEFAULT_PAGE,
        after=stored.opened(call, shape, req.nextToken),
    )

    def keep(row: Resource) -> bool:
        model = row.read(CustomModel)
        of_base = req.baseModelArnEquals in (None, base_arn(row, model))
        of_foundation = req.foundationModelArnEquals in (None, foundation_model_arn(model.base.id, row.region))
        return of_base and of_foundation and req.isOwned is not False

    with stored.faults(SHOWN):
        page = await call.app.storage.read(lambda store: select(store, query, keep))
    answer: ListCustomModelsResponse = {"modelSummaries": [summary(row) for row in page.items]}
    token = stored.issued(call, shape, page.after)
    if token is not None:
        answer["nextToken"] = token
    return answer


def summary(row: Resource) -> CustomModelSummary:
    """A model as List shows it."""
    model = row.read(CustomModel)
    told: dict[str, Any] = {
        "modelArn": row.arn,
        "modelName": row.name or "",
        "creationTime": row.created_at,
        "baseModelArn": base_arn(row, model),
        "baseModelName": model.base.id.partition(":")[0] or "imported.model",
        "customizationType": model.type,
        "ownerAccountId": row.account,
        "modelStatus": row.status,
    }
    return cast("CustomModelSummary", told)


# --- delete ---


@operation("bedrock", "DeleteCustomModel")
async def delete_custom_model(call: Call, req: DeleteCustomModelRequest) -> DeleteCustomModelResponse:
    """The row goes first; then its files, which nothing has open any more."""
    from craton.infra.jobs import runs

    row = await found(call, "bedrock:DeleteCustomModel", req.modelIdentifier)

    def work(transaction: Transaction) -> None:
        check_unused(transaction, row)
        transaction.delete(row.arn)
        if row.read(CustomModel).source_uri:
            transaction.run(lambda connection: runs.forget(connection, row.arn))

    with stored.faults(SHOWN):
        await call.app.storage.write(work)
    await asyncio.to_thread(discard, call.app.settings.home_path, row.id)
    return {}


def check_unused(store: Reader, row: Resource) -> None:
    """Raise ConflictException where something stands on the model, or is being made of it."""
    deployments = custom_deployment.standing_on(store, row.arn)
    if deployments:
        raise conflict(IN_USE.format(what=f"the custom model deployment {deployments[0]}"))
    kept = provisioned.kept_of_model(store, row.arn)
    if kept:
        raise conflict(IN_USE.format(what=f"the provisioned throughput {kept[0]}"))
    for model in select(
        store, Query(kind=KIND, limit=1), lambda one: one.read(CustomModel).base.custom_arn == row.arn
    ).items:
        raise conflict(IN_USE.format(what=f"the custom model {model.arn}"))
    for status in customization_job.RUNNING:
        query = Query(kind=customization_job.KIND, status=status, limit=1)
        for job in select(store, query, lambda one: one.read(CustomizationJob).base.custom_arn == row.arn).items:
            raise conflict(IN_USE.format(what=f"the model customization job {job.arn}"))
