"""Event source mappings: pollers of queues and streams, of which this server has none.

Owns their refusal, and that there are none. What comes by itself (buckets, rules, alarms, log groups) needs no mapping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from craton.aws.arn import parse
from craton.context import Call
from craton.services.lambda_ import gate
from craton.services.lambda_.faults import invalid, missing
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        CreateEventSourceMappingRequest,
        DeleteEventSourceMappingRequest,
        GetEventSourceMappingRequest,
        ListEventSourceMappingsRequest,
        ListEventSourceMappingsResponse,
        UpdateEventSourceMappingRequest,
    )

_NO_SOURCE: Final = (
    "This server has no event source of the service {service}: queues, streams and tables are not part of it. Buckets, "
    "log groups, alarms and rules of EventBridge call functions by themselves, without a mapping."
)


@operation("lambda", "CreateEventSourceMapping", status="refused")
async def create_event_source_mapping(call: Call, req: CreateEventSourceMappingRequest) -> NoReturn:
    named = gate.named(call, req.FunctionName)
    call.authorize("lambda:CreateEventSourceMapping", "*", given={"lambda:functionarn": named.arn})
    where = parse(req.EventSourceArn or "")
    raise invalid(_NO_SOURCE.format(service=where.service if where is not None else "that was named"))


@operation("lambda", "ListEventSourceMappings")
async def list_event_source_mappings(
    call: Call, req: ListEventSourceMappingsRequest
) -> ListEventSourceMappingsResponse:
    """There are none."""
    call.authorize("lambda:ListEventSourceMappings", "*")
    return {"EventSourceMappings": []}


@operation("lambda", "GetEventSourceMapping", status="refused")
async def get_event_source_mapping(call: Call, req: GetEventSourceMappingRequest) -> NoReturn:
    _absent(call, "lambda:GetEventSourceMapping", req)


@operation("lambda", "UpdateEventSourceMapping", status="refused")
async def update_event_source_mapping(call: Call, req: UpdateEventSourceMappingRequest) -> NoReturn:
    _absent(call, "lambda:UpdateEventSourceMapping", req)


@operation("lambda", "DeleteEventSourceMapping", status="refused")
async def delete_event_source_mapping(call: Call, req: DeleteEventSourceMappingRequest) -> NoReturn:
    _absent(call, "lambda:DeleteEventSourceMapping", req)


def _absent(call: Call, action: str, req: Any) -> NoReturn:
    call.authorize(action, f"arn:aws:lambda:{call.region}:{call.account}:event-source-mapping:{req.UUID}")
    raise missing("The resource you requested does not exist.")
