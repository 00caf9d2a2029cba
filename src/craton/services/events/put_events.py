"""PutEvents: customers' events onto a bus.

Owns what an entry may be; one that is not answers with an error of its own, beside those that are kept. Whatever is answered
with an id is kept for every target of a matching rule before the answer leaves. It must not know rules.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.access.variables import Value
from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.events import bus
from craton.features.events.event import Event
from craton.features.events.rule import bus_arn
from craton.services.events.asked import bus_named
from craton.services.events.faults import as_faults
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.events import PutEventsRequest, PutEventsResponse

MOST_BYTES: Final = 1024 * 1024
TIME_BYTES: Final = 14
"""What a time counts."""
TOO_LARGE = "Total size of the entries in the request is over the limit."
MALFORMED = "Detail is malformed."
NOT_YOURS = "Not authorized for the source."
REQUIRED = "Parameter {name} is not valid. Reason: {name} is a required argument."
_NEEDED: Final = ("Source", "DetailType", "Detail")


class Wrong(Exception):
    """An entry that is not taken, by AWS's code and text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@operation("events", "PutEvents")
async def put_events(call: Call, req: PutEventsRequest) -> PutEventsResponse:
    if req.EndpointId is not None:
        raise validation("Global endpoints are not supported.")
    if sum(size_of(entry) for entry in req.Entries) > MOST_BYTES:
        raise validation(TOO_LARGE)
    now, events, answers = call.now(), [], []
    for entry in req.Entries:
        try:
            event = event_of(call, entry, now)
        except Wrong as wrong:
            answers.append({"ErrorCode": wrong.code, "ErrorMessage": str(wrong)})
            continue
        events.append(event)
        answers.append({"EventId": event.id})
    with as_faults():
        await bus.put(call.app.storage, call.app.cipher, events, now)
    return {"FailedEntryCount": len(answers) - len(events), "Entries": answers}  # type: ignore[typeddict-item]


def event_of(call: Call, entry: Any, now: datetime) -> Event:
    """An entry's event. Raises Wrong; AccessDeniedException where the caller may not put it."""
    try:
        name = bus_named(call, entry.EventBusName)
    except Fault as fault:
        raise Wrong(fault.name, fault.message) from None
    given: dict[str, Value] = {"events:eventbusinvocation": "false"}
    if entry.Source:
        given["events:source"] = entry.Source
    if entry.DetailType:
        given["events:detail-type"] = entry.DetailType
    call.authorize("events:PutEvents", bus_arn(call.account, call.region, name), given=given)
    for member in _NEEDED:
        if not getattr(entry, member):
            raise Wrong("InvalidArgument", REQUIRED.format(name=member))
    if entry.Source.lower().startswith("aws."):
        raise Wrong("NotAuthorizedForSourceException", NOT_YOURS)
    try:
        detail = msgspec.json.decode(entry.Detail, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        raise Wrong("MalformedDetail", MALFORMED) from None
    return Event(
        source=entry.Source, detail_type=entry.DetailType, account=call.account, region=call.region,
        at=(entry.Time or now).astimezone(UTC), detail=detail, resources=tuple(entry.Resources or ()), bus=name,
        trace=entry.TraceHeader or call.header(b"x-amzn-trace-id") or "",
    )  # fmt: skip


def size_of(entry: Any) -> int:
    """How many bytes AWS counts an entry as."""
    texts = (entry.Source, entry.DetailType, entry.Detail, *(entry.Resources or ()))
    return sum(len(text.encode()) for text in texts if text) + (TIME_BYTES if entry.Time is not None else 0)
