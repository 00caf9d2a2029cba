"""Queries over log groups: started, looked at, stopped, listed.

Owns the operations, whose groups a query reads, and how its results and its mistakes are told. The language and the
running are `features.logs.insights`'s. It must not know how events are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.logs.insights.query import ACTIVE, CANCELLED, PURPOSE, SCHEDULED, About, Asked, Source, Task
from craton.services import stored
from craton.services.logs.faults import as_faults, invalid, missing
from craton.services.logs.group import Group, judged, milliseconds, name_in
from craton.services.operation import operation

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.aws.shapes.logs import (
        DescribeQueriesRequest,
        DescribeQueriesResponse,
        GetQueryResultsRequest,
        GetQueryResultsResponse,
        StartQueryRequest,
        StartQueryResponse,
        StopQueryRequest,
        StopQueryResponse,
    )

LANGUAGE = "CWLI"
MOST_GROUPS = 50
MOST_AT_ONCE = 100
DEFAULT_PAGE = 1000
RESULT_PAGE = 10_000
NO_QUERY = "Query with the given id does not exist."
ENDED = "Query is not in a running state."
ONE_WAY = "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given."
BACKWARD = "End time should not be less than start time."
OTHER_LANGUAGE = "Only queries in the language CWLI are supported."
TOO_MANY = f"At most {MOST_AT_ONCE} queries can be under way at once."


@operation("logs", "StartQuery", status="partial")
async def start_query(call: Call, req: StartQueryRequest) -> StartQueryResponse:
    call.authorize_some("logs:StartQuery")
    if req.queryLanguage not in (None, LANGUAGE):
        raise invalid(OTHER_LANGUAGE)
    groups = [await judged(call, "StartQuery", name) for name in names_of(call, req)]
    if req.endTime < req.startTime:
        raise invalid(BACKWARD)
    check(req.queryString)
    now = call.now()
    now_ms = milliseconds(now)
    about = About(req.queryString, tuple(group.name for group in groups), call.caller.arn)
    asked = Asked(str(uuid4()), call.account, call.region, SCHEDULED, now_ms, now_ms, about)
    sources = tuple(Source(group.space, group.name, group.oldest_ms(now)) for group in groups)
    task = Task(asked, sources, in_ms(req.startTime), in_ms(req.endTime, last=True), req.limit)
    await put_down(call, asked)
    call.app.queries.start(task)
    return {"queryId": asked.id}


def names_of(call: Call, req: StartQueryRequest) -> list[str]:
    """The groups that are asked for. Raises InvalidParameterException, ResourceNotFoundException."""
    ways = [req.logGroupName and [req.logGroupName], req.logGroupNames, req.logGroupIdentifiers]
    given = [way for way in ways if way]
    if len(given) != 1:
        raise invalid(ONE_WAY)
    names = list(dict.fromkeys(name_in(call, one, "logGroupIdentifiers") for one in given[0]))
    if len(names) > MOST_GROUPS:
        raise invalid(f"At most {MOST_GROUPS} log groups can be queried at once.")
    return names


def in_ms(given: int, *, last: bool = False) -> int:
    """A time of a request, in seconds, or in ms where it is too large to be that; the whole last second counts."""
    if given >= 100_000_000_000:
        return given + 1 if last else given
    return (given + 1) * 1000 if last else given * 1000


def check(query: str) -> None:
    """Raises MalformedQueryException, which names the place."""
    from craton.features.logs.insights.pipeline import Running  # only servers that are asked need it
    from craton.features.logs.insights.scanner import BadQuery

    try:
        Running(query)
    except BadQuery as error:
        location = {"startCharOffset": error.start, "endCharOffset": error.end}
        fields = {"queryCompileError": {"location": location, "message": str(error)}}
        raise Fault("MalformedQueryException", f"{error} at [{error.start}:{error.end}]", fields=fields) from None


async def put_down(call: Call, asked: Asked) -> None:
    from craton.features.logs.insights import rows

    with as_faults():
        try:
            await call.app.storage.keep(lambda tx: tx.run(lambda connection: rows.add(connection, asked, MOST_AT_ONCE)))
        except rows.TooMany:
            raise Fault("LimitExceededException", TOO_MANY) from None


@operation("logs", "GetQueryResults")
async def get_query_results(call: Call, req: GetQueryResultsRequest) -> GetQueryResultsResponse:
    asked = await found(call, req.queryId)
    await allowed(call, "GetQueryResults", asked)
    rows = await results(call, asked)
    shape = stored.listing(call, asked.id)
    with as_faults():
        after = call.app.storage.pages.open(shape, req.nextToken)
    start = 0 if after is None else int(after[0])
    stop = start + (RESULT_PAGE if req.maxItems is None else max(1, req.maxItems))
    token = stored.issued(call, shape, (str(stop), "")) if stop < len(rows) else None
    about = asked.about
    statistics = {
        "recordsMatched": float(about.matched),
        "recordsScanned": float(about.scanned),
        "estimatedRecordsSkipped": float(about.skipped),
        "bytesScanned": float(about.scanned_bytes),
        "estimatedBytesSkipped": 0.0,
        "logGroupsScanned": float(len(about.groups)),
        "resultCount": float(len(rows)),
    }
    page = [[{"field": name, "value": value} for name, value in row] for row in rows[start:stop]]
    more = {"nextToken": token} if token else {}
    return {"queryLanguage": LANGUAGE, "results": page, "statistics": statistics, "status": asked.status, **more}  # type: ignore[typeddict-item]


async def results(call: Call, asked: Asked) -> list[list[tuple[str, str]]]:
    """The rows of a query; none while it runs."""
    from craton.features.logs.insights import rows

    if asked.status in ACTIVE:
        return []
    with as_faults():
        sealed = await call.app.storage.read(
            lambda store: store.run(lambda connection: rows.result(connection, asked.id))
        )
        if not sealed:
            return []
        plain = await call.app.cipher.open(asked.account, PURPOSE, sealed, {"query": asked.id})
    return msgspec.msgpack.decode(plain, type=list[list[tuple[str, str]]])


@operation("logs", "StopQuery")
async def stop_query(call: Call, req: StopQueryRequest) -> StopQueryResponse:
    from craton.features.logs.insights import rows

    asked = await found(call, req.queryId)
    await allowed(call, "StopQuery", asked)
    now_ms = milliseconds(call.now())
    with as_faults():
        done = await call.app.storage.keep(
            lambda tx: tx.run(lambda connection: rows.end(connection, asked.id, CANCELLED, now_ms))
        )
    if not done:
        raise invalid(ENDED)
    return {"success": True}


@operation("logs", "DescribeQueries")
async def describe_queries(call: Call, req: DescribeQueriesRequest) -> DescribeQueriesResponse:
    from craton.features.logs.insights import rows

    call.authorize("logs:DescribeQueries", "*")
    shape = stored.listing(call, req.logGroupName, req.status, req.queryLanguage)
    most, now_ms = req.maxResults or DEFAULT_PAGE, milliseconds(call.now())
    with as_faults():
        after = call.app.storage.pages.open(shape, req.nextToken)

        def work(connection: Connection) -> list[Asked]:
            place = None if after is None else (int(after[0]), after[1])
            wanted: list[Asked] = []
            while True:
                some = rows.listed(connection, call.account, call.region, now_ms, DEFAULT_PAGE, place)
                wanted += [one for one in some if is_wanted(one, req)]
                if len(wanted) > most or len(some) < DEFAULT_PAGE:
                    return wanted[: most + 1]
                place = (some[-1].asked_ms, some[-1].id)

        asked = await call.app.storage.read(lambda store: store.run(work))
    last = asked[most - 1] if len(asked) > most else None
    token = stored.issued(call, shape, None if last is None else (str(last.asked_ms), last.id))
    queries = [shown(one) for one in asked[:most]]
    return {"queries": queries, **({"nextToken": token} if token else {})}  # type: ignore[typeddict-item]


def is_wanted(asked: Asked, req: DescribeQueriesRequest) -> bool:
    return (
        req.queryLanguage in (None, LANGUAGE)
        and req.status in (None, asked.status)
        and (req.logGroupName is None or req.logGroupName in asked.about.groups)
    )


def shown(asked: Asked) -> dict[str, Any]:
    return {
        "queryLanguage": LANGUAGE,
        "queryId": asked.id,
        "queryString": asked.about.query,
        "status": asked.status,
        "createTime": asked.asked_ms,
        "logGroupName": asked.about.groups[0],
        "queryDuration": asked.about.took_ms,
        "bytesScanned": float(asked.about.scanned_bytes),
        "userIdentity": asked.about.identity,
    }


async def found(call: Call, ident: str) -> Asked:
    """A query of the caller's account. Raises ResourceNotFoundException."""
    from craton.features.logs.insights import rows

    now_ms = milliseconds(call.now())
    with as_faults():
        asked = await call.app.storage.read(
            lambda store: store.run(lambda connection: rows.get(connection, call.account, call.region, ident, now_ms))
        )
    if asked is None:
        call.authorize_some(f"logs:{call.operation.name}")
        raise missing(NO_QUERY)
    return asked


async def allowed(call: Call, action: str, asked: Asked) -> Sequence[Group]:
    """The groups of a query, for a caller who may do this with each. Raises AccessDeniedException."""
    groups = []
    for name in asked.about.groups:
        try:
            groups.append(await judged(call, action, name))
        except Fault as fault:  # results outlive their groups
            if fault.name != "ResourceNotFoundException":
                raise
    return groups
