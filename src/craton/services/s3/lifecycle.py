"""Lifecycle rules of a bucket: put, got, deleted. What they mean is `features.objects.lifecycle`'s; who carries them
out is `lifecycle_sweep`.

Transitions to other storage classes are refused, because there is one class here.
Source: S3 user guide, "Lifecycle configuration elements"; the texts are S3's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.context import Call
from craton.infra.store.ids import lower_id
from craton.services.operation import operation
from craton.services.s3 import configured
from craton.services.s3.faults import invalid_argument, invalid_request, malformed_xml, not_implemented, not_set

if TYPE_CHECKING:
    from craton.aws.shapes.s3 import (
        DeleteBucketLifecycleRequest,
        GetBucketLifecycleConfigurationOutput,
        GetBucketLifecycleConfigurationRequest,
        PutBucketLifecycleConfigurationOutput,
        PutBucketLifecycleConfigurationRequest,
    )

MOST_RULES: Final = 1000
_CHOICES: Final = ("Prefix", "Tag", "And", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
_ACTIONS: Final = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload", "Transitions",
                   "NoncurrentVersionTransitions")  # fmt: skip
NOT_POSITIVE = "'{name}' for {action} action must be a positive integer"


def checked_rules(rules: list[Any]) -> list[dict[str, Any]]:
    """The decoded rules as they are kept, each with an ID. Raises as S3 does for what makes no sense."""
    if not 1 <= len(rules) <= MOST_RULES:
        raise malformed_xml()
    kept = []
    for rule in rules:
        _check_filter(rule)
        _check_actions(rule)
        document = configured.document(rule)
        kept.append({**document, "ID": document.get("ID") or lower_id()})
    names = [rule["ID"] for rule in kept]
    if len(set(names)) != len(names):
        raise invalid_argument("Rule ID must be unique. Found same ID for more than one rule")
    if any(len(name) > 255 for name in names):
        raise invalid_argument("ID length should not exceed allowed limit of 255")
    return kept


def _check_filter(rule: Any) -> None:
    if (rule.Filter is None) == (rule.Prefix is None):
        raise malformed_xml()
    if rule.Filter is not None and sum(getattr(rule.Filter, name) is not None for name in _CHOICES) > 1:
        raise malformed_xml()


def _check_actions(rule: Any) -> None:
    if not any(getattr(rule, name) for name in _ACTIONS):
        raise invalid_request("At least one action needs to be specified in a rule")
    if rule.Transitions or rule.NoncurrentVersionTransitions:
        raise not_implemented("Transitions between storage classes are not implemented by this server.")
    if rule.Expiration is not None:
        _check_expiration(rule)
    noncurrent, abort = rule.NoncurrentVersionExpiration, rule.AbortIncompleteMultipartUpload
    if noncurrent is not None:
        if noncurrent.NoncurrentDays is None:
            raise malformed_xml()
        _check_positive("NoncurrentDays", "NoncurrentVersionExpiration", noncurrent.NoncurrentDays)
        newer = noncurrent.NewerNoncurrentVersions
        if newer is not None and not 1 <= newer <= 100:
            raise invalid_argument("'NewerNoncurrentVersions' must be an integer between 1 and 100")
    if abort is not None:
        if abort.DaysAfterInitiation is None:
            raise malformed_xml()
        _check_positive("DaysAfterInitiation", "AbortIncompleteMultipartUpload", abort.DaysAfterInitiation)
        if _chooses_objects(rule):
            raise invalid_request("AbortIncompleteMultipartUpload cannot be specified with Tags.")


def _check_expiration(rule: Any) -> None:
    asked = rule.Expiration
    if sum(one is not None for one in (asked.Days, asked.Date, asked.ExpiredObjectDeleteMarker)) != 1:
        raise malformed_xml()
    if asked.Days is not None:
        _check_positive("Days", "Expiration", asked.Days)
    if asked.Date is not None and asked.Date.astimezone(UTC).time() != datetime.min.time():
        raise invalid_argument("'Date' must be at midnight GMT")
    if asked.ExpiredObjectDeleteMarker is not None and _chooses_objects(rule):
        raise invalid_request("ExpiredObjectDeleteMarker cannot be specified with Tags.")


def _check_positive(name: str, action: str, value: int) -> None:
    if value < 1:
        raise invalid_argument(NOT_POSITIVE.format(name=name, action=action))


def _chooses_objects(rule: Any) -> bool:
    """Whether the filter asks for more than a prefix."""
    chosen = rule.Filter
    return chosen is not None and (chosen.Tag is not None or bool(chosen.And is not None and chosen.And.Tags))


@operation("s3", "PutBucketLifecycleConfiguration", status="partial")
async def put_bucket_lifecycle_configuration(
    call: Call, req: PutBucketLifecycleConfigurationRequest
) -> PutBucketLifecycleConfigurationOutput:
    found = await configured.read(call, req, "s3:PutLifecycleConfiguration")
    if req.LifecycleConfiguration is None:
        raise malformed_xml()
    kept = {"Rules": checked_rules(req.LifecycleConfiguration.Rules)}
    await configured.amend(call, found.name, lambda bucket: msgspec.structs.replace(bucket, lifecycle=kept))
    return {}


@operation("s3", "GetBucketLifecycleConfiguration")
async def get_bucket_lifecycle_configuration(
    call: Call, req: GetBucketLifecycleConfigurationRequest
) -> GetBucketLifecycleConfigurationOutput:
    found = await configured.read(call, req, "s3:GetLifecycleConfiguration")
    if found.bucket.lifecycle is None:
        raise not_set("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", found.name)
    return {"Rules": [_shown(rule) for rule in found.bucket.lifecycle["Rules"]]}


def _shown(rule: dict[str, Any]) -> Any:
    date = (rule.get("Expiration") or {}).get("Date")
    return rule if date is None else {**rule, "Expiration": {"Date": datetime.fromisoformat(date)}}


@operation("s3", "DeleteBucketLifecycle")
async def delete_bucket_lifecycle(call: Call, req: DeleteBucketLifecycleRequest) -> None:
    await configured.changed(
        call, req, "s3:PutLifecycleConfiguration", lambda bucket: msgspec.structs.replace(bucket, lifecycle=None)
    )
