"""What a request says of the object that it makes: headers to keep, metadata, tags, storage class.

Owns S3's limits on them, and that what is not built (locks) is refused instead of forgotten. It must not know how an
object is kept or sealed. Sources: S3 API reference, PutObject; user guide, "Working with object metadata".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from craton.aws.wire.s3_faults import fault, invalid_argument
from craton.infra.objects.record import Version
from craton.services.s3.acls import check_object_acl
from craton.services.s3.faults import not_implemented
from craton.services.s3.tagging import MOST_OF_OBJECT, checked_tags

KEPT: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)
DEFAULT_TYPE: Final = "binary/octet-stream"
MOST_METADATA_BYTES: Final = 2048
_LOCKS: Final = (
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "ObjectLockLegalHoldStatus",
    "ObjectLockEventHold",
    "ObjectLockEventHoldDurationDays",
    "ObjectLockEventHoldDurationYears",
)


class Described(msgspec.Struct, frozen=True):
    """`headers` by member of the API; `storage_class` as S3 names it."""

    headers: dict[str, str]
    metadata: dict[str, str]
    tags: dict[str, str]
    storage_class: str


class _Tag(msgspec.Struct, frozen=True):
    Key: str
    Value: str


def described(req: Any) -> Described:
    """What a PutObject, CreateMultipartUpload or CopyObject says. Raises Fault."""
    check_object_acl(req)
    check_unlocked(req)
    return Described(headers(req), metadata(req.Metadata), tags(req.Tagging), req.StorageClass or "STANDARD")


def check_unlocked(req: Any) -> None:
    """Raise NotImplemented for a request that would lock its object."""
    if any(getattr(req, name, None) is not None for name in _LOCKS):
        raise not_implemented("Object Lock is not implemented by this server.")


def headers(req: Any) -> dict[str, str]:
    """The headers that are given back with the object."""
    found: dict[str, str] = {}
    for name in KEPT:
        value = getattr(req, name)
        if name == "ContentEncoding" and value:
            # It says how this request was framed, not what the object is.
            value = ",".join(word for word in value.split(",") if word.strip().lower() != "aws-chunked").strip()
        if value:
            found[name] = format_datetime(value, usegmt=True) if isinstance(value, datetime) else value
    target = found.get("WebsiteRedirectLocation")
    if target is not None and not target.startswith(("/", "http://", "https://")):
        raise fault(
            "InvalidRedirectLocation",
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
        )
    return found


def metadata(given: Mapping[str, str] | None) -> dict[str, str]:
    """User-defined metadata, by name without its prefix. Raises MetadataTooLarge."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in (given or {}).items())
    if size > MOST_METADATA_BYTES:
        raise fault(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            Size=size,
            MaxSizeAllowed=MOST_METADATA_BYTES,
        )
    return dict(given or {})


def tags(header: str | None) -> dict[str, str]:
    """The tags of the header `x-amz-tagging`, written as a query. Raises InvalidTag, InvalidArgument."""
    if not header:
        return {}
    try:
        pairs = parse_qsl(header, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        text = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."
        raise invalid_argument(text, "x-amz-tagging", header[:256]) from None
    return checked_tags([_Tag(name, value) for name, value in pairs], MOST_OF_OBJECT)


def shown(found: Version) -> dict[str, Any]:
    """The members by which a read tells what is kept beside the bytes."""
    kept = found.detail.headers
    members: dict[str, Any] = {"ContentType": DEFAULT_TYPE, **kept}
    if "Expires" in kept:
        members["Expires"] = parsedate_to_datetime(kept["Expires"])
    if found.detail.metadata:
        members["Metadata"] = found.detail.metadata
    if found.storage_class != "STANDARD":
        members["StorageClass"] = found.storage_class
    return members
