"""Resource policies of layers' versions: which accounts may use them.

Owns what AddLayerVersionPermission takes. How a statement is kept is `statements`'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from craton.context import Call
from craton.features.functions.function import LAYER_VERSION, LayerVersion, Policy
from craton.infra.store.port import Transaction
from craton.services.lambda_ import layers, statements
from craton.services.lambda_.faults import as_faults, missing, no_policy
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        AddLayerVersionPermissionRequest,
        AddLayerVersionPermissionResponse,
        GetLayerVersionPolicyRequest,
        GetLayerVersionPolicyResponse,
        RemoveLayerVersionPermissionRequest,
    )


@operation("lambda", "AddLayerVersionPermission")
async def add_layer_version_permission(
    call: Call, req: AddLayerVersionPermissionRequest
) -> AddLayerVersionPermissionResponse:
    arn = layers.version_arn(call, req.LayerName, req.VersionNumber)
    statement: dict[str, Any] = {
        "Sid": req.StatementId,
        "Effect": "Allow",
        "Principal": statements.principal(req.Principal),
        "Action": req.Action,
        "Resource": arn,
    }
    if req.OrganizationId:
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": req.OrganizationId}}
    after = await _changed(
        call,
        "lambda:AddLayerVersionPermission",
        arn,
        lambda policy: statements.added(policy, statement, req.RevisionId),
    )
    return {"Statement": statements.text_of(statement), "RevisionId": after.revision if after else ""}


@operation("lambda", "RemoveLayerVersionPermission")
async def remove_layer_version_permission(call: Call, req: RemoveLayerVersionPermissionRequest) -> None:
    arn = layers.version_arn(call, req.LayerName, req.VersionNumber)
    await _changed(
        call, "lambda:RemoveLayerVersionPermission", arn,
        lambda policy: statements.removed(policy, req.StatementId, req.RevisionId),
    )  # fmt: skip


@operation("lambda", "GetLayerVersionPolicy")
async def get_layer_version_policy(call: Call, req: GetLayerVersionPolicyRequest) -> GetLayerVersionPolicyResponse:
    arn = layers.version_arn(call, req.LayerName, req.VersionNumber)
    policy = (await layers.found(call, "lambda:GetLayerVersionPolicy", arn)).read(LayerVersion).policy
    if policy is None:
        raise no_policy()
    return {"Policy": policy.document, "RevisionId": policy.revision}


async def _changed(
    call: Call, action: str, arn: str, change: Callable[[Policy | None], Policy | None]
) -> Policy | None:
    call.authorize(action, arn)

    def work(transaction: Transaction) -> Policy | None:
        row = transaction.get(arn)
        if row is None or row.kind != LAYER_VERSION:
            raise missing(f"Layer version {arn} does not exist.")
        body = row.read(LayerVersion)
        after = change(body.policy)
        again = msgspec.json.encode(msgspec.structs.replace(body, policy=after))
        transaction.update(msgspec.structs.replace(row, body=again))
        return after

    with as_faults():
        return await call.app.storage.keep(work)
