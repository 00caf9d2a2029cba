"""Invocations: at once, streamed, later, or only asked whether they might be.

Owns who may invoke what, the limits of payloads, the end of loops, and how an answer is told. The function itself runs in
the functions' host (`features.functions.line`); what comes later is a run (`features.functions.pending`).
"""

from __future__ import annotations

import base64
import random
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.access.keys import NOTHING
from craton.aws.access.variables import Keys
from craton.aws.wire import eventstream
from craton.aws.wire.faults import Fault
from craton.context import Call, EventStream
from craton.features.functions import lineage, pending
from craton.features.functions.choosing import plan_of, version_of
from craton.features.functions.function import LATEST, SERVICE, Alias, Configuration, Plan
from craton.features.functions.line import Invoked
from craton.services.lambda_ import gate
from craton.services.lambda_.faults import as_faults, invalid, no_function
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        InvocationRequest,
        InvocationResponse,
        InvokeAsyncRequest,
        InvokeAsyncResponse,
        InvokeWithResponseStreamRequest,
    )

INVOKE: Final = "lambda:InvokeFunction"
_LOOP: Final = "Recursive invocation detected: the function was invoked {times} times along one chain of requests."
_TOO_LARGE: Final = "Request must be smaller than {most} bytes for the InvokeFunction operation"
_MOST_CONTEXT: Final = 3583
_dice = random.SystemRandom().random


@operation("lambda", "Invoke")
async def invoke(call: Call, req: InvocationRequest) -> InvocationResponse:
    kind = req.InvocationType or "RequestResponse"
    found = await opened(call, req.FunctionName, req.Qualifier)
    context = checked_context(req.ClientContext)
    payload = checked_payload(req.Payload)
    if kind == "DryRun":
        return {"StatusCode": 204}
    trace = traced(call, found)
    if kind == "Event":
        await later(call, found, payload, trace, context)
        return {"StatusCode": 202}
    plan = await planned(call, found)
    done: Invoked = await call.app.functions.invoke(
        plan, payload, request_id=request_id(call), trace=trace, context=context
    )  # fmt: skip
    return answered(done, plan, tail=req.LogType == "Tail")


def answered(done: Invoked, plan: Plan, *, tail: bool) -> InvocationResponse:
    """An answer at once, as the API tells it."""
    told: InvocationResponse = {
        "StatusCode": 200,
        "Payload": done.payload,
        "ExecutedVersion": done.version or plan.configuration.version,
    }
    if done.error:
        told["FunctionError"] = done.error
    if tail:
        told["LogResult"] = base64.b64encode(done.log_tail).decode()
    return told


@operation("lambda", "InvokeAsync")
async def invoke_async(call: Call, req: InvokeAsyncRequest) -> InvokeAsyncResponse:
    """The older form of an Event invocation."""
    found = await opened(call, req.FunctionName, None, action="lambda:InvokeAsync")
    await later(call, found, checked_payload(req.InvokeArgs), traced(call, found), "")
    return {"Status": 202}


@operation("lambda", "InvokeWithResponseStream")
async def invoke_with_response_stream(call: Call, req: InvokeWithResponseStreamRequest) -> EventStream:
    found = await opened(call, req.FunctionName, req.Qualifier)
    context = checked_context(req.ClientContext)
    payload = checked_payload(req.Payload)
    trace = traced(call, found)
    plan = await planned(call, found)
    frames = call.app.functions.stream(plan, payload, request_id=request_id(call), trace=trace, context=context)
    try:
        first = await anext(frames)
    except StopAsyncIteration:
        raise Fault("ServiceException", "The function's answer ended before it began.") from None
    version = first.version if isinstance(first, Invoked) else plan.configuration.version
    value = {
        "StatusCode": 200,
        "ExecutedVersion": version or plan.configuration.version,
        "ResponseStreamContentType": "application/vnd.amazon.eventstream",
    }
    return EventStream(_events(frames, tail=req.LogType == "Tail"), value)


async def _events(frames: AsyncGenerator[bytes | Invoked], *, tail: bool) -> AsyncGenerator[bytes]:
    """The pieces of an answer as events, and how it ended."""
    end: Invoked | None = None
    try:
        async for one in frames:
            if isinstance(one, Invoked):
                end = one
            else:
                yield _event("PayloadChunk", one, "application/octet-stream")
    finally:
        await frames.aclose()
    told: dict[str, Any] = {}
    if end is None:
        told = {"ErrorCode": "ServiceException", "ErrorDetails": "The answer broke off."}
    elif end.error:
        told = {"ErrorCode": end.error, "ErrorDetails": end.payload.decode("utf-8", "replace")[:4096]}
    if end is not None and tail:
        told["LogResult"] = base64.b64encode(end.log_tail).decode()
    yield _event("InvokeComplete", msgspec.json.encode(told), "application/json")


