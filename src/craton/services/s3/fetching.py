"""An object as a part of another request: read whole, with the rights of whoever sent that request.

Owns the way from `s3://bucket/key` to bytes within this server, judged as GetObject is. It must not know what the bytes
are for. Callers turn S3's errors into their own.
"""

from __future__ import annotations

from typing import Any

from craton.aws.wire.s3_faults import fault
from craton.context import Call
from craton.services.s3 import contents, sealing, versions
from craton.services.s3.condition_keys import of_connection

TOO_LARGE = "The object has {size} bytes; {most} are the most."
SCHEME = "s3://"


class _Asked:
    """A GetObject that says nothing but which object."""

    def __init__(self, bucket: str, key: str, owner: str | None) -> None:
        self.Bucket, self.Key, self.ExpectedBucketOwner = bucket, key, owner

    def __getattr__(self, name: str) -> Any:
        return None


async def fetched(call: Call, uri: str, owner: str | None, most_bytes: int) -> bytes:
    """The object at an S3 URI. Raises Fault by S3's names; EntityTooLarge over `most_bytes`."""
    bucket_name, _, key = uri.removeprefix(SCHEME).partition("/")
    asked = _Asked(bucket_name, key, owner)
    bucket, version = await versions.found(call, asked, "s3:GetObject", given=of_connection(call))
    if version.size > most_bytes:
        raise fault("EntityTooLarge", TOO_LARGE.format(size=version.size, most=most_bytes))
    way = await sealing.for_read(call, bucket, key, version.detail.sealing, asked)
    return await contents.read(call, bucket, way, version)
