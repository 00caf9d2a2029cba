"""Uploads completed: the parts that the request names become one object, without moving a byte.

Owns the rules of the list of parts, the conditions and checksums of the whole, and that completing again gives the same
answer: a reply that was lost on its way must not look like a failure. Source: S3 API reference, CompleteMultipartUpload.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import fault, malformed_xml
from craton.context import Call
from craton.infra.objects import index, uploads
from craton.infra.objects.record import COMPOSITE, FULL, Part, Piece, Upload, Version, written
from craton.infra.store.port import Transaction
from craton.services.operation import operation
from craton.services.s3 import checksums, conditions, gate, sealing, versions
from craton.services.s3.bucket_record import Bucket
from craton.services.s3.condition_keys import given_by
from craton.services.s3.multipart import no_such_upload
from craton.services.s3.trouble import as_s3

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import CompleteMultipartUploadOutput, CompleteMultipartUploadRequest

LEAST_PART_BYTES: Final = 5 * 1024**2
MOST_OBJECT_BYTES: Final = 50 * 1000**4
ORDER = "The list of parts was not in ascending order. The parts list must be specified in order by part number."
MISSING = (
    "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified "
    "entity tag may not match the part's entity tag."
)


class Named(msgspec.Struct, frozen=True):
    """A part as the request names it."""

    number: int
    etag: str
    checksums: Mapping[str, str]


@operation("s3", "CompleteMultipartUpload")
async def complete_multipart_upload(call: Call, req: CompleteMultipartUploadRequest) -> CompleteMultipartUploadOutput:
    bucket = await gate.opened(
        call, req.Bucket, "s3:PutObject", req.Key, given=given_by(call, req), expected_owner=req.ExpectedBucketOwner
    )
    names = named(req)
    check = conditions.of_write(req.IfMatch, req.IfNoneMatch, req.Key)
    now = versions.now_us(call)

    def work(transaction: Transaction, freed: list[str]) -> tuple[Version, Bucket]:
        key = req.Key.encode()
        record = versions.record_now(transaction, bucket)
        upload = transaction.run(lambda connection: uploads.find(connection, req.Bucket, key, req.UploadId))
        if upload is None:
            return _before(transaction, req, key), record
        held = transaction.run(lambda connection: uploads.parts(connection, upload.upload_id))
        new = assembled(upload, chosen(upload, names, held), req, now)
        done = versions.stored(transaction, bucket, new, check, freed, held=True)
        transaction.run(lambda connection: uploads.finish(connection, upload, new.blobs, freed))
        return done

    with as_s3():
        stored, record = await call.app.objects.keep(work)
    await versions.tell_made(call, bucket, "CompleteMultipartUpload", stored, record)
    answer: dict[str, Any] = {
        "Location": location(call, req.Bucket, req.Key),
        "Bucket": req.Bucket,
        "Key": req.Key,
        "ETag": versions.quoted(stored.etag),
        **versions.sums_shown(stored),
        **versions.id_shown(record, stored),
    }
    if stored.detail.sealing.customer_md5 is None:  # of the requester's own key this answer has no members
        answer |= sealing.shown(stored.detail.sealing)
    return answer  # type: ignore[return-value]


def _before(transaction: Transaction, req: Any, key: bytes) -> Version:
    """What the same upload made when it was completed before. Raises NoSuchUpload."""
    found = transaction.run(lambda connection: index.newest(connection, req.Bucket, key))
    if found is None or found.detail.upload_id != req.UploadId:
        raise no_such_upload(req.UploadId)
    return found


def named(req: CompleteMultipartUploadRequest) -> list[Named]:
    """The parts in the request's body. Raises MalformedXML, InvalidPartOrder."""
    given = req.MultipartUpload.Parts if req.MultipartUpload is not None else None
    if not given:
        raise malformed_xml()
    names = []
    for part in given:
        if part.PartNumber is None or part.ETag is None:
            raise malformed_xml()
        names.append(Named(part.PartNumber, part.ETag.strip('"'), checksums.declared(part)))
    if any(later.number <= earlier.number for earlier, later in pairwise(names)):
        raise fault("InvalidPartOrder", ORDER)
    return names


def chosen(upload: Upload, names: Sequence[Named], held: Sequence[Part]) -> list[Part]:
    """The parts that are meant. Raises InvalidPart, EntityTooSmall, InvalidRequest."""
    by_number = {part.number: part for part in held}
    found = []
    for name in names:
        part = by_number.get(name.number)
        if part is None or part.etag != name.etag:
            raise _missing(upload, name)
        for algorithm, value in name.checksums.items():
            if part.checksums.get(algorithm, value) != value:
                raise _missing(upload, name)
        if upload.checksum_type == COMPOSITE and upload.algorithm not in name.checksums:
            raise fault(
                "InvalidRequest",
                f"The upload was created using a {upload.algorithm.lower()} checksum. The complete request must "
                f"include the checksum for each part. It was missing for part {name.number} in the request.",
            )
        found.append(part)
    for part in found[:-1]:
        if part.size < LEAST_PART_BYTES:
            raise fault(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=part.size,
                MinSizeAllowed=LEAST_PART_BYTES,
                PartNumber=part.number,
                ETag=part.etag,
            )
    return found


def assembled(upload: Upload, parts: Sequence[Part], req: Any, now: int) -> Version:
    """The object. Raises BadDigest, InvalidRequest, EntityTooLarge."""
    size = sum(part.size for part in parts)
    if size > MOST_OBJECT_BYTES:
        raise fault("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")
    if req.MpuObjectSize is not None and req.MpuObjectSize != size:
        raise fault(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {req.MpuObjectSize} does not match what was computed: "
            f"{size}",
        )
    algorithm, kind = upload.algorithm or checksums.DEFAULT, upload.checksum_type or FULL
    if req.ChecksumType is not None and req.ChecksumType != kind:
        raise fault(
            "InvalidRequest",
            f"The upload was created using the {kind} checksum mode. The complete request must use the same checksum mode.",
        )
    values = checksums.whole(algorithm, kind, parts)
    checksums.check_whole(checksums.declared(req), values)
    return Version(
        bucket=upload.bucket,
        key=upload.key,
        modified_at=now,
        detail=upload.detail,
        size=size,
        etag=checksums.etag_of(parts),
        storage_class=upload.storage_class,
        checksums=written(values, kind),
        pieces=tuple(
            Piece(part.blob, part.size, part.number, part.checksums.get(algorithm, "") if upload.algorithm else "")
            for part in parts
        ),
    )


def location(call: Call, bucket: str, key: str) -> str:
    """The URL of an object on the host that was called."""
    scheme, host = call.scope.get("scheme", "http"), call.header(b"host") or "localhost"
    return f"{scheme}://{host}/{bucket}/{quote(key, safe='')}"


def _missing(upload: Upload, name: Named) -> Fault:
    return fault("InvalidPart", MISSING, UploadId=upload.upload_id, PartNumber=name.number, ETag=name.etag)