def _event(name: str, payload: bytes, kind: str) -> bytes:
    headers = {":message-type": "event", ":event-type": name, ":content-type": kind}
    return eventstream.encode_message(headers, payload)


# --- what every invocation goes through ---


async def opened(
    call: Call, name: str, qualifier: str | None, *, action: str = INVOKE, given: Keys = NOTHING
) -> gate.Opened:  # fmt: skip
    """The function, for whoever may invoke it. Lambda itself may invoke what was acknowledged to somebody else."""
    caller = call.caller
    if caller.kind == "service" and caller.name == SERVICE and caller.source_arn is not None:
        wanted = gate.named(call, name, qualifier)
        if caller.source_arn in (wanted.arn, wanted.asked):
            with as_faults():
                found = await call.app.storage.read(lambda store: gate.look(store, wanted))
            if found is None:
                raise no_function(wanted.asked)
            return found
    return await gate.opened(call, action, name, qualifier, given=given)


def checked_payload(payload: bytes | None) -> bytes:
    """What the function gets. Raises InvalidRequestContentException for what is not JSON."""
    if not payload:
        return b"{}"
    try:
        msgspec.json.decode(payload, type=msgspec.Raw)
        payload.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = str(error) if isinstance(error, msgspec.DecodeError) else "it is not valid UTF-8 or nested too deeply"
        message = f"Could not parse request body into json: {text}"
        raise Fault("InvalidRequestContentException", message, fields={"Type": "User"}) from None
    return payload


def checked_context(given: str | None) -> str:
    """The client context's JSON. Raises InvalidRequestContentException."""
    if not given:
        return ""
    try:
        plain = base64.b64decode(given, validate=True)
        if len(given) > _MOST_CONTEXT:
            raise invalid(f"The client context is larger than {_MOST_CONTEXT} bytes.")
        msgspec.json.decode(plain)
        return plain.decode()
    except (ValueError, UnicodeDecodeError):
        message = "Client context must be a valid Base64-encoded JSON object."
        raise Fault("InvalidRequestContentException", message, fields={"Type": "User"}) from None


def traced(call: Call, found: gate.Opened) -> str:
    """The trace header for the function. Raises RecursiveInvocationException for a loop that is to end."""
    came_with = call.header(b"x-amzn-trace-id")
    if came_with is not None and call.caller.kind == "service" and call.caller.name == SERVICE:
        return came_with  # an event was counted when it was acknowledged
    trace, number = lineage.counted(came_with, found.row.arn, call.now().timestamp())
    if lineage.is_loop(number, found.function.recursion):
        raise Fault(
            "RecursiveInvocationException", _LOOP.format(times=number - 1), fields={"Type": "User"}, status=400
        )  # fmt: skip
    return trace


async def planned(call: Call, found: gate.Opened) -> Plan:
    """Which version runs, and how. Raises ResourceNotFoundException."""
    configuration = found.configuration
    if found.alias is not None:
        alias = found.alias.read(Alias)
        number = version_of(alias, _dice)
        if number != alias.version:
            with as_faults():
                row = await call.app.storage.read(lambda store: gate.version_row(store, found.named, number))
            if row is not None:
                configuration = row.read(Configuration)
    return plan_of(found.function, found.row.arn, found.named.asked, found.named.qualifier, configuration)


def request_id(call: Call) -> str:
    """An event keeps its id however often it is tried."""
    source = call.caller
    own = call.header(b"x-craton-event-id") if source.kind == "service" else None
    return own or call.request_id


async def later(call: Call, found: gate.Opened, payload: bytes, trace: str, context: str) -> None:
    """Keep an Event invocation; it is acknowledged when it is durable. Raises RequestTooLargeException."""
    if len(payload) > pending.MOST_BYTES:
        message = _TOO_LARGE.format(most=pending.MOST_BYTES)
        raise Fault("RequestTooLargeException", message, fields={"Type": "User"}, status=413)
    named = found.named
    if named.qualifier not in (None, LATEST):
        _ = found.configuration  # it must be there
    event = pending.Event(
        function=named.asked,
        principal=SERVICE,
        source=named.asked,
        account=named.account,
        request_id=call.request_id,
        received_at=call.now(),
        trace=trace,
        context=context,
    )
    with as_faults():
        await pending.put(call.app.storage, call.app.cipher, event, payload, named.region)
