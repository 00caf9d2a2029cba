"""Tags of alarms and dashboards, by ARN.

Owns the operations. A tag is kept in the body of the row it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.metrics.alarms import alarm
from craton.features.metrics.dashboards import dashboard
from craton.features.metrics.faults import as_faults, invalid
from craton.infra.store.port import Reader, Resource, Transaction
from craton.services.cloudwatch.alarm_request import MOST_TAGS, tags_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import (
        ListTagsForResourceInput,
        ListTagsForResourceOutput,
        TagResourceInput,
        UntagResourceInput,
    )

KINDS = frozenset({alarm.KIND, dashboard.KIND})
_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Tagged(msgspec.Struct):
    """What of a body is read here."""

    tags: dict[str, str] = {}


@operation("cloudwatch", "TagResource")
async def tag_resource(call: Call, req: TagResourceInput) -> None:
    given = tags_of(req.Tags)

    def merge(tags: dict[str, str]) -> dict[str, str]:
        merged = {**tags, **given}
        if len(merged) > MOST_TAGS:
            raise invalid(f"A resource may have {MOST_TAGS} tags at most.")
        return merged

    await amend(call, req.ResourceARN, tag_keys(request_tags=given), merge)


@operation("cloudwatch", "UntagResource")
async def untag_resource(call: Call, req: UntagResourceInput) -> None:
    gone = frozenset(req.TagKeys)
    keys = {"aws:tagkeys": tuple(sorted(gone))}
    await amend(call, req.ResourceARN, keys, lambda tags: {key: tags[key] for key in tags if key not in gone})


@operation("cloudwatch", "ListTagsForResource")
async def list_tags_for_resource(call: Call, req: ListTagsForResourceInput) -> ListTagsForResourceOutput:
    call.authorize("cloudwatch:ListTagsForResource", req.ResourceARN)
    with as_faults():
        tags = await call.app.storage.read(lambda store: found(call, store, req.ResourceARN).read(Tagged).tags)
    shown: list[Any] = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"Tags": shown}


async def amend(
    call: Call, arn: str, keys: Mapping[str, Any], change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    call.authorize(f"cloudwatch:{call.operation.name}", arn, given=keys)

    def work(transaction: Transaction) -> None:
        row = found(call, transaction, arn)
        body = {**_MEMBERS.decode(row.body), "tags": change(row.read(Tagged).tags)}
        transaction.update(msgspec.structs.replace(row, body=msgspec.json.encode(body)))

    with as_faults():
        await call.app.storage.keep(work)


def found(call: Call, store: Reader, arn: str) -> Resource:
    """Raises ResourceNotFoundException."""
    row = store.get(arn)
    if row is None or row.kind not in KINDS or row.account != call.account:
        fields = {"ResourceType": "AWS::CloudWatch", "ResourceId": arn}
        raise Fault("ResourceNotFoundException", f"There is no resource {arn}.", fields=fields, status=404)
    return row
