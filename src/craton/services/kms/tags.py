"""Tags of keys: pairs of TagKey and TagValue.

Owns KMS's own limits and errors for tags; a key's are part of its row, where policies find them (aws:ResourceTag).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.request import tag_keys
from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.rows import Key
from craton.infra.store.port import Transaction
from craton.services.kms import asked
from craton.services.kms.asked import NOT_PENDING, Need
from craton.services.kms.faults import limit_exceeded, tag_error
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.kms import (
        ListResourceTagsRequest,
        ListResourceTagsResponse,
        TagResourceRequest,
        UntagResourceRequest,
    )

MAX_TAGS = 50
DEFAULT_PAGE = 50
RESERVED = "Tag keys that begin with aws: are reserved."
TWICE = "Duplicate tag keys"
TOO_MANY = f"A key can have at most {MAX_TAGS} tags."


def checked_tags(pairs: Iterable[Any]) -> dict[str, str]:
    """The tags of a request. Raises TagException, LimitExceededException."""
    tags: dict[str, str] = {}
    for pair in pairs:
        if pair.TagKey.lower().startswith("aws:"):
            raise tag_error(RESERVED)
        if pair.TagKey in tags:
            raise tag_error(TWICE)
        tags[pair.TagKey] = pair.TagValue
    if len(tags) > MAX_TAGS:
        raise limit_exceeded(TOO_MANY)
    return tags


@operation("kms", "TagResource")
async def tag_resource(call: Call, req: TagResourceRequest) -> None:
    tags = checked_tags(req.Tags)

    def work(transaction: Transaction, key: Key) -> None:
        merged = {**key.body.tags, **tags}
        if len(merged) > MAX_TAGS:
            raise limit_exceeded(TOO_MANY)
        transaction.update(rows.changed(key, msgspec.structs.replace(key.body, tags=merged), call.now()))

    given = tag_keys(request_tags=tags)
    need = Need(action="kms:TagResource", states=NOT_PENDING, own=True, changes=True, given=given)
    await asked.change(call, req.KeyId, need, work)


@operation("kms", "UntagResource")
async def untag_resource(call: Call, req: UntagResourceRequest) -> None:
    gone = frozenset(req.TagKeys)

    def work(transaction: Transaction, key: Key) -> None:
        left = {name: value for name, value in key.body.tags.items() if name not in gone}
        transaction.update(rows.changed(key, msgspec.structs.replace(key.body, tags=left), call.now()))

    given = {"aws:tagkeys": tuple(req.TagKeys)}
    need = Need(action="kms:UntagResource", states=NOT_PENDING, own=True, changes=True, given=given)
    await asked.change(call, req.KeyId, need, work)


@operation("kms", "ListResourceTags")
async def list_resource_tags(call: Call, req: ListResourceTagsRequest) -> ListResourceTagsResponse:
    key = await asked.usable(call, req.KeyId, Need(action="kms:ListResourceTags", own=True))
    pairs = sorted(key.body.tags.items())
    after = asked.opened(call, req.Marker, key.arn)
    page, rest = asked.sliced(pairs, req.Limit or DEFAULT_PAGE, after)
    listed = [{"TagKey": name, "TagValue": value} for name, value in page]
    return {"Tags": listed, **asked.paged(call, rest, key.arn)}  # type: ignore[typeddict-item]
