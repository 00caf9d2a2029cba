"""The errors of S3 that more than one noun raises, in S3's words. Names and statuses are `aws.wire.s3_faults`'s."""

from __future__ import annotations

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import DENIED, fault, malformed_xml

__all__ = ["access_denied", "fault", "invalid_argument", "invalid_request", "malformed_xml", "no_such_bucket",
           "no_such_key", "not_implemented", "not_set"]  # fmt: skip


def access_denied(message: str = DENIED) -> Fault:
    return fault("AccessDenied", message)


def no_such_bucket(bucket: str) -> Fault:
    return fault("NoSuchBucket", "The specified bucket does not exist", BucketName=bucket)


def no_such_key(key: str) -> Fault:
    return fault("NoSuchKey", "The specified key does not exist.", Key=key)


def invalid_argument(message: str, name: str | None = None, value: str | None = None) -> Fault:
    fields = {} if name is None else {"ArgumentName": name, "ArgumentValue": value or ""}
    return fault("InvalidArgument", message, **fields)


def invalid_request(message: str) -> Fault:
    return fault("InvalidRequest", message)


def not_implemented(message: str = "A header you provided implies functionality that is not implemented") -> Fault:
    """501: something of S3's that this server does not have. No SDK repeats it."""
    return fault("NotImplemented", message)


def not_set(name: str, message: str, bucket: str) -> Fault:
    """404: a configuration that the bucket does not have."""
    return fault(name, message, BucketName=bucket)
