"""Cross-origin rules of a bucket: put, got, deleted. The door answers browsers by them.

Source: S3 API reference, "PutBucketCors"; user guide, "Elements of a CORS configuration".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.context import App, Call
from craton.services.operation import operation
from craton.services.s3 import configured
from craton.services.s3.bucket_record import KIND, Bucket, arn_of
from craton.services.s3.faults import invalid_request, malformed_xml, not_set

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        DeleteBucketCorsRequest,
        GetBucketCorsOutput,
        GetBucketCorsRequest,
        PutBucketCorsRequest,
    )

METHODS: Final = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})
MOST_RULES: Final = 100


def check_rule(rule: Any) -> None:
    """Raise for a rule that S3 does not take."""
    if not rule.AllowedMethods or not rule.AllowedOrigins:
        raise malformed_xml()
    for method in rule.AllowedMethods:
        if method not in METHODS:
            raise invalid_request(f"Found unsupported HTTP method in CORS config. Unsupported method is {method}")
    for name, values in (("AllowedOrigin", rule.AllowedOrigins), ("AllowedHeader", rule.AllowedHeaders or ())):
        for value in values:
            if value.count("*") > 1:
                raise invalid_request(f'{name} "{value}" can not have more than one wildcard.')
    for value in rule.ExposeHeaders or ():
        if "*" in value:
            raise invalid_request(f'ExposeHeader "{value}" contains wildcard. We currently do not support wildcard for '
                                  "ExposeHeader")  # fmt: skip


@operation("s3", "PutBucketCors")
async def put_bucket_cors(call: Call, req: PutBucketCorsRequest) -> None:
    found = await configured.read(call, req, "s3:PutBucketCORS")
    rules = req.CORSConfiguration.CORSRules
    if not 1 <= len(rules) <= MOST_RULES:
        raise malformed_xml()
    for rule in rules:
        check_rule(rule)
    kept = configured.document(req.CORSConfiguration)
    await configured.amend(call, found.name, lambda bucket: msgspec.structs.replace(bucket, cors=kept))


@operation("s3", "GetBucketCors")
async def get_bucket_cors(call: Call, req: GetBucketCorsRequest) -> GetBucketCorsOutput:
    found = await configured.read(call, req, "s3:GetBucketCORS")
    if found.bucket.cors is None:
        raise not_set("NoSuchCORSConfiguration", "The CORS configuration does not exist", found.name)
    return found.bucket.cors  # type: ignore[return-value]


@operation("s3", "DeleteBucketCors")
async def delete_bucket_cors(call: Call, req: DeleteBucketCorsRequest) -> None:
    await configured.changed(call, req, "s3:PutBucketCORS", lambda bucket: msgspec.structs.replace(bucket, cors=None))


async def rules_of(app: App, bucket: str) -> list[dict[str, Any]]:
    """The rules of a bucket as the door judges browsers by them; none for a bucket that is not there."""
    row = await app.storage.read(lambda store: store.get(arn_of(bucket))) if bucket else None
    found = row.read(Bucket).cors if row is not None and row.kind == KIND else None
    rules: list[dict[str, Any]] = found.get("CORSRules", []) if found else []
    return rules
