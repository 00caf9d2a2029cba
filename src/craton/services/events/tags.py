"""Tags of rules and buses, by ARN.

Owns the operations. It must not know anything else of either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Value
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.events.rule import BUS, RULE
from craton.infra.store.port import Resource, Transaction
from craton.services.events.asked import MOST_TAGS, tags_of
from craton.services.events.faults import as_faults, bad, too_many
from craton.services.operation import operation
from craton.services.stored import belongs

if TYPE_CHECKING:
    from craton.aws.shapes.events import (
        ListTagsForResourceRequest,
        ListTagsForResourceResponse,
        TagResourceRequest,
        UntagResourceRequest,
    )

Tags = dict[str, str]
_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Tagged(msgspec.Struct):
    """What of a body is read here."""

    tags: Tags = {}


@operation("events", "TagResource")
async def tag_resource(call: Call, req: TagResourceRequest) -> None:
    given = tags_of(req.Tags)
    row = await judged(call, "TagResource", req.ResourceARN, tag_keys(request_tags=given))

    def merge(tags: Tags) -> Tags:
        merged = {**tags, **given}
        if len(merged) > MOST_TAGS:
            raise too_many()
        return merged

    await change(call, row.arn, merge)


@operation("events", "UntagResource")
async def untag_resource(call: Call, req: UntagResourceRequest) -> None:
    gone = frozenset(req.TagKeys)
    row = await judged(call, "UntagResource", req.ResourceARN, {"aws:tagkeys": tuple(sorted(gone))})
    await change(call, row.arn, lambda tags: {key: tag for key, tag in tags.items() if key not in gone})


@operation("events", "ListTagsForResource")
async def list_tags_for_resource(call: Call, req: ListTagsForResourceRequest) -> ListTagsForResourceResponse:
    row = await judged(call, "ListTagsForResource", req.ResourceARN, {})
    return {"Tags": [{"Key": key, "Value": value} for key, value in row.read(Tagged).tags.items()]}


async def judged(call: Call, action: str, arn: str, given: Mapping[str, Value]) -> Resource:
    """The row of a rule or bus. Raises AccessDeniedException, ResourceNotFoundException."""
    if ":events:" not in arn:
        raise bad("ResourceARN", "Provided Arn is not in correct format.")
    with as_faults():
        row = await call.app.storage.read(lambda store: store.get(arn))
    mine = row is not None and row.kind in (RULE, BUS) and belongs(call, row)
    tags = row.read(Tagged).tags if row is not None and mine else {}
    call.authorize(f"events:{action}", arn, given={**tag_keys(resource_tags=tags), **given})
    if row is None or not mine:
        raise missing(arn)
    return row


def missing(arn: str) -> Fault:
    what, _, name = arn.split(":", 5)[-1].partition("/")
    if what == "rule":
        bus, _, rule = name.rpartition("/")
        return Fault("ResourceNotFoundException", f"Rule {rule} does not exist on EventBus {bus or 'default'}.")
    return Fault("ResourceNotFoundException", f"Event bus {name} does not exist.")


async def change(call: Call, arn: str, amend: Callable[[Tags], Tags]) -> None:
    """Change the tags of a row in one transaction; the other members of its body stay as they are."""

    def work(transaction: Transaction) -> None:
        row = transaction.get(arn)
        if row is None:
            raise missing(arn)
        tags = msgspec.Raw(msgspec.json.encode(amend(row.read(Tagged).tags)))
        body = msgspec.json.encode({**_MEMBERS.decode(row.body), "tags": tags})
        transaction.update(msgspec.structs.replace(row, body=body))

    with as_faults():
        await call.app.storage.keep(work)
