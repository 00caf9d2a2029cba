"""What AWS manages around a function: recursion, runtime updates, code signing.

Owns the settings that are kept and shown, and the refusals of what nothing here stands behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.context import Call
from craton.features.functions.function import LATEST
from craton.services.lambda_ import changing, gate
from craton.services.lambda_.faults import invalid, missing
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        GetFunctionCodeSigningConfigRequest,
        GetFunctionCodeSigningConfigResponse,
        GetFunctionRecursionConfigRequest,
        GetFunctionRecursionConfigResponse,
        GetRuntimeManagementConfigRequest,
        GetRuntimeManagementConfigResponse,
        ListCodeSigningConfigsRequest,
        ListCodeSigningConfigsResponse,
        PutFunctionRecursionConfigRequest,
        PutFunctionRecursionConfigResponse,
        PutRuntimeManagementConfigRequest,
        PutRuntimeManagementConfigResponse,
    )

_NO_SIGNING: Final = "This server does not check signatures of code: there are no code signing configurations."


@operation("lambda", "PutFunctionRecursionConfig")
async def put_function_recursion_config(
    call: Call, req: PutFunctionRecursionConfigRequest
) -> PutFunctionRecursionConfigResponse:
    found = await gate.opened(call, "lambda:PutFunctionRecursionConfig", req.FunctionName)
    await changing.change(call, found.row, lambda body: msgspec.structs.replace(body, recursion=req.RecursiveLoop))
    return {"RecursiveLoop": req.RecursiveLoop}


@operation("lambda", "GetFunctionRecursionConfig")
async def get_function_recursion_config(
    call: Call, req: GetFunctionRecursionConfigRequest
) -> GetFunctionRecursionConfigResponse:
    found = await gate.opened(call, "lambda:GetFunctionRecursionConfig", req.FunctionName)
    return {"RecursiveLoop": found.function.recursion}


@operation("lambda", "PutRuntimeManagementConfig", status="partial")
async def put_runtime_management_config(
    call: Call, req: PutRuntimeManagementConfigRequest
) -> PutRuntimeManagementConfigResponse:
    """Kept and shown; the runtimes are this machine's own, and change when it does."""
    found = await gate.opened(call, "lambda:PutRuntimeManagementConfig", req.FunctionName, req.Qualifier)
    if req.UpdateRuntimeOn == "Manual" and not req.RuntimeVersionArn:
        raise invalid("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")
    told: dict[str, str] = {"UpdateRuntimeOn": req.UpdateRuntimeOn}
    if req.RuntimeVersionArn:
        told["RuntimeVersionArn"] = req.RuntimeVersionArn
    key = found.named.qualifier or LATEST
    await changing.change(
        call, found.row, lambda body: msgspec.structs.replace(body, runtimes={**body.runtimes, key: told})
    )
    return {**told, "FunctionArn": found.named.asked}  # type: ignore[typeddict-item]


@operation("lambda", "GetRuntimeManagementConfig")
async def get_runtime_management_config(
    call: Call, req: GetRuntimeManagementConfigRequest
) -> GetRuntimeManagementConfigResponse:
    found = await gate.opened(call, "lambda:GetRuntimeManagementConfig", req.FunctionName, req.Qualifier)
    held = found.function.runtimes.get(found.named.qualifier or LATEST, {"UpdateRuntimeOn": "Auto"})
    return {**held, "FunctionArn": found.named.asked}  # type: ignore[typeddict-item]


@operation("lambda", "GetFunctionCodeSigningConfig")
async def get_function_code_signing_config(
    call: Call, req: GetFunctionCodeSigningConfigRequest
) -> GetFunctionCodeSigningConfigResponse:
    """That there is none: whoever asks before it changes a function wants to know."""
    found = await gate.opened(call, "lambda:GetFunctionCodeSigningConfig", req.FunctionName)
    return {"FunctionName": found.row.id}  # type: ignore[typeddict-item]


@operation("lambda", "ListCodeSigningConfigs")
async def list_code_signing_configs(call: Call, req: ListCodeSigningConfigsRequest) -> ListCodeSigningConfigsResponse:
    """There are none."""
    call.authorize("lambda:ListCodeSigningConfigs", "*")
    return {"CodeSigningConfigs": []}


@operation("lambda", "CreateCodeSigningConfig", status="refused")
async def create_code_signing_config(call: Call, req: Any) -> None:
    call.authorize("lambda:CreateCodeSigningConfig", "*")
    raise invalid(_NO_SIGNING)


@operation("lambda", "PutFunctionCodeSigningConfig", status="refused")
async def put_function_code_signing_config(call: Call, req: Any) -> None:
    await gate.opened(call, "lambda:PutFunctionCodeSigningConfig", req.FunctionName)
    raise invalid(_NO_SIGNING)


@operation("lambda", "GetCodeSigningConfig", status="refused")
async def get_code_signing_config(call: Call, req: Any) -> None:
    call.authorize("lambda:GetCodeSigningConfig", req.CodeSigningConfigArn)
    raise missing(_NO_SIGNING)
