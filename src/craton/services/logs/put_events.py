"""PutLogEvents: a batch of events into a stream.

Owns what a batch may be, and which of its events are too old or too new and left out, as the answer then says. It must
not know how events are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from craton.context import Call
from craton.features.logs.due import EMBEDS, Watched, noting
from craton.infra.series.port import DAY_MS, Point
from craton.services.logs.faults import NO_STREAM, as_faults, invalid, missing
from craton.services.logs.group import judged, milliseconds
from craton.services.logs.streams import sequence_token
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import PutLogEventsRequest, PutLogEventsResponse

MOST_BYTES = 1_048_576
EVENT_BYTES = 26
"""What each event counts beside its text."""
TOO_NEW_MS = 2 * 3600 * 1000
TOO_OLD_MS = 14 * DAY_MS
DISORDERLY = "Log events in a single PutLogEvents request must be in chronological order."
TOO_LONG = "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
TOO_LARGE = "Upload too large: {size} bytes exceeds limit of 1048576"


class Batch(msgspec.Struct):
    """What is kept of a request, and where what is not begins or ends."""

    points: list[Point]
    rejected: dict[str, int]


@operation("logs", "PutLogEvents")
async def put_log_events(call: Call, req: PutLogEventsRequest) -> PutLogEventsResponse:
    group = await judged(call, "PutLogEvents", req.logGroupName, stream=req.logStreamName)
    now = call.now()
    now_ms = milliseconds(now)
    batch = accepted(req.logEvents, now_ms, group.oldest_ms(now))
    with as_faults():
        if batch.points:
            size_bytes = sum(len(point.data) for point in batch.points) + EVENT_BYTES * len(batch.points)
            embedded = any(EMBEDS in point.data for point in batch.points)
            also = noting(group.row.arn, group.row.read(Watched), req.logStreamName, now, embedded=embedded)
            await call.app.series.append(group.space, req.logStreamName, batch.points, size_bytes, now_ms, also)
        elif await call.app.series.get(group.space, req.logStreamName) is None:
            raise missing(NO_STREAM)
    rejected = {"rejectedLogEventsInfo": batch.rejected} if batch.rejected else {}
    return {"nextSequenceToken": sequence_token(now_ms), **rejected}  # type: ignore[typeddict-item]


def accepted(events: Sequence[Any], now_ms: int, oldest_ms: int) -> Batch:
    """The points of a request's events. Raises InvalidParameterException.

    Events are in order of time, so those that are left out stand at the beginning (too old) and at the end (too new).
    """
    points = [Point(event.timestamp, event.message.encode()) for event in events]
    size_bytes = sum(len(point.data) for point in points) + EVENT_BYTES * len(points)
    if size_bytes > MOST_BYTES:
        raise invalid(TOO_LARGE.format(size=size_bytes))
    moments = [point.at_ms for point in points]
    if any(later < earlier for earlier, later in pairwise(moments)):
        raise invalid(DISORDERLY)
    too_old = sum(moment < now_ms - TOO_OLD_MS for moment in moments)
    expired = sum(moment < oldest_ms for moment in moments)
    too_new = sum(moment > now_ms + TOO_NEW_MS for moment in moments)
    rejected = {}
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    if too_new:
        rejected["tooNewLogEventStartIndex"] = len(points) - too_new
    kept = points[max(too_old, expired) : len(points) - too_new]
    if kept and kept[-1].at_ms - kept[0].at_ms > DAY_MS:
        raise invalid(TOO_LONG)
    return Batch(kept, rejected)
