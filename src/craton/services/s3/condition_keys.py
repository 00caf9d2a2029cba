"""The condition keys of S3 that a request brings, by which of its members says so.

Owns the table from members of requests to condition keys. It must not know policies, nor what a request does.
Source: service authorization reference, "Condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from craton.aws.access.variables import Value
from craton.context import Call

# Member of a request → condition key.
MEMBERS: Final[Mapping[str, str]] = {
    "ACL": "s3:x-amz-acl",
    "CopySource": "s3:x-amz-copy-source",
    "Delimiter": "s3:delimiter",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
    "MaxKeys": "s3:max-keys",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "Prefix": "s3:prefix",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "StorageClass": "s3:x-amz-storage-class",
    "VersionId": "s3:versionid",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
}
_TAG: Final = "s3:requestobjecttag/"


def given_by(call: Call, req: Any) -> dict[str, Value]:
    """The keys of a decoded request; `Tagging` may be a header's text or a decoded TagSet."""
    keys: dict[str, Value] = dict(of_connection(call))
    for member, key in MEMBERS.items():
        value = getattr(req, member, None)
        if value is not None:
            keys[key] = str(value)
    tags = _tags(getattr(req, "Tagging", None))
    if tags:
        keys |= {_TAG + name.lower(): value for name, value in tags.items()}
        keys["s3:requestobjecttagkeys"] = tuple(tags)
    return keys


def of_connection(call: Call) -> dict[str, Value]:
    """How the request was signed."""
    if not call.caller.account:
        return {}
    presigned = b"X-Amz-Signature=" in call.scope.get("query_string", b"")
    digest = call.header(b"x-amz-content-sha256")
    keys: dict[str, Value] = {
        "s3:authtype": "REST-QUERY-STRING" if presigned else "REST-HEADER",
        "s3:signatureversion": "AWS4-HMAC-SHA256",
    }
    if digest is not None:
        keys["s3:x-amz-content-sha256"] = digest
    return keys


def _tags(tagging: object) -> dict[str, str]:
    if tagging is None:
        return {}
    if isinstance(tagging, str):
        return dict(parse_qsl(tagging, keep_blank_values=True))
    return {one.Key: one.Value for one in getattr(tagging, "TagSet", None) or ()}
