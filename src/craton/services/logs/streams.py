"""Log streams: made, listed by name or by their last event, deleted.

Owns the operations. A stream is a series of its group's space; it must not know how series are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.infra.series.port import Series
from craton.services import stored
from craton.services.logs.faults import as_faults, broken, invalid
from craton.services.logs.group import Group, judged, milliseconds, named, stream_arn
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import (
        CreateLogStreamRequest,
        DeleteLogStreamRequest,
        DescribeLogStreamsRequest,
        DescribeLogStreamsResponse,
    )

DEFAULT_PAGE = 50
BY_TIME = "LastEventTime"
NO_PREFIX = "Cannot order by LastEventTime with a logStreamNamePrefix."


@operation("logs", "CreateLogStream")
async def create_log_stream(call: Call, req: CreateLogStreamRequest) -> None:
    name = req.logStreamName
    group = await judged(call, "CreateLogStream", req.logGroupName, stream=name)
    if "\0" in name:
        raise broken(name, "logStreamName", "Member must satisfy regular expression pattern: [^:*]*")
    with as_faults():
        await call.app.series.create(group.space, name, milliseconds(call.now()))


@operation("logs", "DeleteLogStream")
async def delete_log_stream(call: Call, req: DeleteLogStreamRequest) -> None:
    group = await judged(call, "DeleteLogStream", req.logGroupName, stream=req.logStreamName)
    with as_faults():
        await call.app.series.delete(group.space, req.logStreamName)


@operation("logs", "DescribeLogStreams")
async def describe_log_streams(call: Call, req: DescribeLogStreamsRequest) -> DescribeLogStreamsResponse:
    group = await judged(call, "DescribeLogStreams", named(call, req.logGroupName, req.logGroupIdentifier))
    by_time, prefix = req.orderBy == BY_TIME, req.logStreamNamePrefix or ""
    if by_time and prefix:
        raise invalid(NO_PREFIX)
    shape = stored.listing(call, group.body.space, prefix, req.orderBy, req.descending)
    with as_faults():
        after = call.app.storage.pages.open(shape, req.nextToken)
        page = await call.app.series.listed(
            group.space, prefix=prefix, by_time=by_time, descending=bool(req.descending),
            limit=req.limit or DEFAULT_PAGE, after=None if after is None else (int(after[0]), after[1]),
        )  # fmt: skip
    streams = [shown(call, group, one) for one in page.items]
    token = stored.issued(call, shape, page.after)
    return {"logStreams": streams, **({"nextToken": token} if token else {})}  # type: ignore[typeddict-item]


def shown(call: Call, group: Group, stream: Series) -> dict[str, Any]:
    """The stream as the API has it. Its size is always 0 there; the group's is the one that is kept."""
    times = {
        "firstEventTimestamp": stream.first_ms,
        "lastEventTimestamp": stream.last_ms,
        "lastIngestionTime": stream.kept_ms,
    }
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": stream_arn(call, group.name, stream.name),
        "storedBytes": 0,
        "uploadSequenceToken": sequence_token(stream.kept_ms or stream.created_ms),
        **{name: moment for name, moment in times.items() if moment is not None},
    }


def sequence_token(number: int) -> str:
    """What clients of old hand back with the next events, and what nobody looks at any more."""
    return f"{number:056d}"
