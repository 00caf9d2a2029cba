"""What is kept of a bucket: the body of its row, and the questions that other parts of S3 put to it.

The row is a Resource of kind `s3-bucket`: its ARN (which names no account) is unique among all accounts, its region is
where it was made. Configurations are kept as the API takes and gives them, so that what comes back is what was put. It
must not know who may do what (`gate`), nor objects.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

KIND: Final = "s3-bucket"
ENFORCED: Final = "BucketOwnerEnforced"
SSE_S3: Final = "AES256"
SSE_KMS: Final = "aws:kms"
BLOCKED: Final = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True,
                  "RestrictPublicBuckets": True}  # fmt: skip

Versioning = Literal["", "Enabled", "Suspended"]
Document = dict[str, Any]
"""A configuration in the API's own members, as decoded from the request."""


class Encryption(msgspec.Struct, frozen=True):
    """How an object is sealed that says nothing of it: `AES256` or `aws:kms`, and the KMS key (None: the default key)."""

    algorithm: str = SSE_S3
    key: str | None = None
    bucket_key: bool = False


class Bucket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a bucket's row. None: never configured, or deleted.

    `encryption` is a ServerSideEncryptionConfiguration, `public_access_block` a PublicAccessBlockConfiguration,
    `ownership` the ObjectOwnership, `cors` a CORSConfiguration, `lifecycle` a BucketLifecycleConfiguration (every rule
    with its ID), `notification` a NotificationConfiguration.
    """

    versioning: Versioning = ""
    policy: str | None = None
    encryption: Document | None = None
    public_access_block: Document | None = None
    ownership: str | None = ENFORCED
    cors: Document | None = None
    lifecycle: Document | None = None
    notification: Document | None = None
    tags: dict[str, str] = {}

    @property
    def keeps_versions(self) -> bool:
        """Whether a new object lies beside the older ones, under a version id of its own."""
        return self.versioning == "Enabled"

    @property
    def default_encryption(self) -> Encryption:
        rules = (self.encryption or {}).get("Rules") or [{}]
        default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
        return Encryption(
            default.get("SSEAlgorithm", SSE_S3), default.get("KMSMasterKeyID"), bool(rules[0].get("BucketKeyEnabled"))
        )

    def blocks(self, what: str) -> bool:
        """Whether a switch of the public access block is on, e.g. `RestrictPublicBuckets`."""
        return bool((self.public_access_block or {}).get(what))


def arn_of(bucket: str, key: str | None = None) -> str:
    """The ARN of a bucket, or of an object in it."""
    return f"arn:aws:s3:::{bucket}" if key is None else f"arn:aws:s3:::{bucket}/{key}"
