"""Tags of objects: put, shown and taken away, on the current version or a named one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from craton.context import Call
from craton.infra.objects import index
from craton.infra.objects.record import Version
from craton.infra.store.port import Transaction
from craton.services.operation import operation
from craton.services.s3 import versions
from craton.services.s3.acls import check_list, check_object_acl, owners_list
from craton.services.s3.condition_keys import given_by
from craton.services.s3.faults import no_such_key
from craton.services.s3.gate import Opened
from craton.services.s3.tagging import MOST_OF_OBJECT, checked_tags, shown_tags
from craton.services.s3.trouble import as_s3

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.aws.shapes.s3 import (
        DeleteObjectTaggingOutput,
        DeleteObjectTaggingRequest,
        GetObjectAclOutput,
        GetObjectAclRequest,
        GetObjectTaggingOutput,
        GetObjectTaggingRequest,
        PutObjectAclRequest,
        PutObjectTaggingOutput,
        PutObjectTaggingRequest,
    )


@operation("s3", "PutObjectTagging")
async def put_object_tagging(call: Call, req: PutObjectTaggingRequest) -> PutObjectTaggingOutput:
    bucket, version = await versions.found(call, req, "s3:PutObjectTagging", given=given_by(call, req))
    tags = checked_tags(req.Tagging.TagSet, MOST_OF_OBJECT)
    return await _tagged(call, bucket, version, tags)  # type: ignore[return-value]


@operation("s3", "GetObjectTagging")
async def get_object_tagging(call: Call, req: GetObjectTaggingRequest) -> GetObjectTaggingOutput:
    bucket, version = await versions.found(call, req, "s3:GetObjectTagging", given=given_by(call, req))
    shown = versions.id_shown(bucket.bucket, version)
    return {"TagSet": shown_tags(version.detail.tags), **shown}  # type: ignore[typeddict-item]


@operation("s3", "DeleteObjectTagging")
async def delete_object_tagging(call: Call, req: DeleteObjectTaggingRequest) -> DeleteObjectTaggingOutput:
    bucket, version = await versions.found(call, req, "s3:DeleteObjectTagging", given=given_by(call, req))
    return await _tagged(call, bucket, version, {})  # type: ignore[return-value]


async def _tagged(call: Call, bucket: Opened, version: Version, tags: dict[str, str]) -> dict[str, Any]:
    """Write the tags of a version, unless it has gone meanwhile."""

    def change(connection: Connection) -> None:
        now = index.version(connection, version.bucket, version.key, version.version_id)
        if now is None or now.marker:
            raise no_such_key(version.key.decode())
        index.amend(connection, now, msgspec.structs.replace(now.detail, tags=tags))

    def work(transaction: Transaction, _: list[str]) -> None:
        transaction.run(change)

    with as_s3():
        await call.app.objects.keep(work)
    return dict(versions.id_shown(bucket.bucket, version))


@operation("s3", "GetObjectAcl")
async def get_object_acl(call: Call, req: GetObjectAclRequest) -> GetObjectAclOutput:
    bucket, _ = await versions.found(call, req, "s3:GetObjectAcl", given=given_by(call, req))
    return owners_list(bucket.owner)  # type: ignore[return-value]


@operation("s3", "PutObjectAcl", status="partial")
async def put_object_acl(call: Call, req: PutObjectAclRequest) -> None:
    """Every object is its bucket's owner's; a list that says so changes nothing, any other is refused."""
    bucket, _ = await versions.found(call, req, "s3:PutObjectAcl", given=given_by(call, req))
    check_object_acl(req)
    check_list(req.AccessControlPolicy, bucket.owner)
