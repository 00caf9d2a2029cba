"""Objects put as a whole.

Owns the write and what it answers. Where the bytes lie is `contents`', which version is current is the index's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from craton.aws.wire.payload import Incoming
from craton.aws.wire.s3_faults import too_large
from craton.context import Call
from craton.infra.objects.record import Detail, Version, written
from craton.services.operation import operation
from craton.services.s3 import conditions, contents, gate, sealing, versions
from craton.services.s3.condition_keys import given_by
from craton.services.s3.described import described

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import PutObjectOutput, PutObjectRequest

DEFAULT_SUM = "CRC64NVME"
"""What S3 computes of an upload whose sender declared no checksum."""


@operation("s3", "PutObject")
async def put_object(call: Call, req: PutObjectRequest) -> PutObjectOutput:
    given = given_by(call, req)
    bucket = await gate.opened(
        call, req.Bucket, "s3:PutObject", req.Key, given=given, expected_owner=req.ExpectedBucketOwner
    )
    said = described(req)
    if req.WriteOffsetBytes is not None:
        raise conditions.not_built("x-amz-write-offset-bytes")
    if said.tags:
        gate.check(call, bucket, "s3:PutObjectTagging", req.Key, given)
    check = conditions.of_write(req.IfMatch, req.IfNoneMatch, req.Key)
    way = await sealing.for_write(call, bucket, req.Key, req)
    body = incoming(req.Body)
    kept = await contents.whole(call, bucket, way, body)
    new = Version(
        bucket=req.Bucket,
        key=req.Key.encode(),
        modified_at=versions.now_us(call),
        detail=Detail(way.sealing, said.headers, said.metadata, said.tags),
        size=kept.size,
        etag=body.md5.hex(),
        storage_class=said.storage_class,
        checksums=written(body.checksums),
        pieces=(kept,),
    )
    stored, record = await versions.commit(call, bucket, new, check)
    await versions.tell_made(call, bucket, "Put", stored, record)
    answer: dict[str, Any] = {
        "ETag": versions.quoted(stored.etag),
        **versions.sums_shown(stored),
        **versions.id_shown(record, stored),
        **sealing.shown(way.sealing),
    }
    return answer  # type: ignore[return-value]


def incoming(body: Any) -> Incoming:
    """The body of an upload, with S3's own checksum computed where the sender declared none. Raises EntityTooLarge."""
    assert isinstance(body, Incoming)  # noqa: S101 - the door hands over nothing else
    if body.length is not None and body.length > contents.MOST_BYTES:
        raise too_large(body.length, contents.MOST_BYTES)
    if not body.algorithms:
        body.compute(DEFAULT_SUM)
    return body
