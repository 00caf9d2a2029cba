"""CreateCustomModelDeployment, and Get, List, Update and Delete.

Owns the rules of such a resource and how it is shown. Whether it answers is found out by the workflow
(`workflows.deploy_custom`), which alone makes it Active; what serves it is `features.hosting.custom_deployment`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from craton.aws.wire.faults import Fault, quota_exceeded, validation
from craton.context import Call
from craton.features.hosting import custom, imported
from craton.features.hosting.custom_deployment import (
    CREATING,
    KIND,
    SHOWN,
    UPDATING,
    DeploymentBody,
    Served,
    deployment_arn,
    served_of,
)
from craton.infra.store.ids import lower_id
from craton.infra.store.port import Query, Resource, Transaction, select
from craton.services import started, stored, tagging
from craton.services.bedrock.tuning_bases import unusable
from craton.services.named import Named, judged
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateCustomModelDeploymentRequest,
        CreateCustomModelDeploymentResponse,
        CustomModelDeploymentSummary,
        DeleteCustomModelDeploymentRequest,
        DeleteCustomModelDeploymentResponse,
        GetCustomModelDeploymentRequest,
        GetCustomModelDeploymentResponse,
        ListCustomModelDeploymentsRequest,
        ListCustomModelDeploymentsResponse,
        UpdateCustomModelDeploymentRequest,
        UpdateCustomModelDeploymentResponse,
    )

CREATE = "bedrock:CreateCustomModelDeployment"
IMPORTED = "An imported model needs no deployment: call it by its own ARN, or make a Provisioned Throughput of it."
BUSY = "The custom model deployment {arn} cannot be changed while its status is {status}."
OTHER_BASE = "The model of a custom model deployment can only be changed to one of the same base model."


def noun(call: Call) -> stored.Noun:
    return stored.Noun(KIND, SHOWN, call.app.settings.file.limits.custom_model_deployments)


def modelled(fault: Fault) -> Fault:
    """Conflicts as these operations can say them: their model has no ConflictException."""
    return validation(fault.message) if fault.name == "ConflictException" else fault


# --- create ---


@operation("bedrock", "CreateCustomModelDeployment")
async def create_custom_model_deployment(
    call: Call, req: CreateCustomModelDeploymentRequest
) -> CreateCustomModelDeploymentResponse:
    given = [(tag.key, tag.value) for tag in req.tags or ()]
    mine = deployment_arn(call.account, call.region, "*")
    tagging.authorize_create(call, CREATE, (req.modelArn,), mine, given)
    served = await model_of(call, req.modelArn)
    body = DeploymentBody(probe=lower_id(), coming=served, description=req.description, tags=tagging.checked(given))
    row = stored.new_row(call, noun(call), deployment_arn, req.modelDeploymentName, body)
    row = msgspec.structs.replace(row, status=CREATING)
    try:
        made = await started.keep(
            call,
            row,
            SHOWN,
            token=req.clientRequestToken,
            request=(req.modelDeploymentName, msgspec.structs.replace(body, probe="")),
            check=lambda transaction: check_room(call, transaction, req.modelArn),
        )
    except Fault as fault:
        raise modelled(fault) from None
    return {"customModelDeploymentArn": made.arn}


async def model_of(call: Call, arn: str) -> Served:
    """The caller's custom model as it is to be served. Raises ResourceNotFoundException, ValidationException."""
    if ":custom-model/imported/" in arn:
        known = await call.app.storage.read(lambda store: imported.named_by(store, arn))
        if known is not None and stored.belongs(call, known):
            raise validation(IMPORTED)
    with stored.faults(custom.SHOWN):
        row = await call.app.storage.read(lambda store: store.get(arn))
    if row is None or row.kind != custom.KIND or not stored.belongs(call, row):
        raise stored.missing(custom.SHOWN)
    if row.status != custom.ACTIVE:
        raise unusable(row)
    return served_of(row)


def check_room(call: Call, store: Transaction, model: str) -> None:
    """The model is still there, and the account may have one deployment more."""
    if store.get(model) is None:
        raise stored.missing(custom.SHOWN)
    most = call.app.settings.file.limits.custom_model_deployments
    if store.count(call.account, call.region, KIND) >= most:
        raise quota_exceeded(
            f"You have reached the limit of {most} custom model deployments for this account in this Region. Delete "
            "deployments that you no longer need, and try again."
        )


# --- get, list ---


NAMED = Named(
    KIND,
    SHOWN,
    lambda call, name: deployment_arn(call.account, call.region, name),
    lambda row: row.read(DeploymentBody).tags,
    by_id=True,
)


async def found(call: Call, action: str, identifier: str, *besides: str) -> Resource:
    """The caller's deployment by ARN, id or name, if the caller may do the action on it and on what is `besides`."""
    return await judged(call, NAMED, action, identifier, *besides)


