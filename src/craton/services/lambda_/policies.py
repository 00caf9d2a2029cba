"""Resource policies of functions, versions and aliases: who may invoke them beside their account's own.

Owns what AddPermission takes. How a statement is kept is `statements`', how policies are judged `gate`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.context import Call
from craton.features.functions.function import Function, Policy
from craton.services.lambda_ import changing, gate, statements
from craton.services.lambda_.faults import invalid, no_policy
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        AddPermissionRequest,
        AddPermissionResponse,
        GetPolicyRequest,
        GetPolicyResponse,
        RemovePermissionRequest,
    )

_ACTION: Final = re.compile(r"lambda:[a-zA-Z]+|lambda:\*|\*")


@operation("lambda", "AddPermission")
async def add_permission(call: Call, req: AddPermissionRequest) -> AddPermissionResponse:
    given = {"lambda:principal": req.Principal}
    if req.FunctionUrlAuthType is not None:
        given["lambda:functionurlauthtype"] = req.FunctionUrlAuthType
    found = await gate.opened(call, "lambda:AddPermission", req.FunctionName, req.Qualifier, given=given)
    statement = statement_of(req, found.named.asked)
    await changed(call, found, lambda policy: statements.added(policy, statement, req.RevisionId))
    return {"Statement": statements.text_of(statement)}


def statement_of(req: AddPermissionRequest, arn: str) -> dict[str, Any]:
    """The statement that a request describes. Raises InvalidParameterValueException."""
    if not _ACTION.fullmatch(req.Action):
        raise invalid(f"The provided action {req.Action[:100]} is not valid.")
    if req.FunctionUrlAuthType is not None and req.Action != "lambda:InvokeFunctionUrl":
        raise invalid("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")
    if req.Principal == "*" and req.FunctionUrlAuthType is None and req.Action == "lambda:InvokeFunctionUrl":
        raise invalid("FunctionUrlAuthType is required for lambda:InvokeFunctionUrl with the principal *")
    conditions: dict[str, dict[str, Any]] = {}
    for operator, key, value in (
        ("StringEquals", "aws:PrincipalOrgID", req.PrincipalOrgID),
        ("StringEquals", "aws:SourceAccount", req.SourceAccount),
        ("StringEquals", "lambda:EventSourceToken", req.EventSourceToken),
        ("StringEquals", "lambda:FunctionUrlAuthType", req.FunctionUrlAuthType),
        ("ArnLike", "aws:SourceArn", req.SourceArn),
    ):
        if value is not None:
            conditions.setdefault(operator, {})[key] = value
    if req.InvokedViaFunctionUrl is not None:
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": str(req.InvokedViaFunctionUrl).lower()}
    statement: dict[str, Any] = {
        "Sid": req.StatementId,
        "Effect": "Allow",
        "Principal": statements.principal(req.Principal),
        "Action": req.Action,
        "Resource": arn,
    }
    return {**statement, "Condition": conditions} if conditions else statement


@operation("lambda", "RemovePermission")
async def remove_permission(call: Call, req: RemovePermissionRequest) -> None:
    found = await gate.opened(call, "lambda:RemovePermission", req.FunctionName, req.Qualifier)
    await changed(call, found, lambda policy: statements.removed(policy, req.StatementId, req.RevisionId))


@operation("lambda", "GetPolicy")
async def get_policy(call: Call, req: GetPolicyRequest) -> GetPolicyResponse:
    found = await gate.opened(call, "lambda:GetPolicy", req.FunctionName, req.Qualifier)
    policy = found.function.policies.get(found.named.qualifier or "")
    if policy is None:
        raise no_policy()
    return {"Policy": policy.document, "RevisionId": policy.revision}


async def changed(call: Call, found: gate.Opened, change: Callable[[Policy | None], Policy | None]) -> None:
    """Change the policy of what was named, in one transaction."""
    qualifier = found.named.qualifier or ""

    def changed_too(body: Function) -> Function:
        policies = changing.with_one(body.policies, qualifier, change(body.policies.get(qualifier)))
        return msgspec.structs.replace(body, policies=policies)

    await changing.change(call, found.row, changed_too)
