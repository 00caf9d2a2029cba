"""Uploads under way, and the parts of one, listed.

Owns the parameters and the look of the pages. How a page is found is `infra.objects`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from craton.context import Call
from craton.infra.objects import listing, uploads
from craton.infra.objects.listing import Place, Shown
from craton.infra.objects.record import Part, Upload
from craton.infra.store.port import moment_of
from craton.services.operation import operation
from craton.services.s3 import checksums, gate
from craton.services.s3.condition_keys import given_by
from craton.services.s3.multipart import find
from craton.services.s3.naming import owner_of
from craton.services.s3.object_listing import Asked, counted, of_request
from craton.services.s3.trouble import as_s3
from craton.services.s3.versions import quoted

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from craton.aws.shapes.s3 import (
        ListMultipartUploadsOutput,
        ListMultipartUploadsRequest,
        ListPartsOutput,
        ListPartsRequest,
    )

MOST: Final = 1000


@operation("s3", "ListParts")
async def list_parts(call: Call, req: ListPartsRequest) -> ListPartsOutput:
    bucket = await gate.opened(
        call, req.Bucket, "s3:ListMultipartUploadParts", req.Key, given=given_by(call, req),
        expected_owner=req.ExpectedBucketOwner,
    )  # fmt: skip
    limit = MOST if req.MaxParts is None else min(counted(req.MaxParts, "max-parts"), MOST)
    behind = counted(req.PartNumberMarker or 0, "part-number-marker")
    upload = await find(call, req)
    with as_s3():
        found = await call.app.objects.read(
            lambda connection: uploads.parts(connection, upload.upload_id, behind, limit + 1)
        )
    parts = found[:limit]
    members: dict[str, Any] = {
        "Bucket": req.Bucket,
        "Key": req.Key,
        "UploadId": upload.upload_id,
        "PartNumberMarker": behind,
        "NextPartNumberMarker": parts[-1].number if parts else 0,
        "MaxParts": limit,
        "IsTruncated": len(found) > len(parts),
        "Parts": [_part(upload, part) for part in parts],
        "Initiator": _initiator(upload),
        "Owner": owner_of(bucket.owner),
        "StorageClass": upload.storage_class,
    }
    if upload.algorithm:
        members |= {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.checksum_type}
    return members  # type: ignore[return-value]


@operation("s3", "ListMultipartUploads")
async def list_multipart_uploads(call: Call, req: ListMultipartUploadsRequest) -> ListMultipartUploadsOutput:
    bucket = await gate.opened(
        call, req.Bucket, "s3:ListBucketMultipartUploads", given=given_by(call, req),
        expected_owner=req.ExpectedBucketOwner,
    )  # fmt: skip
    asked = of_request(req, req.MaxUploads, "max-uploads")
    marker, within = (req.KeyMarker or "").encode(), req.UploadIdMarker or None
    page = await _page(call, bucket.name, asked, asked.after(marker, within) if marker else Place())
    members = asked.shown(req, page)
    members["Bucket"] = members.pop("Name")
    members["MaxUploads"] = members.pop("MaxKeys")
    members |= {"KeyMarker": asked.text(marker), "UploadIdMarker": within if marker and within else ""}
    members["Uploads"] = [_upload(asked, upload, bucket.owner) for upload in page.entries]
    if page.more:
        members["NextKeyMarker"] = asked.text(page.last)
        members["NextUploadIdMarker"] = page.last_entry.upload_id if page.last_entry is not None else ""
    return members  # type: ignore[return-value]


async def _page(call: Call, bucket: str, asked: Asked, start: Place | None) -> Shown:
    if asked.limit == 0:
        return Shown([], [])

    def work(connection: Connection) -> listing.Shown:
        return uploads.listing(connection, bucket, asked.prefix, asked.delimiter, start, asked.limit)

    with as_s3():
        page: Shown = await call.app.objects.read(work)
    return page


def _part(upload: Upload, part: Part) -> dict[str, Any]:
    known = {name: value for name, value in part.checksums.items() if name == upload.algorithm}
    return {
        "PartNumber": part.number,
        "LastModified": moment_of(part.modified_at),
        "ETag": quoted(part.etag),
        "Size": part.size,
        **checksums.members(known),
    }


def _upload(asked: Asked, upload: Upload, owner: str) -> dict[str, Any]:
    members: dict[str, Any] = {
        "UploadId": upload.upload_id,
        "Key": asked.text(upload.key),
        "Initiated": moment_of(upload.started_at),
        "StorageClass": upload.storage_class,
        "Owner": owner_of(owner),
        "Initiator": _initiator(upload),
    }
    if upload.algorithm:
        members |= {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.checksum_type}
    return members


def _initiator(upload: Upload) -> dict[str, str]:
    return {"ID": upload.initiator, "DisplayName": upload.initiator.rpartition("/")[2]}
