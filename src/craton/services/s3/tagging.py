"""Tags of buckets and objects: S3's rules for them, and the tags of buckets.

Source: S3 user guide, "Categorizing your storage using tags" and "Using cost allocation S3 bucket tags".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.wire.faults import Fault
from craton.aws.wire.payload import Reply
from craton.context import Call
from craton.services.operation import operation
from craton.services.s3 import configured
from craton.services.s3.faults import fault, not_set

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        DeleteBucketTaggingRequest,
        GetBucketTaggingOutput,
        GetBucketTaggingRequest,
        PutBucketTaggingRequest,
    )

MOST_OF_BUCKET: Final = 50
MOST_OF_OBJECT: Final = 10
RESERVED: Final = {
    MOST_OF_BUCKET: "System tags cannot be added/updated by requester",
    MOST_OF_OBJECT: "Your TagKey cannot be prefixed with aws:",
}
_ALLOWED: Final = re.compile(r"[\w\s.:/=+\-@]*")


def checked_tags(pairs: Iterable[Any], most: int = MOST_OF_BUCKET) -> dict[str, str]:
    """The tags of a decoded TagSet. Raises InvalidTag; BadRequest for too many."""
    tags: dict[str, str] = {}
    for pair in pairs:
        key, value = pair.Key, pair.Value
        if key in tags:
            raise _invalid("Cannot provide multiple Tags with the same key", key)
        if not 1 <= len(key) <= 128 or not _ALLOWED.fullmatch(key):
            raise _invalid("The TagKey you have provided is invalid", key)
        if len(value) > 256 or not _ALLOWED.fullmatch(value):
            raise _invalid("The TagValue you have provided is invalid", key)
        if key.lower().startswith("aws:"):
            raise _invalid(RESERVED[most], key)
        tags[key] = value
    if len(tags) > most:
        what = "Bucket" if most == MOST_OF_BUCKET else "Object"
        raise fault("BadRequest", f"{what} tags cannot be greater than {most}")
    return tags


def shown_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as a TagSet."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _invalid(text: str, key: str) -> Fault:
    return fault("InvalidTag", text, TagKey=key)


@operation("s3", "PutBucketTagging")
async def put_bucket_tagging(call: Call, req: PutBucketTaggingRequest) -> Reply:
    found = await configured.read(call, req, "s3:PutBucketTagging")
    tags = checked_tags(req.Tagging.TagSet)
    await configured.amend(call, found.name, lambda bucket: msgspec.structs.replace(bucket, tags=tags))
    return Reply(204, {})


@operation("s3", "GetBucketTagging")
async def get_bucket_tagging(call: Call, req: GetBucketTaggingRequest) -> GetBucketTaggingOutput:
    found = await configured.read(call, req, "s3:GetBucketTagging")
    if not found.bucket.tags:
        raise not_set("NoSuchTagSet", "The TagSet does not exist", found.name)
    return {"TagSet": shown_tags(found.bucket.tags)}  # type: ignore[typeddict-item]


@operation("s3", "DeleteBucketTagging")
async def delete_bucket_tagging(call: Call, req: DeleteBucketTaggingRequest) -> None:
    await configured.changed(call, req, "s3:PutBucketTagging", lambda bucket: msgspec.structs.replace(bucket, tags={}))
