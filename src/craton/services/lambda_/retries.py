"""What becomes of asynchronous invocations: how often and how long they are tried, and where their outcomes go.

Owns the configuration by qualifier. The delivery itself is the workflow's (`workflows.invoke_function`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.context import Call
from craton.features.functions.function import LATEST, Function, Retries
from craton.services.lambda_ import changing, gate
from craton.services.lambda_.faults import invalid, missing
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        DeleteFunctionEventInvokeConfigRequest,
        FunctionEventInvokeConfig,
        GetFunctionEventInvokeConfigRequest,
        ListFunctionEventInvokeConfigsRequest,
        ListFunctionEventInvokeConfigsResponse,
        PutFunctionEventInvokeConfigRequest,
        UpdateFunctionEventInvokeConfigRequest,
    )

_NONE: Final = "The function {arn} doesn't have an EventInvokeConfig"
_TARGETS: Final = ("lambda", "logs", "s3", "events")
_NOT_HERE: Final = (
    "The provided destination config is invalid: {arn} is of a service that this server does not have as a destination. "
    "A function's, a log group's or a bucket's ARN can be one."
)


@operation("lambda", "PutFunctionEventInvokeConfig")
async def put_function_event_invoke_config(
    call: Call, req: PutFunctionEventInvokeConfigRequest
) -> FunctionEventInvokeConfig:
    found = await gate.opened(call, "lambda:PutFunctionEventInvokeConfig", req.FunctionName, req.Qualifier)
    on_success, on_failure = _destinations(req.DestinationConfig)
    made = Retries(
        modified_at=call.now(),
        attempts=req.MaximumRetryAttempts,
        age_s=req.MaximumEventAgeInSeconds,
        on_success=on_success or None,
        on_failure=on_failure or None,
    )
    return _shown(found, await _changed(call, found, lambda _: made))


@operation("lambda", "UpdateFunctionEventInvokeConfig")
async def update_function_event_invoke_config(
    call: Call, req: UpdateFunctionEventInvokeConfigRequest
) -> FunctionEventInvokeConfig:
    """What is not named stays as it was."""
    found = await gate.opened(call, "lambda:UpdateFunctionEventInvokeConfig", req.FunctionName, req.Qualifier)
    on_success, on_failure = _destinations(req.DestinationConfig)

    def change(before: Retries | None) -> Retries:
        if before is None:
            raise missing(_NONE.format(arn=_arn(found)))
        return Retries(
            modified_at=call.now(),
            attempts=before.attempts if req.MaximumRetryAttempts is None else req.MaximumRetryAttempts,
            age_s=before.age_s if req.MaximumEventAgeInSeconds is None else req.MaximumEventAgeInSeconds,
            on_success=before.on_success if on_success is None else on_success or None,
            on_failure=before.on_failure if on_failure is None else on_failure or None,
        )

    return _shown(found, await _changed(call, found, change))


@operation("lambda", "GetFunctionEventInvokeConfig")
async def get_function_event_invoke_config(
    call: Call, req: GetFunctionEventInvokeConfigRequest
) -> FunctionEventInvokeConfig:
    found = await gate.opened(call, "lambda:GetFunctionEventInvokeConfig", req.FunctionName, req.Qualifier)
    held = found.function.retries.get(_key(found))
    if held is None:
        raise missing(_NONE.format(arn=_arn(found)))
    return _shown(found, held)


@operation("lambda", "DeleteFunctionEventInvokeConfig")
async def delete_function_event_invoke_config(call: Call, req: DeleteFunctionEventInvokeConfigRequest) -> None:
    found = await gate.opened(call, "lambda:DeleteFunctionEventInvokeConfig", req.FunctionName, req.Qualifier)

    def change(before: Retries | None) -> None:
        if before is None:
            raise missing(_NONE.format(arn=_arn(found)))

    await _changed(call, found, change)


@operation("lambda", "ListFunctionEventInvokeConfigs")
async def list_function_event_invoke_configs(
    call: Call, req: ListFunctionEventInvokeConfigsRequest
) -> ListFunctionEventInvokeConfigsResponse:
    """All at once: a function has few."""
    found = await gate.opened(call, "lambda:ListFunctionEventInvokeConfigs", req.FunctionName)
    told = [_told(f"{found.row.arn}:{name}", held) for name, held in sorted(found.function.retries.items())]
    return {"FunctionEventInvokeConfigs": told}  # type: ignore[typeddict-item]


def _destinations(given: Any) -> tuple[str | None, str | None]:
    """Where successes and failures go: None for what is not said, "" for nowhere. Raises InvalidParameterValueException."""
    if given is None:
        return None, None
    found = []
    for one in (given.OnSuccess, given.OnFailure):
        arn = None if one is None else one.Destination or ""
        if arn and arn.split(":")[2:3][0] not in _TARGETS:
            raise invalid(_NOT_HERE.format(arn=arn[:300]))
        found.append(arn)
    return found[0], found[1]


def _key(found: gate.Opened) -> str:
    return found.named.qualifier or LATEST


def _arn(found: gate.Opened) -> str:
    return f"{found.row.arn}:{_key(found)}"


async def _changed(call: Call, found: gate.Opened, change: Callable[[Retries | None], Retries | None]) -> Any:
    key = _key(found)

    def changed(body: Function) -> Function:
        return msgspec.structs.replace(
            body, retries=changing.with_one(body.retries, key, change(body.retries.get(key)))
        )

    return (await changing.change(call, found.row, changed)).retries.get(key)


def _shown(found: gate.Opened, held: Retries) -> FunctionEventInvokeConfig:
    return _told(_arn(found), held)  # type: ignore[return-value]


def _told(arn: str, held: Retries) -> dict[str, Any]:
    destinations = {
        name: {"Destination": at} for name, at in (("OnSuccess", held.on_success), ("OnFailure", held.on_failure)) if at
    }
    told: dict[str, Any] = {
        "LastModified": held.modified_at,
        "FunctionArn": arn,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}} | destinations,
    }
    if held.attempts is not None:
        told["MaximumRetryAttempts"] = held.attempts
    if held.age_s is not None:
        told["MaximumEventAgeInSeconds"] = held.age_s
    return told
