"""The public access block of a bucket: four switches, all on when a bucket is made.

Two of them speak of access control lists, which nobody can open to the public here anyway; the others stop public
policies from being put (`policies`) and from counting (`gate`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.context import Call
from craton.services.operation import operation
from craton.services.s3 import configured
from craton.services.s3.bucket_record import BLOCKED
from craton.services.s3.faults import not_set

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        DeletePublicAccessBlockRequest,
        GetPublicAccessBlockOutput,
        GetPublicAccessBlockRequest,
        PutPublicAccessBlockRequest,
    )


@operation("s3", "PutPublicAccessBlock")
async def put_public_access_block(call: Call, req: PutPublicAccessBlockRequest) -> None:
    found = await configured.read(call, req, "s3:PutBucketPublicAccessBlock")
    asked = req.PublicAccessBlockConfiguration
    block = {name: bool(getattr(asked, name)) for name in BLOCKED}
    await configured.amend(call, found.name, lambda bucket: msgspec.structs.replace(bucket, public_access_block=block))


@operation("s3", "GetPublicAccessBlock")
async def get_public_access_block(call: Call, req: GetPublicAccessBlockRequest) -> GetPublicAccessBlockOutput:
    found = await configured.read(call, req, "s3:GetBucketPublicAccessBlock")
    block = found.bucket.public_access_block
    if block is None:
        text = "The public access block configuration was not found"
        raise not_set("NoSuchPublicAccessBlockConfiguration", text, found.name)
    return {"PublicAccessBlockConfiguration": block}  # type: ignore[typeddict-item]


@operation("s3", "DeletePublicAccessBlock")
async def delete_public_access_block(call: Call, req: DeletePublicAccessBlockRequest) -> None:
    await configured.changed(
        call,
        req,
        "s3:PutBucketPublicAccessBlock",
        lambda bucket: msgspec.structs.replace(bucket, public_access_block=None),
    )
