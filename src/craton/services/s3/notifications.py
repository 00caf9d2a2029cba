"""Event notifications of a bucket: their configuration, and the one point where a change of an object is announced.

Functions get what is announced (`deliveries`). Queues and topics are kept as they are given, but nothing behind this
server takes their events: the configuration's operation is `partial` for that.
Source: S3 API reference, "PutBucketNotificationConfiguration".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.arn import parse
from craton.context import Call
from craton.features.objects.notifications import LISTS, Target, affixes, overlap, targets
from craton.infra.store.ids import lower_id
from craton.services.operation import operation
from craton.services.s3 import configured
from craton.services.s3.deliveries import refusal_of_function, to_function
from craton.services.s3.faults import fault, invalid_argument
from craton.services.s3.gate import Opened

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        GetBucketNotificationConfigurationRequest,
        NotificationConfigurationDict,
        PutBucketNotificationConfigurationRequest,
    )

_SERVICES: Final = {"LambdaFunctionArn": "lambda", "QueueArn": "sqs", "TopicArn": "sns"}
AMBIGUOUS = (
    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
    "overlapping for the same event type."
)
BAD_ARN = "The ARN is not well formed"
BAD_REGION = "The notification destination service region is not valid for the bucket location constraint"
BAD_EVENT = "The event '{event}' is not supported for notifications. Supported events are as follows: [{events}]"
BAD_FILTER = "filter rule name must be either prefix or suffix"
TWICE = "Cannot specify more than one {name} rule in a filter."
NOT_REACHED = "Unable to validate the following destination configurations"
SAME_ID = "Same ID used for multiple configurations. IDs must be unique"


class Event(msgspec.Struct, frozen=True):
    """What happened to an object, e.g. `s3:ObjectCreated:Put`; `etag` without quotes, empty for what was removed."""

    name: str
    key: str
    size: int = 0
    etag: str = ""
    version_id: str | None = None


Deliver = Callable[[Call, Opened, Event, Target], Awaitable[None]]
# By the service in a destination's ARN: who takes its events to it.
DELIVERIES: Final[Mapping[str, Deliver]] = {"lambda": to_function}


async def announce(call: Call, found: Opened, event: Event) -> None:
    """Tell whoever the bucket's configuration says should hear of an event, as far as they can be reached."""
    if found.bucket.notification is None:
        return
    for target in targets(found.bucket.notification, event.name, event.key):
        deliver = DELIVERIES.get(target.arn.split(":", 3)[2])
        if deliver is not None:
            await deliver(call, found, event, target)


def checked_configuration(asked: Any, region: str, events: Sequence[str]) -> dict[str, Any]:
    """A decoded configuration of a bucket of the region as it is kept, each rule with an Id.

    `events` are the types of events that there are. Raises InvalidArgument.
    """
    kept: dict[str, Any] = configured.document(asked)
    rules = []
    for name, member in LISTS.items():
        for rule in kept.get(name) or ():
            where = parse(rule[member])
            if where is None or where.service != _SERVICES[member]:
                raise invalid_argument(BAD_ARN, name, rule[member])
            if where.region != region:
                raise invalid_argument(BAD_REGION)
            _check_events(rule, events)
            _check_filter(rule)
            rule.setdefault("Id", lower_id())
            rules.append(rule)
    if len({rule["Id"] for rule in rules}) != len(rules):
        raise invalid_argument(SAME_ID)
    if any(overlap(one, other) for one, other in combinations(rules, 2)):
        raise invalid_argument(AMBIGUOUS)
    return kept


def _check_events(rule: dict[str, Any], events: Sequence[str]) -> None:
    for event in rule["Events"]:
        if event not in events:
            shown = ", ".join(map(repr, sorted(events)))
            raise invalid_argument(BAD_EVENT.format(event=event, events=shown), "Event", event)


def _check_filter(rule: dict[str, Any]) -> None:
    written = ((rule.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
    names = [one.get("Name", "").lower() for one in written]
    for name in names:
        if name not in ("prefix", "suffix"):
            raise invalid_argument(BAD_FILTER, "Name", name)
        if names.count(name) > 1:
            raise invalid_argument(TWICE.format(name=name))
    if any(len(value.encode()) > 1024 for value in affixes(rule)):
        raise invalid_argument("Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation")


async def check_destinations(call: Call, found: Opened, kept: Mapping[str, Any] | None) -> None:
    """Raise InvalidArgument, naming them, unless every function that is named lets S3 in for this bucket."""
    refused: dict[str, str] = {}
    for rule in (kept or {}).get("LambdaFunctionConfigurations") or ():
        arn = rule["LambdaFunctionArn"]
        if why := await refusal_of_function(call, found, arn):
            number = len(refused) // 2 + 1
            refused |= {f"ArgumentName{number}": f"{arn}, null", f"ArgumentValue{number}": why}
    if refused:
        raise fault("InvalidArgument", NOT_REACHED, **refused)


@operation("s3", "PutBucketNotificationConfiguration", status="partial")
async def put_bucket_notification_configuration(call: Call, req: PutBucketNotificationConfigurationRequest) -> None:
    found = await configured.read(call, req, "s3:PutBucketNotification")
    events = call.operation.model.shapes["Event"].enum
    kept = checked_configuration(req.NotificationConfiguration, found.region, events) or None
    if not req.SkipDestinationValidation:
        await check_destinations(call, found, kept)
    await configured.amend(call, found.name, lambda bucket: msgspec.structs.replace(bucket, notification=kept))


@operation("s3", "GetBucketNotificationConfiguration")
async def get_bucket_notification_configuration(
    call: Call, req: GetBucketNotificationConfigurationRequest
) -> NotificationConfigurationDict:
    found = await configured.read(call, req, "s3:GetBucketNotification")
    return found.bucket.notification or {}  # type: ignore[return-value]
