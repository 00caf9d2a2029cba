"""Keys listed: objects in both forms of the request, and versions.

Owns the parameters, continuation tokens and what a page looks like. How a page is found is `infra.objects.listing`'s.
Source: S3 API reference, ListObjectsV2, ListObjects, ListObjectVersions; "Listing object keys programmatically".
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from craton.aws.wire.s3_faults import invalid_argument
from craton.context import Call
from craton.infra.objects import index, listing
from craton.infra.objects.listing import Place, Shown
from craton.infra.objects.record import Entry, checksums_of, place_of
from craton.infra.store.port import moment_of
from craton.services.operation import operation
from craton.services.s3 import gate
from craton.services.s3.condition_keys import given_by
from craton.services.s3.naming import owner_of
from craton.services.s3.trouble import as_s3
from craton.services.s3.versions import check_version_id, quoted

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.aws.shapes.s3 import (
        ListObjectsOutput,
        ListObjectsRequest,
        ListObjectsV2Output,
        ListObjectsV2Request,
        ListObjectVersionsOutput,
        ListObjectVersionsRequest,
    )

MOST: Final = 1000
_SAFE: Final = "/*-._~"
BAD_TOKEN = "The continuation token provided is incorrect"  # noqa: S105 - a message
_MOST_TOKEN = 4096


class Asked(msgspec.Struct, frozen=True):
    """What all listings have in common."""

    prefix: bytes
    delimiter: bytes
    limit: int
    encodes: bool

    def text(self, raw: bytes) -> str:
        """A key or prefix as the answer carries it."""
        return quote(raw, safe=_SAFE) if self.encodes else raw.decode()

    def after(self, key: bytes, within: Any = None) -> Place | None:
        """Where a page begins that goes on behind a key or common prefix."""
        return listing.after(key, self.prefix, self.delimiter, within)

    def shown(self, req: Any, page: Shown) -> dict[str, Any]:
        """The members that all listings have."""
        members: dict[str, Any] = {
            "Name": req.Bucket,
            "Prefix": self.text(self.prefix),
            "MaxKeys": self.limit,
            "IsTruncated": page.more,
            "CommonPrefixes": [{"Prefix": self.text(one)} for one in page.prefixes],
        }
        if self.delimiter:
            members["Delimiter"] = self.text(self.delimiter)
        if self.encodes:
            members["EncodingType"] = "url"
        return members


def of_request(req: Any, most: int | None, name: str = "maxKeys") -> Asked:
    """What a listing is asked for; `name` is that of the parameter with the page's size. Raises InvalidArgument."""
    limit = MOST if most is None else min(counted(most, name), MOST)
    return Asked((req.Prefix or "").encode(), (req.Delimiter or "").encode(), limit, req.EncodingType == "url")


def counted(number: int, name: str) -> int:
    """A number of a request that counts something. Raises InvalidArgument for less than nothing."""
    if number < 0:
        text = f"Argument {name} must be an integer between 0 and 2147483647"
        raise invalid_argument(text, name, str(number))
    return number


@operation("s3", "ListObjectsV2")
async def list_objects_v2(call: Call, req: ListObjectsV2Request) -> ListObjectsV2Output:
    bucket = await _opened(call, req, "s3:ListBucket")
    asked = of_request(req, req.MaxKeys)
    start: Place | None = Place()
    if req.ContinuationToken is not None:
        start = asked.after(_from_token(req.ContinuationToken))
    elif req.StartAfter:
        start = asked.after(req.StartAfter.encode())
    page = await _objects(call, bucket, asked, start)
    owner = owner_of(bucket.owner) if req.FetchOwner else None
    members = asked.shown(req, page)
    members["KeyCount"] = len(page.entries) + len(page.prefixes)
    members["Contents"] = [_object(asked, entry, owner) for entry in page.entries]
    if page.more:
        members["NextContinuationToken"] = base64.urlsafe_b64encode(b"1" + page.last).decode()
    if req.ContinuationToken is not None:
        members["ContinuationToken"] = req.ContinuationToken
    if req.StartAfter is not None:
        members["StartAfter"] = asked.text(req.StartAfter.encode())
    return members  # type: ignore[return-value]


