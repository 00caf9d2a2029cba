"""Settings of a bucket that are one value each: versioning, default encryption, who pays, where access is logged.

What versioning and encryption mean for objects is the objects' own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.context import Call
from craton.services.operation import operation
from craton.services.s3 import configured
from craton.services.s3.bucket_record import SSE_KMS, SSE_S3, Versioning
from craton.services.s3.faults import fault, invalid_argument, malformed_xml, not_implemented

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        DeleteBucketEncryptionRequest,
        GetBucketEncryptionOutput,
        GetBucketEncryptionRequest,
        GetBucketLoggingOutput,
        GetBucketLoggingRequest,
        GetBucketRequestPaymentOutput,
        GetBucketRequestPaymentRequest,
        GetBucketVersioningOutput,
        GetBucketVersioningRequest,
        PutBucketEncryptionRequest,
        PutBucketLoggingRequest,
        PutBucketRequestPaymentRequest,
        PutBucketVersioningRequest,
    )

# What holds for a bucket of which nothing was put, and again after a deletion.
DEFAULT_ENCRYPTION: Final[dict[str, Any]] = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": SSE_S3}, "BucketKeyEnabled": False}]
}


@operation("s3", "PutBucketVersioning")
async def put_bucket_versioning(call: Call, req: PutBucketVersioningRequest) -> None:
    found = await configured.read(call, req, "s3:PutBucketVersioning")
    asked = req.VersioningConfiguration
    if asked.MFADelete == "Enabled" or req.MFA is not None:
        raise not_implemented("Deleting by multi-factor authentication is not implemented by this server.")
    if asked.Status is None:
        text = "The Versioning element must be specified"
        raise fault("IllegalVersioningConfigurationException", text)
    status: Versioning = asked.Status
    await configured.amend(call, found.name, lambda bucket: msgspec.structs.replace(bucket, versioning=status))


@operation("s3", "GetBucketVersioning")
async def get_bucket_versioning(call: Call, req: GetBucketVersioningRequest) -> GetBucketVersioningOutput:
    found = await configured.read(call, req, "s3:GetBucketVersioning")
    return {"Status": found.bucket.versioning} if found.bucket.versioning else {}


@operation("s3", "PutBucketEncryption")
async def put_bucket_encryption(call: Call, req: PutBucketEncryptionRequest) -> None:
    found = await configured.read(call, req, "s3:PutEncryptionConfiguration")
    rules = req.ServerSideEncryptionConfiguration.Rules
    if len(rules) != 1 or rules[0].ApplyServerSideEncryptionByDefault is None:
        raise malformed_xml()
    default = rules[0].ApplyServerSideEncryptionByDefault
    if default.SSEAlgorithm not in (SSE_S3, SSE_KMS):
        raise not_implemented(f"Encryption by {default.SSEAlgorithm} is not implemented by this server.")
    if default.SSEAlgorithm == SSE_S3 and default.KMSMasterKeyID:
        text = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
        raise invalid_argument(text, "KMSMasterKeyID", default.KMSMasterKeyID)
    rule = configured.document(rules[0])
    kept = {"Rules": [{**rule, "BucketKeyEnabled": bool(rule.get("BucketKeyEnabled"))}]}
    await configured.amend(call, found.name, lambda bucket: msgspec.structs.replace(bucket, encryption=kept))


@operation("s3", "GetBucketEncryption")
async def get_bucket_encryption(call: Call, req: GetBucketEncryptionRequest) -> GetBucketEncryptionOutput:
    found = await configured.read(call, req, "s3:GetEncryptionConfiguration")
    return {"ServerSideEncryptionConfiguration": found.bucket.encryption or DEFAULT_ENCRYPTION}  # type: ignore[typeddict-item]


@operation("s3", "DeleteBucketEncryption")
async def delete_bucket_encryption(call: Call, req: DeleteBucketEncryptionRequest) -> None:
    """Back to S3's own keys: nothing is ever kept in the clear."""
    await configured.changed(
        call, req, "s3:PutEncryptionConfiguration", lambda bucket: msgspec.structs.replace(bucket, encryption=None)
    )


@operation("s3", "PutBucketRequestPayment", status="partial")
async def put_bucket_request_payment(call: Call, req: PutBucketRequestPaymentRequest) -> None:
    await configured.read(call, req, "s3:PutBucketRequestPayment")
    if req.RequestPaymentConfiguration.Payer != "BucketOwner":
        raise not_implemented("Payment by the requester is not implemented by this server.")


@operation("s3", "GetBucketRequestPayment")
async def get_bucket_request_payment(call: Call, req: GetBucketRequestPaymentRequest) -> GetBucketRequestPaymentOutput:
    await configured.read(call, req, "s3:GetBucketRequestPayment")
    return {"Payer": "BucketOwner"}


@operation("s3", "PutBucketLogging", status="partial")
async def put_bucket_logging(call: Call, req: PutBucketLoggingRequest) -> None:
    """Access logs are not written, so only what turns them off is taken."""
    await configured.read(call, req, "s3:PutBucketLogging")
    if req.BucketLoggingStatus.LoggingEnabled is not None:
        raise not_implemented("Server access logging is not implemented by this server; its audit log records calls.")


@operation("s3", "GetBucketLogging")
async def get_bucket_logging(call: Call, req: GetBucketLoggingRequest) -> GetBucketLoggingOutput:
    await configured.read(call, req, "s3:GetBucketLogging")
    return {}
