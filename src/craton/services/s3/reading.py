"""Objects read: bytes, headers, attributes.

Owns what each read answers. Which version is meant is `versions`', what of it `ranges`', how it is opened `contents`'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from craton.aws.wire.payload import Reply
from craton.aws.wire.s3_faults import fault, invalid_argument
from craton.context import Call
from craton.infra.objects.record import Version, checksums_of
from craton.infra.store.port import moment_of
from craton.services.operation import operation
from craton.services.s3 import conditions, contents, described, gate, ranges, sealing, versions
from craton.services.s3.condition_keys import given_by
from craton.services.s3.gate import Opened
from craton.services.s3.object_listing import counted

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        GetObjectAttributesOutput,
        GetObjectAttributesRequest,
        GetObjectRequest,
        HeadObjectRequest,
    )

_OVERRIDES: Final = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}
_WITH_304: Final = ("ETag", "LastModified", "CacheControl", "Expires", "VersionId")
SIGNED_ONLY = "Request specific response headers cannot be used for anonymous GET requests."
MOST_PARTS: Final = 1000
_LOOKS: Final = 5


@operation("s3", "GetObject")
async def get_object(call: Call, req: GetObjectRequest) -> Reply:
    """An object that is overwritten just now is looked for again."""
    for _ in range(_LOOKS - 1):
        try:
            return await _got(call, req)
        except contents.Vanished:
            continue
    return await _got(call, req)


async def _got(call: Call, req: GetObjectRequest) -> Reply:
    bucket, version = await versions.found(call, req, "s3:GetObject", given=given_by(call, req))
    unmodified, members = answered(call, bucket, version, req)
    if unmodified:
        return Reply(304, members)
    span = ranges.asked(req.Range, req.PartNumber, version)
    way = await sealing.for_read(call, bucket, req.Key, version.detail.sealing, req)
    members |= sums(version, span, req.ChecksumMode)
    members |= parts_counted(version, req.PartNumber)
    members |= span.shown(version.size)
    members["Body"] = await contents.opened(call, bucket, way, version.pieces, span.start, span.stop)
    return Reply(206 if span.partial else 200, members)


@operation("s3", "HeadObject")
async def head_object(call: Call, req: HeadObjectRequest) -> Reply:
    bucket, version = await versions.found(call, req, "s3:GetObject", given=given_by(call, req))
    unmodified, members = answered(call, bucket, version, req)
    if unmodified:
        return Reply(304, members)
    span = ranges.asked(req.Range, req.PartNumber, version)
    await sealing.for_read(call, bucket, req.Key, version.detail.sealing, req)
    members |= sums(version, span, req.ChecksumMode)
    members |= parts_counted(version, req.PartNumber)
    return Reply(206 if span.partial else 200, members | span.shown(version.size))


def answered(call: Call, bucket: Opened, version: Version, req: Any) -> tuple[bool, dict[str, Any]]:
    """Whether the caller has it already, and the members of the answer but those of the bytes.

    Raises PreconditionFailed.
    """
    unmet = conditions.unmet(conditions.of_read(req), version)
    members: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": moment_of(version.modified_at),
        "ETag": versions.quoted(version.etag),
        **described.shown(version),
        **versions.id_shown(bucket.bucket, version),
        **sealing.shown(version.detail.sealing),
    }
    if version.detail.tags:
        members["TagCount"] = len(version.detail.tags)
    members |= _overridden(call, req)
    if unmet in ("If-None-Match", "If-Modified-Since"):
        return True, {name: members[name] for name in _WITH_304 if name in members}
    if unmet is not None:
        raise conditions.failed(unmet)
    return False, members


def sums(version: Version, span: ranges.Span, mode: str | None) -> dict[str, Any]:
    """Checksums, where they are asked for and are those of the bytes that are sent."""
    whole = span.start == 0 and span.stop == version.size
    return versions.sums_shown(version) if mode == "ENABLED" and whole else {}


def parts_counted(version: Version, part: int | None) -> dict[str, Any]:
    """How many parts an object came in, for who asks by part."""
    return {"PartsCount": len(version.pieces)} if part is not None and version.in_parts else {}


def _overridden(call: Call, req: Any) -> dict[str, Any]:
    """The headers that the request itself wants the answer to have. Raises InvalidRequest for an anonymous one."""
    found = {to: getattr(req, name) for name, to in _OVERRIDES.items() if getattr(req, name) is not None}
    if found and not call.caller.account:
        raise fault("InvalidRequest", SIGNED_ONLY)
    return found


@operation("s3", "GetObjectAttributes")
async def get_object_attributes(call: Call, req: GetObjectAttributesRequest) -> GetObjectAttributesOutput:
    given = given_by(call, req)
    bucket, version = await versions.found(call, req, "s3:GetObject", given=given)
    action = "s3:GetObjectAttributes" if req.VersionId is None else "s3:GetObjectVersionAttributes"
    gate.check(call, bucket, action, req.Key, given)
    await sealing.for_read(call, bucket, req.Key, version.detail.sealing, req)
    wanted = {name.strip() for one in req.ObjectAttributes for name in one.split(",")}
    if wanted - set(_ATTRIBUTES):
        raise invalid_argument("Invalid attribute name specified.", "x-amz-object-attributes", ",".join(wanted)[:256])
    members: dict[str, Any] = {
        "LastModified": moment_of(version.modified_at),
        **versions.id_shown(bucket.bucket, version),
    }
    for name in wanted:
        members |= _ATTRIBUTES[name](version, req)
    return members  # type: ignore[return-value]


def _checksum(version: Version, _: GetObjectAttributesRequest) -> dict[str, Any]:
    """The number of parts, which ends a composite checksum elsewhere, is not told here."""
    found = versions.sums_shown(version)
    return {"Checksum": {name: value.partition("-")[0] for name, value in found.items()}} if found else {}


def _parts(version: Version, req: GetObjectAttributesRequest) -> dict[str, Any]:
    """The parts of an object that came in parts; each is listed where its checksum is known."""
    if not version.in_parts:
        return {}
    count: dict[str, Any] = {"TotalPartsCount": len(version.pieces)}
    _, values = checksums_of(version.checksums)
    if not any(piece.checksum for piece in version.pieces):
        return {"ObjectParts": count}
    algorithm = next(iter(values))
    after = counted(req.PartNumberMarker or 0, "part-number-marker")
    limit = MOST_PARTS if req.MaxParts is None else min(counted(req.MaxParts, "max-parts"), MOST_PARTS)
    behind = [piece for piece in version.pieces if piece.number > after]
    shown = behind[:limit]
    return {
        "ObjectParts": {
            **count,
            "PartNumberMarker": after,
            "NextPartNumberMarker": shown[-1].number if shown else 0,
            "MaxParts": limit,
            "IsTruncated": len(behind) > len(shown),
            "Parts": [
                {"PartNumber": piece.number, "Size": piece.size, f"Checksum{algorithm}": piece.checksum}
                for piece in shown
            ],
        }
    }


_ATTRIBUTES: Final[Mapping[str, Callable[[Version, Any], dict[str, Any]]]] = {
    "ETag": lambda version, _: {"ETag": version.etag},
    "Checksum": _checksum,
    "ObjectParts": _parts,
    "StorageClass": lambda version, _: {"StorageClass": version.storage_class},
    "ObjectSize": lambda version, _: {"ObjectSize": version.size},
}
