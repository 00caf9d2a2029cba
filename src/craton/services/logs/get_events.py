"""GetLogEvents and FilterLogEvents: the events of a stream back and forth, and those of a group that match a pattern.

Owns the tokens of pages. GetLogEvents's name a place in the stream and a direction, and stay the same at the ends, so
that a reader who goes on asking gets what is new; FilterLogEvents's belong to one search. It must not know how patterns
are read or events kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.features.logs.patterns.sieve import sieve_of
from craton.features.logs.patterns.text import BadPattern
from craton.infra.series.port import Entry, Found, Sieve, Where
from craton.services import stored
from craton.services.logs.faults import BAD_TOKEN, NO_STREAM, as_faults, invalid, missing
from craton.services.logs.group import Group, judged, named
from craton.services.logs.put_events import EVENT_BYTES, MOST_BYTES
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import (
        FilterLogEventsRequest,
        FilterLogEventsResponse,
        GetLogEventsRequest,
        GetLogEventsResponse,
    )

DEFAULT_PAGE = 10_000
_LAST_MS = 1 << 62
_FORWARD, _BACKWARD = "f", "b"
_TOKEN = re.compile(r"([fb])/([0-9]{1,56})(?:/s)?")
ONE_CHOICE = "Specify either logStreamNames or logStreamNamePrefix, not both."
RECENT_MS = 1_704_067_200_000
"""2024-01-01T00:00:00Z: from when on a search may begin at its end."""
TOO_FAR_BACK = "startFromHead can be false only if startTime is on or after January 1, 2024 00:00:00 UTC."


@operation("logs", "GetLogEvents")
async def get_log_events(call: Call, req: GetLogEventsRequest) -> GetLogEventsResponse:
    name = named(call, req.logGroupName, req.logGroupIdentifier)
    group = await judged(call, "GetLogEvents", name, stream=req.logStreamName)
    way, place = token_of(req.nextToken, bool(req.startFromHead))
    where = Where(
        series=(req.logStreamName,),
        start_ms=max(req.startTime or 0, group.oldest_ms(call.now())),
        stop_ms=_LAST_MS if req.endTime is None else req.endTime,
        beyond=place,
        newest_first=way == _BACKWARD,
    )
    with as_faults():
        if await call.app.series.get(group.space, req.logStreamName) is None:
            raise missing(NO_STREAM)
        found = await read(call, group, where, None, req.limit)
    forward, backward = tokens(found, where)
    entries = found.entries[::-1] if where.newest_first else found.entries
    events = [
        {"timestamp": entry.at_ms, "message": entry.data.decode(), "ingestionTime": entry.kept_ms} for entry in entries
    ]
    return {"events": events, "nextForwardToken": forward, "nextBackwardToken": backward}  # type: ignore[typeddict-item]


def token_of(token: str | None, from_head: bool) -> tuple[str, int | None]:  # noqa: FBT001 - the request's own flag
    """The direction and the place that a token names. Raises InvalidParameterException."""
    if token is None:
        return _FORWARD if from_head else _BACKWARD, None
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise invalid(BAD_TOKEN)
    return found[1], int(found[2])


def tokens(found: Found, where: Where) -> tuple[str, str]:
    """Where to go on in both directions: behind the newest event of the page, and before its oldest.

    A page without events leaves the reader where it was; the way back from there leads to all that came before it.
    """
    idents = [entry.ident for entry in found.entries]
    if where.newest_first:
        idents.reverse()
    reached = found.reached if found.reached is not None else where.beyond
    if idents:
        newest, oldest = idents[-1], idents[0]
        if found.reached is not None:  # a page that ended early may have passed by more than it holds
            newest, oldest = (newest, found.reached) if where.newest_first else (found.reached, oldest)
    elif reached is None:
        newest = oldest = 0
    else:
        newest, oldest = (reached - 1, reached) if where.newest_first else (reached, reached + 1)
    return f"{_FORWARD}/{max(newest, 0):056d}/s", f"{_BACKWARD}/{oldest:056d}/s"


@operation("logs", "FilterLogEvents")
async def filter_log_events(call: Call, req: FilterLogEventsRequest) -> FilterLogEventsResponse:
    group = await judged(call, "FilterLogEvents", named(call, req.logGroupName, req.logGroupIdentifier))
    names, prefix = req.logStreamNames, req.logStreamNamePrefix
    if names is not None and prefix is not None:
        raise invalid(ONE_CHOICE)
    sieve = read_pattern(req.filterPattern or "")
    shape = stored.listing(
        call, group.body.space, names, prefix, req.startTime, req.endTime, req.filterPattern, req.startFromHead
    )
    newest_first = req.startFromHead is False
    if newest_first and (req.startTime is None or req.startTime < RECENT_MS):
        raise invalid(TOO_FAR_BACK)
    with as_faults():
        after = call.app.storage.pages.open(shape, req.nextToken)
        for name in names or ():
            if await call.app.series.get(group.space, name) is None:
                raise missing(NO_STREAM)
        where = Where(
            series=None if names is None else tuple(names),
            prefix=prefix or "",
            start_ms=max(req.startTime or 0, group.oldest_ms(call.now())),
            stop_ms=_LAST_MS if req.endTime is None else req.endTime + 1,
            beyond=None if after is None else int(after[0]),
            newest_first=newest_first,
        )
        found = await read(call, group, where, sieve, req.limit)
    token = stored.issued(call, shape, None if found.reached is None else (str(found.reached), ""))
    events = [filtered(entry) for entry in found.entries]
    return {"events": events, "searchedLogStreams": [], **({"nextToken": token} if token else {})}  # type: ignore[typeddict-item]


def read_pattern(pattern: str) -> Sieve | None:
    """Raises InvalidParameterException."""
    try:
        return sieve_of(pattern)
    except BadPattern as error:
        raise invalid(str(error)) from None


async def read(call: Call, group: Group, where: Where, sieve: Sieve | None, limit: int | None) -> Found:
    return await call.app.series.scan(
        group.space, where, sieve, limit=limit or DEFAULT_PAGE, most_bytes=MOST_BYTES, overhead_bytes=EVENT_BYTES
    )


def filtered(entry: Entry) -> dict[str, Any]:
    return {
        "logStreamName": entry.series,
        "timestamp": entry.at_ms,
        "message": entry.data.decode(),
        "ingestionTime": entry.kept_ms,
        "eventId": f"{entry.ident:056d}",
    }
