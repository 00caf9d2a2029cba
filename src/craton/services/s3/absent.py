"""What a bucket never has here, read: the honest answer is S3's own for a bucket of which it was never configured.

Tools that look after whole buckets (Terraform for one) read all of it. Putting any of it is not built, and says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from craton.context import Call
from craton.services.operation import operation
from craton.services.s3 import configured
from craton.services.s3.faults import not_set

Handler = Callable[[Call, Any], Awaitable[Any]]


def _empty(action: str, members: Mapping[str, Any]) -> Handler:
    async def read(call: Call, req: Any) -> Any:
        await configured.read(call, req, action)
        return dict(members)

    return read


def _missing(action: str, error: str, message: str) -> Handler:
    async def read(call: Call, req: Any) -> Any:
        found = await configured.read(call, req, action)
        raise not_set(error, message, found.name)

    return read


def _none_by_id(action: str) -> Handler:
    return _missing(action, "NoSuchConfiguration", "The specified configuration does not exist.")


_NONE: Mapping[str, Any] = {"IsTruncated": False}

get_bucket_accelerate_configuration = operation("s3", "GetBucketAccelerateConfiguration", status="partial")(
    _empty("s3:GetAccelerateConfiguration", {})
)
get_bucket_website = operation("s3", "GetBucketWebsite", status="partial")(
    _missing(
        "s3:GetBucketWebsite",
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    )
)
delete_bucket_website = operation("s3", "DeleteBucketWebsite", status="partial")(_empty("s3:DeleteBucketWebsite", {}))
get_bucket_replication = operation("s3", "GetBucketReplication", status="partial")(
    _missing(
        "s3:GetReplicationConfiguration",
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    )
)
delete_bucket_replication = operation("s3", "DeleteBucketReplication", status="partial")(
    _empty("s3:PutReplicationConfiguration", {})
)
get_object_lock_configuration = operation("s3", "GetObjectLockConfiguration", status="partial")(
    _missing(
        "s3:GetBucketObjectLockConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    )
)
list_bucket_analytics_configurations = operation("s3", "ListBucketAnalyticsConfigurations", status="partial")(
    _empty("s3:GetAnalyticsConfiguration", _NONE)
)
list_bucket_intelligent_tiering_configurations = operation(
    "s3", "ListBucketIntelligentTieringConfigurations", status="partial"
)(_empty("s3:GetIntelligentTieringConfiguration", _NONE))
list_bucket_inventory_configurations = operation("s3", "ListBucketInventoryConfigurations", status="partial")(
    _empty("s3:GetInventoryConfiguration", _NONE)
)
list_bucket_metrics_configurations = operation("s3", "ListBucketMetricsConfigurations", status="partial")(
    _empty("s3:GetMetricsConfiguration", _NONE)
)
get_bucket_analytics_configuration = operation("s3", "GetBucketAnalyticsConfiguration", status="partial")(
    _none_by_id("s3:GetAnalyticsConfiguration")
)
get_bucket_intelligent_tiering_configuration = operation(
    "s3", "GetBucketIntelligentTieringConfiguration", status="partial"
)(_none_by_id("s3:GetIntelligentTieringConfiguration"))
get_bucket_inventory_configuration = operation("s3", "GetBucketInventoryConfiguration", status="partial")(
    _none_by_id("s3:GetInventoryConfiguration")
)
get_bucket_metrics_configuration = operation("s3", "GetBucketMetricsConfiguration", status="partial")(
    _none_by_id("s3:GetMetricsConfiguration")
)
