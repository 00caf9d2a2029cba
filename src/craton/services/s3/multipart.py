"""Uploads in parts: begun, filled, given up. How one is completed is `completing`'s.

Owns the rules of single parts. Each part is a blob of its own, sealed as the upload said when it began, so completing
moves no bytes. Source: S3 user guide, "Uploading and copying objects using multipart upload".
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import fault, invalid_argument
from craton.context import Call
from craton.infra.objects import uploads
from craton.infra.objects.record import Detail, Part, Upload, new_upload_id
from craton.infra.store.port import Transaction, microseconds
from craton.services.operation import operation
from craton.services.s3 import checksums, contents, gate, sealing, versions
from craton.services.s3.condition_keys import given_by
from craton.services.s3.described import described
from craton.services.s3.gate import Opened
from craton.services.s3.objects import incoming
from craton.services.s3.sealing import Way
from craton.services.s3.trouble import as_s3

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        AbortMultipartUploadOutput,
        AbortMultipartUploadRequest,
        CreateMultipartUploadOutput,
        CreateMultipartUploadRequest,
        UploadPartOutput,
        UploadPartRequest,
    )

MOST_PARTS: Final = 10_000
NO_UPLOAD = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."


@operation("s3", "CreateMultipartUpload")
async def create_multipart_upload(call: Call, req: CreateMultipartUploadRequest) -> CreateMultipartUploadOutput:
    given = given_by(call, req)
    bucket = await gate.opened(
        call, req.Bucket, "s3:PutObject", req.Key, given=given, expected_owner=req.ExpectedBucketOwner
    )
    said = described(req)
    if said.tags:
        gate.check(call, bucket, "s3:PutObjectTagging", req.Key, given)
    algorithm, kind = checksums.type_of(req.ChecksumAlgorithm, req.ChecksumType)
    way = await sealing.for_write(call, bucket, req.Key, req)
    ident = new_upload_id()
    upload = Upload(
        bucket=req.Bucket,
        key=req.Key.encode(),
        upload_id=ident,
        started_at=microseconds(call.now().replace(microsecond=0)),
        detail=Detail(way.sealing, said.headers, said.metadata, said.tags, ident),
        storage_class=said.storage_class,
        algorithm=algorithm,
        checksum_type=kind,
        initiator=call.caller.arn,
    )

    def work(transaction: Transaction, _: list[str]) -> None:
        versions.record_now(transaction, bucket)
        transaction.run(lambda connection: uploads.begin(connection, upload))

    with as_s3():
        await call.app.objects.keep(work)
    shown: dict[str, Any] = {"Bucket": req.Bucket, "Key": req.Key, "UploadId": ident, **sealing.shown(way.sealing)}
    if algorithm:
        shown |= {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    return shown  # type: ignore[return-value]


@operation("s3", "UploadPart")
async def upload_part(call: Call, req: UploadPartRequest) -> UploadPartOutput:
    bucket, upload, way = await for_part(call, req)
    body = incoming(req.Body)
    checksums.check_same(upload.algorithm, body.algorithms)
    body.compute(upload.algorithm or checksums.DEFAULT)
    sent = body.algorithms
    kept = await contents.keep(call, bucket, way, body)
    part = Part(
        number=req.PartNumber,
        size=kept.size,
        etag=body.md5.hex(),
        modified_at=versions.now_us(call),
        blob=kept.blob,
        checksums=body.checksums,
    )
    await keep_part(call, upload, part)
    shown = {name: value for name, value in body.checksums.items() if name in sent} or body.checksums
    answer: dict[str, Any] = {
        "ETag": versions.quoted(part.etag),
        **checksums.members(shown),
        **sealing.shown(upload.detail.sealing),
    }
    return answer  # type: ignore[return-value]


async def for_part(call: Call, req: Any) -> tuple[Opened, Upload, Way]:
    """The bucket and the upload that a part is for, and how it is sealed, the caller allowed. Raises NoSuchUpload, InvalidArgument."""
    bucket = await gate.opened(
        call, req.Bucket, "s3:PutObject", req.Key, given=given_by(call, req), expected_owner=req.ExpectedBucketOwner
    )
    if not 1 <= req.PartNumber <= MOST_PARTS:
        text = "Part number must be an integer between 1 and 10000, inclusive"
        raise invalid_argument(text, "partNumber", str(req.PartNumber))
    upload = await find(call, req)
    return bucket, upload, await sealing.for_part(call, bucket, req.Key, upload.detail.sealing, req)


async def keep_part(call: Call, upload: Upload, part: Part) -> None:
    """Keep a part whose blob was written. Raises NoSuchUpload if the upload ended meanwhile; the blob is deleted then."""

    def work(transaction: Transaction, freed: list[str]) -> None:
        if (
            transaction.run(partial(uploads.find, bucket=upload.bucket, key=upload.key, upload_id=upload.upload_id))
            is None
        ):
            raise no_such_upload(upload.upload_id)
        transaction.run(lambda connection: uploads.put_part(connection, upload.upload_id, part, freed))

    with as_s3():
        await call.app.objects.keep(work, [part.blob])


async def find(call: Call, req: Any) -> Upload:
    """The upload that a request names. Raises NoSuchUpload."""
    with as_s3():
        found: Upload | None = await call.app.objects.read(
            partial(uploads.find, bucket=req.Bucket, key=req.Key.encode(), upload_id=req.UploadId)
        )
    if found is None:
        raise no_such_upload(req.UploadId)
    return found


@operation("s3", "AbortMultipartUpload")
async def abort_multipart_upload(call: Call, req: AbortMultipartUploadRequest) -> AbortMultipartUploadOutput:
    await gate.opened(
        call, req.Bucket, "s3:AbortMultipartUpload", req.Key, given=given_by(call, req),
        expected_owner=req.ExpectedBucketOwner,
    )  # fmt: skip

    def work(transaction: Transaction, freed: list[str]) -> None:
        upload = transaction.run(partial(uploads.find, bucket=req.Bucket, key=req.Key.encode(), upload_id=req.UploadId))
        if upload is None:
            raise no_such_upload(req.UploadId)
        asked_at = req.IfMatchInitiatedTime
        if asked_at is not None and microseconds(asked_at) != upload.started_at:
            raise fault("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        transaction.run(lambda connection: uploads.finish(connection, upload, (), freed))

    with as_s3():
        await call.app.objects.keep(work)
    return {}


def no_such_upload(upload_id: str) -> Fault:
    return fault("NoSuchUpload", NO_UPLOAD, UploadId=upload_id[:1024])