@operation("bedrock", "GetCustomModelDeployment")
async def get_custom_model_deployment(
    call: Call, req: GetCustomModelDeploymentRequest
) -> GetCustomModelDeploymentResponse:
    row = await found(call, "bedrock:GetCustomModelDeployment", req.customModelDeploymentIdentifier)
    body = row.read(DeploymentBody)
    told: dict[str, Any] = {
        "customModelDeploymentArn": row.arn,
        "modelDeploymentName": row.name or "",
        "modelArn": body.model_arn,
        "createdAt": row.created_at,
        "status": row.status,
        "lastUpdatedAt": row.updated_at,
    }
    if body.description:
        told["description"] = body.description
    if body.message:
        told["failureMessage"] = body.message
    if body.update:
        told["updateDetails"] = {"modelArn": body.update_model, "updateStatus": body.update}
    return cast("GetCustomModelDeploymentResponse", told)


def summary(row: Resource) -> CustomModelDeploymentSummary:
    """A deployment as List shows it."""
    body = row.read(DeploymentBody)
    told: dict[str, Any] = {
        "customModelDeploymentArn": row.arn,
        "customModelDeploymentName": row.name or "",
        "modelArn": body.model_arn,
        "createdAt": row.created_at,
        "status": row.status,
        "lastUpdatedAt": row.updated_at,
    }
    if body.message:
        told["failureMessage"] = body.message
    return cast("CustomModelDeploymentSummary", told)


@operation("bedrock", "ListCustomModelDeployments")
async def list_custom_model_deployments(
    call: Call, req: ListCustomModelDeploymentsRequest
) -> ListCustomModelDeploymentsResponse:
    """The newest first, unless it is asked otherwise."""
    call.authorize("bedrock:ListCustomModelDeployments", "*")
    shape = stored.listing(
        call, req.createdAfter, req.createdBefore, req.nameContains, req.sortOrder, req.statusEquals, req.modelArnEquals
    )
    query = Query(
        kind=KIND,
        account=call.account,
        region=call.region,
        status=req.statusEquals,
        name_contains=req.nameContains,
        created_after=req.createdAfter,
        created_before=req.createdBefore,
        descending=req.sortOrder != "Ascending",
        limit=req.maxResults or stored.DEFAULT_PAGE,
        after=stored.opened(call, shape, req.nextToken),
    )

    def keep(row: Resource) -> bool:
        return req.modelArnEquals in (None, row.read(DeploymentBody).model_arn)

    with stored.faults(SHOWN):
        page = await call.app.storage.read(lambda store: select(store, query, keep))
    answer: ListCustomModelDeploymentsResponse = {"modelDeploymentSummaries": [summary(row) for row in page.items]}
    token = stored.issued(call, shape, page.after)
    if token is not None:
        answer["nextToken"] = token
    return answer


# --- update, delete ---


@operation("bedrock", "UpdateCustomModelDeployment")
async def update_custom_model_deployment(
    call: Call, req: UpdateCustomModelDeploymentRequest
) -> UpdateCustomModelDeploymentResponse:
    """The model before goes on answering until the new one has."""
    from craton.infra.jobs import runs

    row = await found(call, "bedrock:UpdateCustomModelDeployment", req.customModelDeploymentIdentifier, req.modelArn)
    served, now = await model_of(call, req.modelArn), call.app.clock.now()

    def work(transaction: Transaction) -> None:
        there = transaction.get(row.arn)
        if there is None:
            raise stored.missing(SHOWN)
        body = there.read(DeploymentBody)
        check_change(there, body, served)
        if transaction.get(served.arn) is None:
            raise stored.missing(custom.SHOWN)
        changed = msgspec.structs.replace(
            body,
            coming=served,
            update=UPDATING,
            update_model=served.arn,
            updated_at=now,
            probe=lower_id(),
            message=None,
        )
        transaction.update(msgspec.structs.replace(there, updated_at=now, body=msgspec.json.encode(changed)))
        transaction.run(lambda connection: runs.enqueue(connection, row.arn, KIND, now))

    with stored.faults(SHOWN):
        await call.app.storage.write(work)
    return {"customModelDeploymentArn": row.arn}


def check_change(row: Resource, body: DeploymentBody, served: Served) -> None:
    """Raise ValidationException for a change that cannot be made, or not now."""
    if row.status == CREATING or body.coming is not None:
        raise validation(BUSY.format(arn=row.arn, status=row.status if row.status == CREATING else UPDATING))
    if body.current is not None and body.current.base.id != served.base.id:
        raise validation(OTHER_BASE)


@operation("bedrock", "DeleteCustomModelDeployment")
async def delete_custom_model_deployment(
    call: Call, req: DeleteCustomModelDeploymentRequest
) -> DeleteCustomModelDeploymentResponse:
    """Its routes go with the row; the adapter leaves the replicas a moment later."""
    from craton.infra.jobs import runs

    row = await found(call, "bedrock:DeleteCustomModelDeployment", req.customModelDeploymentIdentifier)

    def work(transaction: Transaction) -> None:
        transaction.delete(row.arn)
        transaction.run(lambda connection: runs.forget(connection, row.arn))

    with stored.faults(SHOWN):
        await call.app.storage.write(work)
    return {}
