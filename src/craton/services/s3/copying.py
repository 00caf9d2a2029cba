"""Objects copied, whole or as a part of an upload, within a bucket and across buckets and accounts.

Owns how the source is named, its conditions, and what of it goes along. The bytes are opened under the source's key and
sealed anew under the target's, in bounded memory. Source: S3 API reference, CopyObject and UploadPartCopy.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec

from craton.aws.wire.checksums import Checksum
from craton.aws.wire.s3_faults import fault, invalid_argument
from craton.context import Call
from craton.infra.objects.record import Detail, Part, Version, checksums_of, written
from craton.infra.store.port import moment_of
from craton.services.operation import operation
from craton.services.s3 import checksums, conditions, contents, described, gate, multipart, sealing, versions
from craton.services.s3.bucket_record import SSE_S3
from craton.services.s3.condition_keys import given_by, of_connection
from craton.services.s3.gate import Opened
from craton.services.s3.sealing import Way

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        CopyObjectOutput,
        CopyObjectRequest,
        UploadPartCopyOutput,
        UploadPartCopyRequest,
    )

_RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{1,15})", re.ASCII)
_VERSION: Final = "?versionId="
SAME = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
TOO_LARGE = (
    f"The specified copy source is larger than the maximum allowable size for a copy source: {contents.MOST_BYTES}"
)
OF_MARKER = "The source of a copy request may not specifically refer to a delete marker by version id."


class Source(msgspec.Struct, frozen=True):
    """What is copied, as the request names it."""

    bucket: str
    key: str
    version_id: str | None


class Found(msgspec.Struct, frozen=True):
    """What is copied, after the caller was allowed to read it."""

    source: Source
    bucket: Opened
    version: Version
    way: Way


class _Sums:
    """The digests of bytes that pass by."""

    def __init__(self, pieces: AsyncIterable[bytes], algorithm: str) -> None:
        self._pieces = pieces
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sum = Checksum(algorithm)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async for piece in self._pieces:
            self._md5.update(piece)
            self._sum.update(piece)
            yield piece

    @property
    def etag(self) -> str:
        return self._md5.hexdigest()

    @property
    def values(self) -> dict[str, str]:
        return {self._sum.algorithm: self._sum.base64()}


@operation("s3", "CopyObject")
async def copy_object(call: Call, req: CopyObjectRequest) -> CopyObjectOutput:
    given = given_by(call, req)
    bucket = await gate.opened(
        call, req.Bucket, "s3:PutObject", req.Key, given=given, expected_owner=req.ExpectedBucketOwner
    )
    check = conditions.of_write(req.IfMatch, req.IfNoneMatch, req.Key)
    found = await source(call, req)
    if found.version.size > contents.MOST_BYTES:
        raise fault("InvalidRequest", TOO_LARGE)
    said = _said(req, found)
    if said.tags:
        gate.check(call, bucket, "s3:PutObjectTagging", req.Key, given)
        if req.TaggingDirective != "REPLACE":
            gate.check(call, found.bucket, _tagging(found.source), found.source.key, of_connection(call))
    way = await sealing.for_write(call, bucket, req.Key, req)
    sums = _Sums(await _bytes(call, found, 0, found.version.size), req.ChecksumAlgorithm or _algorithm(found.version))
    kept = await contents.whole(call, bucket, way, sums)
    new = Version(
        bucket=req.Bucket,
        key=req.Key.encode(),
        modified_at=versions.now_us(call),
        detail=Detail(way.sealing, said.headers, said.metadata, said.tags),
        size=kept.size,
        etag=sums.etag,
        storage_class=said.storage_class,
        checksums=written(sums.values),
        pieces=(kept,),
    )
    stored, record = await versions.commit(call, bucket, new, check)
    await versions.tell_made(call, bucket, "Copy", stored, record)
    answer: dict[str, Any] = {
        "CopyObjectResult": {
            "ETag": versions.quoted(stored.etag),
            "LastModified": moment_of(stored.modified_at),
            **versions.sums_shown(stored),
        },
        **_source_shown(found),
        **versions.id_shown(record, stored),
        **sealing.shown(way.sealing),
    }
    return answer  # type: ignore[return-value]


@operation("s3", "UploadPartCopy")
async def upload_part_copy(call: Call, req: UploadPartCopyRequest) -> UploadPartCopyOutput:
    bucket, upload, way = await multipart.for_part(call, req)
    found = await source(call, req)
    start, stop = _range(req.CopySourceRange, found.version.size)
    sums = _Sums(await _bytes(call, found, start, stop), upload.algorithm or checksums.DEFAULT)
    kept = await contents.keep(call, bucket, way, sums)
    part = Part(
        number=req.PartNumber,
        size=kept.size,
        etag=sums.etag,
        modified_at=versions.now_us(call),
        blob=kept.blob,
        checksums=sums.values,
    )
    await multipart.keep_part(call, upload, part)
    answer: dict[str, Any] = {
        "CopyPartResult": {
            "ETag": versions.quoted(part.etag),
            "LastModified": moment_of(part.modified_at),
            **checksums.members(part.checksums),
        },
        **_source_shown(found),
        **sealing.shown(upload.detail.sealing),
    }
    return answer  # type: ignore[return-value]


async def source(call: Call, req: Any) -> Found:
    """What a request copies. Raises NoSuchKey and the like, PreconditionFailed, InvalidArgument, AccessDenied."""
    named = named_source(req.CopySource)
    action = "s3:GetObject" if named.version_id is None else "s3:GetObjectVersion"
    given: dict[str, Any] = dict(of_connection(call))
    if named.version_id is not None:
        given["s3:versionid"] = named.version_id
    bucket = await gate.opened(
        call, named.bucket, action, named.key, given=given, expected_owner=req.ExpectedSourceBucketOwner,
        look=versions.looking(named.key, named.version_id),
    )  # fmt: skip
    if bucket.seen is not None and bucket.seen.marker and named.version_id is not None:
        raise fault("InvalidRequest", OF_MARKER)
    version = versions.seen(call, bucket, named.key, named.version_id)
    way = await sealing.for_read(call, bucket, named.key, version.detail.sealing, req, "CopySource")
    unmet = conditions.unmet(conditions.of_read(req, "CopySource"), version)
    if unmet is not None:
        raise conditions.failed(f"x-amz-copy-source-{unmet}")
    return Found(named, bucket, version, way)


def named_source(header: str) -> Source:
    """The source in the header `x-amz-copy-source`: `bucket/key[?versionId=…]`, URL-encoded. Raises InvalidArgument."""
    path, _, version_id = header.partition(_VERSION)
    try:
        text = unquote(path, errors="strict")
    except UnicodeDecodeError:
        text = ""
    bucket, _, key = text.removeprefix("/").partition("/")
    if not bucket or not key or bucket.startswith("arn:"):
        text = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise invalid_argument(text, "x-amz-copy-source", header[:1024])
    if version_id:
        versions.check_version_id(version_id)
    return Source(bucket, key, version_id or None)


def _said(req: CopyObjectRequest, found: Found) -> described.Described:
    """What is said of the new object: by the request where a directive says REPLACE, else by the source."""
    asked = described.described(req)
    kept, replaces = found.version.detail, req.MetadataDirective == "REPLACE"
    same = (found.source.bucket, found.source.key) == (req.Bucket, req.Key) and found.source.version_id is None
    changes = (
        req.StorageClass,
        req.ServerSideEncryption,
        req.WebsiteRedirectLocation,
        req.ChecksumAlgorithm,
        req.BucketKeyEnabled,
    )
    if same and not replaces and not _reseals(found) and not any(change is not None for change in changes):
        raise fault("InvalidRequest", SAME)
    # A redirect is never copied: it is the request's or nobody's.
    own = {name: value for name, value in kept.headers.items() if name != "WebsiteRedirectLocation"}
    if req.WebsiteRedirectLocation is not None:
        own["WebsiteRedirectLocation"] = req.WebsiteRedirectLocation
    return described.Described(
        asked.headers if replaces else own,
        asked.metadata if replaces else kept.metadata,
        asked.tags if req.TaggingDirective == "REPLACE" else kept.tags,
        asked.storage_class,
    )


def _reseals(found: Found) -> bool:
    """Whether a copy in place is sealed otherwise by the bucket's default, or where nobody configured one, by S3's."""
    return found.bucket.bucket.encryption is not None or found.version.detail.sealing.algorithm != SSE_S3


def _tagging(named: Source) -> str:
    return "s3:GetObjectTagging" if named.version_id is None else "s3:GetObjectVersionTagging"


def _algorithm(version: Version) -> str:
    """The algorithm of a copy's checksum: the source's, else S3's own."""
    _, values = checksums_of(version.checksums)
    return next(iter(values), checksums.DEFAULT)


async def _bytes(call: Call, found: Found, start: int, stop: int) -> AsyncGenerator[bytes]:
    version = found.version
    return await contents.opened(call, found.bucket, found.way, version.pieces, start, stop)


def _range(header: str | None, size: int) -> tuple[int, int]:
    """The bytes that a part is copied from. Raises InvalidArgument, InvalidRequest."""
    if header is None:
        if size > contents.MOST_BYTES:
            raise fault("InvalidRequest", TOO_LARGE)
        return 0, size
    named = _RANGE.fullmatch(header)
    if named is None or int(named[1]) > int(named[2]):
        text = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"
        raise invalid_argument(text, "x-amz-copy-source-range", header[:256])
    start, stop = int(named[1]), int(named[2]) + 1
    if stop > size:
        text = f"Range specified is not valid for source object of size: {size}"
        raise invalid_argument(text, "x-amz-copy-source-range", header[:256])
    if stop - start > contents.MOST_BYTES:
        raise fault("InvalidRequest", TOO_LARGE)
    return start, stop


def _source_shown(found: Found) -> dict[str, str]:
    shown = versions.id_shown(found.bucket.bucket, found.version)
    return {"CopySourceVersionId": shown["VersionId"]} if shown else {}
