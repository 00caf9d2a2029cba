"""Changing what is kept of a bucket: one configuration of it at a time, by whoever may.

Owns the way from a request to the changed row, and from a decoded configuration to a plain document and back. It must
not know any configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from craton.aws.access.keys import NOTHING
from craton.aws.access.variables import Keys
from craton.context import Call
from craton.infra.store.port import Transaction
from craton.services.s3 import gate
from craton.services.s3.bucket_record import Bucket
from craton.services.s3.gate import Opened
from craton.services.s3.trouble import as_s3


async def changed(
    call: Call, req: Any, action: str, change: Callable[[Bucket], Bucket], *, given: Keys = NOTHING
) -> Opened:
    """Change the bucket that the request names; as it was before. Raises NoSuchBucket, AccessDenied."""
    found = await read(call, req, action, given=given)
    await amend(call, found.name, change)
    return found


async def read(call: Call, req: Any, action: str, *, given: Keys = NOTHING) -> Opened:
    """The bucket that the request names. Raises NoSuchBucket, AccessDenied."""
    return await gate.opened(call, req.Bucket, action, given=given, expected_owner=req.ExpectedBucketOwner)


async def amend(call: Call, bucket: str, change: Callable[[Bucket], Bucket]) -> None:
    """Change a bucket's record in one transaction."""

    def work(transaction: Transaction) -> None:
        row = gate.find(transaction, bucket)
        body = msgspec.json.encode(change(row.read(Bucket)))
        if body != row.body:
            transaction.update(msgspec.structs.replace(row, body=body, updated_at=call.now()))

    with as_s3():
        await call.app.storage.keep(work)


def document(value: Any) -> Any:
    """A decoded structure as plain members, without those that are not there; times as ISO 8601 texts in UTC."""
    if isinstance(value, msgspec.Struct):
        members = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name.removesuffix("_"): document(one) for name, one in members if one is not None}
    if isinstance(value, list | tuple):
        return [document(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value
