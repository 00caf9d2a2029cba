"""The modules that hold S3's handlers."""

from __future__ import annotations

from craton.services.s3 import (
    absent,
    access_blocks,
    acls,
    buckets,
    completing,
    copying,
    cors,
    deleting,
    lifecycle,
    multipart,
    notifications,
    object_listing,
    object_tags,
    objects,
    policies,
    reading,
    settings,
    tagging,
    upload_listing,
)

HANDLERS = (
    buckets,
    policies,
    access_blocks,
    acls,
    tagging,
    settings,
    cors,
    lifecycle,
    notifications,
    objects,
    deleting,
    reading,
    object_listing,
    multipart,
    completing,
    upload_listing,
    copying,
    object_tags,
    absent,
)
