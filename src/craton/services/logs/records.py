"""GetLogRecord and GetLogGroupFields: one event with all its fields, and which fields a group's events have.

Owns what a pointer of a query's result leads to, and the sample that fields are told from. It must not know queries.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from craton.context import Call
from craton.infra.series.port import DAY_MS, Where, moment_of
from craton.services.logs.faults import as_faults, invalid, missing
from craton.services.logs.get_events import read
from craton.services.logs.group import judged, milliseconds, named
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import (
        GetLogGroupFieldsRequest,
        GetLogGroupFieldsResponse,
        GetLogRecordRequest,
        GetLogRecordResponse,
    )

BAD_POINTER = "The specified logRecordPointer is invalid."
NO_RECORD = "The specified log record does not exist."
SAMPLE = 1000
AROUND_MS = 8 * 60_000
RECENT_MS = 15 * 60_000
OF_ALL = ("@ingestionTime", "@log", "@logStream", "@message", "@timestamp")


@operation("logs", "GetLogRecord")
async def get_log_record(call: Call, req: GetLogRecordRequest) -> GetLogRecordResponse:
    from craton.features.logs.insights.record import Record, pointed
    from craton.features.logs.insights.values import plain

    call.authorize_some("logs:GetLogRecord")
    place = pointed(req.logRecordPointer)
    if place is None:
        raise invalid(BAD_POINTER)
    log, stream, ident = place
    account, _, name = log.partition(":")
    if account != call.account:
        raise invalid(BAD_POINTER)
    group = await judged(call, "GetLogRecord", name)
    at_ms = moment_of(ident)
    if at_ms < group.oldest_ms(call.now()):
        raise missing(NO_RECORD)
    where = Where(series=(stream,), start_ms=at_ms, stop_ms=at_ms + 1, beyond=ident - 1)
    with as_faults():
        found = await read(call, group, where, None, 1)
    if not found.entries or found.entries[0].ident != ident:
        raise missing(NO_RECORD)
    entry = found.entries[0]
    record = Record(ident, at_ms, entry.kept_ms, stream, log, entry.data)
    fields = {name: plain(value) for name, value in record.discovered()}
    own = {name: plain(record.get(name)) for name in (*OF_ALL, "@ptr")}
    return {"logRecord": {**fields, **own}}


@operation("logs", "GetLogGroupFields")
async def get_log_group_fields(call: Call, req: GetLogGroupFieldsRequest) -> GetLogGroupFieldsResponse:
    from craton.features.logs.insights.record import Record

    group = await judged(call, "GetLogGroupFields", named(call, req.logGroupName, req.logGroupIdentifier))
    now_ms = milliseconds(call.now())
    if req.time is None:
        start_ms, stop_ms = now_ms - RECENT_MS, now_ms + DAY_MS
    else:
        start_ms, stop_ms = req.time * 1000 - AROUND_MS, req.time * 1000 + AROUND_MS
    start_ms = max(start_ms, group.oldest_ms(call.now()), 0)
    with as_faults():
        where = Where(start_ms=start_ms, stop_ms=max(stop_ms, start_ms), newest_first=True)
        entries = (await read(call, group, where, None, SAMPLE)).entries
    counts: Counter[str] = Counter()
    for entry in entries:
        record = Record(entry.ident, entry.at_ms, entry.kept_ms, entry.series, "", entry.data)
        counts.update({*(name for name, _ in record.discovered()), *OF_ALL})
    fields = [
        {"name": name, "percent": max(1, count * 100 // len(entries))}
        for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return {"logGroupFields": fields}  # type: ignore[typeddict-item]
