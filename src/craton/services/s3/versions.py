"""From the bucket and key of a request to the version that is meant, and from a new version to the bucket's index.

Owns what a caller learns of a key that is not there, of a delete marker, of a version id, and the commit of a write:
the bucket is looked at again in the same transaction, since it may have gone, or begun to keep versions, while the
bytes were coming. It must not know HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from craton.aws.access.keys import NOTHING
from craton.aws.access.variables import Keys
from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import fault, invalid_argument
from craton.context import Call
from craton.infra.objects import index
from craton.infra.objects.record import NULL, Version, checksums_of, place_of
from craton.infra.store.port import Transaction, microseconds
from craton.services.s3 import gate
from craton.services.s3.bucket_record import Bucket
from craton.services.s3.conditions import Check
from craton.services.s3.faults import no_such_bucket
from craton.services.s3.gate import Opened
from craton.services.s3.notifications import Event, announce
from craton.services.s3.trouble import as_s3

if TYPE_CHECKING:
    from sqlalchemy import Connection

MARKER = "x-amz-delete-marker"


async def found(
    call: Call, req: Any, action: str, *, given: Keys = NOTHING,
) -> tuple[Opened, Version]:  # fmt: skip
    """The bucket, and the object that the request names, after the caller was allowed the action on it.

    With a version id the action is the version's (`s3:GetObjectVersion`). Raises NoSuchKey, NoSuchVersion,
    MethodNotAllowed (a delete marker), AccessDenied for what the caller may not even know of.
    """
    key, asked = req.Key, getattr(req, "VersionId", None)
    bucket = await gate.opened(
        call, req.Bucket, action if asked is None else of_version(action), key,
        given=given, expected_owner=req.ExpectedBucketOwner, look=looking(key, asked),
    )  # fmt: skip
    return bucket, seen(call, bucket, key, asked)


def seen(call: Call, bucket: Opened, key: str, version_id: str | None) -> Version:
    """The object that a caller sees who was let in. Raises as `found`."""
    version = bucket.seen
    if version is None:
        if version_id is None:
            raise gate.missing_key(call, bucket, key)
        check_version_id(version_id)
        raise no_such_version(key, version_id)
    if version.marker:
        tell(call, version)
        if version_id is None:
            raise gate.missing_key(call, bucket, key)
        raise marker_not_allowed(call)
    return version


def looking(key: str, version_id: str | None) -> gate.Look:
    """How the version is read, or the newest one; a delete marker too."""
    raw = key.encode()
    if version_id is None:
        return lambda store, bucket: store.run(lambda connection: index.newest(connection, bucket, raw))
    return lambda store, bucket: store.run(lambda connection: index.version(connection, bucket, raw, version_id))


async def commit(call: Call, bucket: Opened, new: Version, check: Check) -> tuple[Version, Bucket]:
    """Make a version the current one, if `check` lets it; its blobs are deleted if not.

    Returns the version as kept, and the bucket as it was then.
    """
    with as_s3():
        kept: tuple[Version, Bucket] = await call.app.objects.keep(
            lambda transaction, freed: stored(transaction, bucket, new, check, freed), new.blobs
        )
    return kept


def stored(
    transaction: Transaction, bucket: Opened, new: Version, check: Check, freed: list[str], *, held: bool = False
) -> tuple[Version, Bucket]:
    """The same within a transaction. `held`: the blobs are in use already, as parts."""
    record = record_now(transaction, bucket)

    def store(connection: Connection) -> Version:
        before = index.newest(connection, new.bucket, new.key)
        check(before)
        return index.store(connection, new, before, freed, keeps=record.keeps_versions, held=held)

    return transaction.run(store), record


async def tell_made(call: Call, bucket: Opened, event: str, made: Version, record: Bucket) -> None:
    """Announce a new object, `event` being `Put`, `Copy` and the like."""
    ident = made.version_id if record.versioning else None
    await announce(call, bucket, Event(f"s3:ObjectCreated:{event}", made.key.decode(), made.size, made.etag, ident))


def record_now(transaction: Transaction, bucket: Opened) -> Bucket:
    """What the bucket's row says by now: it may have changed, or gone, since it was opened. Raises NoSuchBucket."""
    row = bucket.row
    seen = (row.version, microseconds(row.created_at), row.account)
    if transaction.run(lambda connection: index.bucket_mark(connection, row.arn)) == seen:
        return bucket.bucket
    now = gate.find(transaction, row.id)
    if now.account != row.account:
        raise no_such_bucket(row.id)
    return now.read(Bucket)


def now_us(call: Call) -> int:
    """The moment that a new version carries. HTTP's dates are in seconds, and S3 keeps no finer ones."""
    return microseconds(call.now().replace(microsecond=0))


def of_version(action: str) -> str:
    """The action on a named version: `s3:GetObject` → `s3:GetObjectVersion`, `…Tagging` → `…VersionTagging`."""
    verb, noun, rest = action.partition("Object")
    return f"{verb}{noun}Version{rest}"


def check_version_id(version_id: str) -> None:
    """Raise InvalidArgument for what is no version id at all."""
    if version_id != NULL and place_of(version_id) is None:
        raise invalid_argument("Invalid version id specified", "versionId", version_id[:1024])


def no_such_version(key: str, version_id: str) -> Fault:
    return fault("NoSuchVersion", "The specified version does not exist.", Key=key, VersionId=version_id)


def marker_not_allowed(call: Call) -> Fault:
    """405: a delete marker has nothing that could be read."""
    call.response_headers.append((b"allow", b"DELETE"))
    text = "The specified method is not allowed against this resource."
    return fault("MethodNotAllowed", text, Method=str(call.scope.get("method", "")), ResourceType="DeleteMarker")


def tell(call: Call, marker: Version) -> None:
    """Say in the headers of an error that there is a delete marker, and which."""
    call.response_headers.append((MARKER.encode(), b"true"))
    call.response_headers.append((b"x-amz-version-id", marker.version_id.encode()))


def id_shown(bucket: Bucket, version: Version) -> dict[str, str]:
    """The version id as answers carry it: not at all where the bucket never kept versions."""
    return {"VersionId": version.version_id} if bucket.versioning else {}


def sums_shown(version: Version) -> dict[str, str]:
    """The members of checksums in an answer."""
    kind, values = checksums_of(version.checksums)
    return {"ChecksumType": kind, **{f"Checksum{name}": value for name, value in values.items()}} if values else {}


def quoted(etag: str) -> str:
    """An ETag as it goes over the wire."""
    return f'"{etag}"'