@operation("s3", "ListObjects")
async def list_objects(call: Call, req: ListObjectsRequest) -> ListObjectsOutput:
    bucket = await _opened(call, req, "s3:ListBucket")
    asked = of_request(req, req.MaxKeys)
    marker = (req.Marker or "").encode()
    page = await _objects(call, bucket, asked, asked.after(marker) if marker else Place())
    owner = owner_of(bucket.owner)
    members = asked.shown(req, page)
    members["Marker"] = asked.text(marker)
    members["Contents"] = [_object(asked, entry, owner) for entry in page.entries]
    if page.more and asked.delimiter:  # without one the last key is the marker, as S3 has it
        members["NextMarker"] = asked.text(page.last)
    return members  # type: ignore[return-value]


@operation("s3", "ListObjectVersions")
async def list_object_versions(call: Call, req: ListObjectVersionsRequest) -> ListObjectVersionsOutput:
    bucket = await _opened(call, req, "s3:ListBucketVersions")
    asked = of_request(req, req.MaxKeys)
    marker, within = (req.KeyMarker or "").encode(), req.VersionIdMarker
    if within and not marker:
        text = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument(text, "version-id-marker", within[:1024])
    if within:
        check_version_id(within)

    def work(connection: Connection) -> Shown:
        start: Place | None = Place()
        if marker:
            start = asked.after(marker, _place_within(connection, bucket.name, marker, within))
        return listing.versions(connection, bucket.name, asked.prefix, asked.delimiter, start, asked.limit)

    page = await _page(call, asked, work)
    owner = owner_of(bucket.owner)
    members = asked.shown(req, page)
    members |= {"KeyMarker": asked.text(marker), "VersionIdMarker": within or ""}
    members["Versions"] = [_version(asked, entry, owner) for entry in page.entries if not entry.marker]
    members["DeleteMarkers"] = [_marker(asked, entry, owner) for entry in page.entries if entry.marker]
    if page.more:
        members["NextKeyMarker"] = asked.text(page.last)
        if page.last_entry is not None:
            members["NextVersionIdMarker"] = page.last_entry.version_id
    return members  # type: ignore[return-value]


def _place_within(connection: Connection, bucket: str, key: bytes, version_id: str | None) -> int | None:
    """The place behind which a page begins amid the versions of one key; None: behind all of them."""
    if not version_id:
        return None
    known = place_of(version_id)
    if known is not None:
        return known
    null = index.version(connection, bucket, key, version_id)
    return None if null is None else null.place


async def _opened(call: Call, req: Any, action: str) -> gate.Opened:
    return await gate.opened(
        call, req.Bucket, action, given=given_by(call, req), expected_owner=req.ExpectedBucketOwner
    )


async def _objects(call: Call, bucket: gate.Opened, asked: Asked, start: Place | None) -> Shown:
    return await _page(
        call, asked, lambda connection: listing.objects(
            connection, bucket.name, asked.prefix, asked.delimiter, start, asked.limit
        )
    )  # fmt: skip


async def _page(call: Call, asked: Asked, work: Any) -> Shown:
    if asked.limit == 0:
        return Shown([], [])
    with as_s3():
        page: Shown = await call.app.objects.read(work)
    return page


def _from_token(token: str) -> bytes:
    try:
        raw = base64.b64decode(token[:_MOST_TOKEN], b"-_", validate=True)
        raw.decode()
    except (binascii.Error, ValueError):
        raw = b""
    if not raw.startswith(b"1"):
        raise invalid_argument(BAD_TOKEN, "continuation-token", token[:256])
    return raw[1:]


def _object(asked: Asked, entry: Entry, owner: Any) -> dict[str, Any]:
    members: dict[str, Any] = {
        "Key": asked.text(entry.key),
        "LastModified": moment_of(entry.modified_at),
        "ETag": quoted(entry.etag),
        "Size": entry.size,
        "StorageClass": entry.storage_class,
    }
    kind, values = checksums_of(entry.checksums)
    if values:
        members |= {"ChecksumAlgorithm": list(values), "ChecksumType": kind}
    if owner is not None:
        members["Owner"] = owner
    return members


def _version(asked: Asked, entry: Entry, owner: Any) -> dict[str, Any]:
    beside = {"VersionId": entry.version_id, "IsLatest": bool(entry.state)}
    return {**_object(asked, entry, owner), **beside}


def _marker(asked: Asked, entry: Entry, owner: Any) -> dict[str, Any]:
    return {
        "Key": asked.text(entry.key),
        "VersionId": entry.version_id,
        "IsLatest": bool(entry.state),
        "LastModified": moment_of(entry.modified_at),
        "Owner": owner,
    }
