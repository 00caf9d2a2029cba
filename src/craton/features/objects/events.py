"""What happened to an object, as the events of S3 tell it.

Owns the members of an event record, version 2.1. Pure. Source: S3 user guide, "Event message structure".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import msgspec


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an object. `name` as in `ObjectCreated:Put`; `sequencer` rises with the changes of a key."""

    name: str
    bucket: str
    bucket_arn: str
    owner: str
    region: str
    key: str
    size: int
    etag: str
    version_id: str | None
    sequencer: str
    rule: str
    principal: str
    source_ip: str
    request_id: str
    host_id: str
    at: datetime


def message(change: Change) -> bytes:
    """The event as a function gets it: one record."""
    thing: dict[str, Any] = {"key": quote_plus(change.key, safe="/"), "sequencer": change.sequencer}
    if change.name.startswith("ObjectCreated"):
        thing |= {"size": change.size, "eTag": change.etag}
    if change.version_id is not None:
        thing["versionId"] = change.version_id
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": change.region,
        "eventTime": f"{change.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{change.at.microsecond // 1000:03d}Z",
        "eventName": change.name,
        "userIdentity": {"principalId": f"AWS:{change.principal}"},
        "requestParameters": {"sourceIPAddress": change.source_ip},
        "responseElements": {"x-amz-request-id": change.request_id, "x-amz-id-2": change.host_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": change.rule,
            "bucket": {"name": change.bucket, "ownerIdentity": {"principalId": change.owner}, "arn": change.bucket_arn},
            "object": thing,
        },
    }
    return msgspec.json.encode({"Records": [record]})
