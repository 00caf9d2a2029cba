"""Tags of log groups, by ARN and, as before there were ARNs here, by name.

Owns the operations and the rules of tags. It must not know anything else of groups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.store.port import Resource
from craton.services.logs.faults import NO_GROUP, as_faults, invalid, missing
from craton.services.logs.group import GroupBody, allow, change, group_arn, group_of, name_in
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.logs import (
        ListTagsForResourceRequest,
        ListTagsForResourceResponse,
        ListTagsLogGroupRequest,
        ListTagsLogGroupResponse,
        TagLogGroupRequest,
        TagResourceRequest,
        UntagLogGroupRequest,
        UntagResourceRequest,
    )

MAX_TAGS = 50
RESERVED = "Tag keys that begin with aws: are reserved."
TOO_MANY = f"The number of tags exceeds the limit of {MAX_TAGS} tags for each resource."


def checked(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of a request. Raises InvalidParameterException."""
    if any(key.lower().startswith("aws:") for key in tags):
        raise invalid(RESERVED)
    return dict(tags)


@operation("logs", "TagResource")
async def tag_resource(call: Call, req: TagResourceRequest) -> None:
    await add(call, "TagResource", name_in(call, req.resourceArn, "resourceArn"), req.tags)


@operation("logs", "TagLogGroup")
async def tag_log_group(call: Call, req: TagLogGroupRequest) -> None:
    await add(call, "TagLogGroup", req.logGroupName, req.tags)


@operation("logs", "UntagResource")
async def untag_resource(call: Call, req: UntagResourceRequest) -> None:
    await remove(call, "UntagResource", name_in(call, req.resourceArn, "resourceArn"), req.tagKeys)


@operation("logs", "UntagLogGroup")
async def untag_log_group(call: Call, req: UntagLogGroupRequest) -> None:
    await remove(call, "UntagLogGroup", req.logGroupName, req.tags)


@operation("logs", "ListTagsForResource")
async def list_tags_for_resource(call: Call, req: ListTagsForResourceRequest) -> ListTagsForResourceResponse:
    return {"tags": await read(call, "ListTagsForResource", name_in(call, req.resourceArn, "resourceArn"))}


@operation("logs", "ListTagsLogGroup")
async def list_tags_log_group(call: Call, req: ListTagsLogGroupRequest) -> ListTagsLogGroupResponse:
    return {"tags": await read(call, "ListTagsLogGroup", req.logGroupName)}


async def add(call: Call, action: str, name: str, tags: Mapping[str, str]) -> None:
    given = checked(tags)
    await judged_tags(call, action, name, tag_keys(request_tags=given))

    def merge(body: GroupBody) -> GroupBody:
        merged = {**body.tags, **given}
        if len(merged) > MAX_TAGS:
            modelled = "TooManyTagsException" in call.operation.errors
            raise Fault("TooManyTagsException", TOO_MANY) if modelled else invalid(TOO_MANY)
        return msgspec.structs.replace(body, tags=merged)

    await change(call, name, merge)


async def remove(call: Call, action: str, name: str, keys: Collection[str]) -> None:
    await judged_tags(call, action, name, {"aws:tagkeys": tuple(keys)})
    gone = frozenset(keys)

    def lessen(body: GroupBody) -> GroupBody:
        return msgspec.structs.replace(body, tags={key: tag for key, tag in body.tags.items() if key not in gone})

    await change(call, name, lessen)


async def read(call: Call, action: str, name: str) -> dict[str, str]:
    return (await judged_tags(call, action, name, {})).read(GroupBody).tags


async def judged_tags(call: Call, action: str, name: str, given: Mapping[str, str | tuple[str, ...]]) -> Resource:
    """The group's row; for tags the resource is its ARN without `:*`. Raises AccessDeniedException and as `judged`."""
    arn = group_arn(call, name)
    with as_faults():
        row = await call.app.storage.read(lambda store: store.get(arn))
    allow(call, action, arn, None if row is None else group_of(row), given)
    if row is None:
        raise missing(NO_GROUP)
    return row
