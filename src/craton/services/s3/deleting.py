"""Objects deleted, one or a thousand at a time.

Owns what deletion means by the bucket's versioning: an object gone, a delete marker above it, or one version gone for
good; and that each key of a request is judged by itself. It must not know what becomes of the blobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import malformed_xml
from craton.context import Call
from craton.infra.objects import index
from craton.infra.objects.record import Detail, Sealing, Version
from craton.infra.store.port import Transaction
from craton.services.operation import operation
from craton.services.s3 import conditions, gate, versions
from craton.services.s3.bucket_record import Bucket
from craton.services.s3.condition_keys import given_by, of_connection
from craton.services.s3.faults import access_denied, no_such_key, not_implemented
from craton.services.s3.gate import Opened
from craton.services.s3.notifications import Event, announce
from craton.services.s3.trouble import as_s3

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.aws.shapes.s3 import (
        DeleteObjectOutput,
        DeleteObjectRequest,
        DeleteObjectsOutput,
        DeleteObjectsRequest,
    )

MOST_AT_ONCE: Final = 1000
MOST_KEY_BYTES: Final = 1024
NO_MFA = "MFA delete is not implemented by this server."


class Doomed(msgspec.Struct, frozen=True):
    """What is to be deleted. `etag` and `size`: only if the object is this one."""

    key: str
    version_id: str | None = None
    etag: str | None = None
    size: int | None = None

    @property
    def action(self) -> str:
        return "s3:DeleteObject" if self.version_id is None else "s3:DeleteObjectVersion"


@operation("s3", "DeleteObject")
async def delete_object(call: Call, req: DeleteObjectRequest) -> DeleteObjectOutput:
    _refuse_mfa(req)
    doomed = Doomed(req.Key, req.VersionId, req.IfMatch, req.IfMatchSize)
    bucket = await gate.opened(
        call, req.Bucket, doomed.action, req.Key, given=given_by(call, req), expected_owner=req.ExpectedBucketOwner
    )
    (gone,) = await delete(call, bucket, [doomed])
    if isinstance(gone, Fault):
        raise gone
    return _member_names(gone, "DeleteMarker", "VersionId")  # type: ignore[return-value]


@operation("s3", "DeleteObjects")
async def delete_objects(call: Call, req: DeleteObjectsRequest) -> DeleteObjectsOutput:
    """Whoever may not delete one of the keys still deletes the others."""
    _refuse_mfa(req)
    bucket = await _bucket(call, req.Bucket, req.ExpectedBucketOwner)
    wanted = [Doomed(one.Key, one.VersionId, one.ETag, one.Size) for one in req.Delete.Objects]
    if not 1 <= len(wanted) <= MOST_AT_ONCE:
        raise malformed_xml()
    refused = {at: error for at, one in enumerate(wanted) if (error := _refusal(call, bucket, one)) is not None}
    allowed = [at for at in range(len(wanted)) if at not in refused]
    outcomes: dict[int, Gone | Fault] = dict(refused)
    if allowed:
        outcomes.update(zip(allowed, await delete(call, bucket, [wanted[at] for at in allowed]), strict=True))
    deleted, errors = [], []
    for at, one in enumerate(wanted):
        named = {"Key": one.key} if one.version_id is None else {"Key": one.key, "VersionId": one.version_id}
        outcome = outcomes[at]
        if isinstance(outcome, Fault):
            errors.append({**named, "Code": outcome.name, "Message": outcome.message})
        elif not req.Delete.Quiet:
            deleted.append({**named, **_member_names(outcome, "DeleteMarker", "DeleteMarkerVersionId")})
    return {"Deleted": deleted, "Errors": errors}  # type: ignore[typeddict-item]


class Gone(msgspec.Struct, frozen=True):
    """What a deletion did: `marker` if it made a delete marker or took one away; the id of that, or of the version."""

    marker: bool = False
    version_id: str | None = None


async def delete(call: Call, bucket: Opened, wanted: list[Doomed]) -> list[Gone | Fault]:
    """Delete these in one transaction; what became of each. An object that is not there counts as deleted."""
    now = versions.now_us(call)

    def work(transaction: Transaction, freed: list[str]) -> list[Gone | Fault]:
        record = versions.record_now(transaction, bucket)
        return transaction.run(
            lambda connection: [_delete(connection, bucket, record, one, now, freed) for one in wanted]
        )

    with as_s3():
        outcomes: list[Gone | Fault] = await call.app.objects.keep(work)
    if bucket.bucket.notification is not None:
        for one, gone in zip(wanted, outcomes, strict=True):
            if isinstance(gone, Gone):
                made = gone.marker and one.version_id is None
                event = f"s3:ObjectRemoved:{'DeleteMarkerCreated' if made else 'Delete'}"
                await announce(call, bucket, Event(event, one.key, version_id=gone.version_id))
    return outcomes


def _delete(
    connection: Connection, bucket: Opened, record: Bucket, one: Doomed, now: int, freed: list[str]
) -> Gone | Fault:
    key = one.key.encode()
    if one.version_id is not None:
        try:
            versions.check_version_id(one.version_id)
        except Fault as error:
            return error
        found = index.version(connection, bucket.name, key, one.version_id)
    else:
        found = index.newest(connection, bucket.name, key)
    unmet = _unmet(one, found)
    if unmet is not None:
        return unmet
    if one.version_id is not None:
        if found is not None:
            index.remove(connection, found, freed)
        return Gone(found is not None and found.marker, one.version_id)
    if not record.versioning:
        if found is not None:
            index.remove(connection, found, freed)
        return Gone()
    detail = Detail(Sealing(account=bucket.owner))
    marker = Version(bucket=bucket.name, key=key, modified_at=now, detail=detail, marker=True)
    stored = index.store(connection, marker, found, freed, keeps=record.keeps_versions)
    return Gone(marker=True, version_id=stored.version_id)


def _unmet(one: Doomed, found: Version | None) -> Fault | None:
    """412 where the request wants another object than the one that is there, 404 where there is none."""
    if one.etag is None and one.size is None:
        return None
    if found is None or found.marker:
        return no_such_key(one.key)
    if one.etag is not None and not conditions.matches(one.etag, found.etag):
        return conditions.failed("If-Match")
    if one.size is not None and one.size != found.size:
        return conditions.failed("x-amz-if-match-size")
    return None


def _refusal(call: Call, bucket: Opened, one: Doomed) -> Fault | None:
    if len(one.key.encode()) > MOST_KEY_BYTES:
        return Fault("KeyTooLongError", "Your key is too long", status=400)
    given: Mapping[str, Any] = of_connection(call)
    if one.version_id is not None:
        given = {**given, "s3:versionid": one.version_id}
    return gate.judged(call, bucket, one.action, one.key, given)


async def _bucket(call: Call, name: str, expected_owner: str | None) -> Opened:
    with as_s3():
        row = await call.app.storage.read(lambda store: gate.find(store, name))
    if expected_owner is not None and expected_owner != row.account:
        raise access_denied()
    return Opened(row, row.read(Bucket))


def _refuse_mfa(req: Any) -> None:
    if req.MFA is not None:
        raise not_implemented(NO_MFA)


def _member_names(gone: Gone, marker: str, version_id: str) -> dict[str, Any]:
    members: dict[str, Any] = {marker: True} if gone.marker else {}
    if gone.version_id is not None and (gone.marker or version_id == "VersionId"):
        members[version_id] = gone.version_id
    return members
