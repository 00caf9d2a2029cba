"""What the tests of invocation logs share: a bucket that Bedrock may write to, and the records in it."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

from tests.acceptance.serving import Served

ACCOUNT, REGION = "000000000000", "us-east-1"


def policy(bucket: str, **condition: Any) -> str:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


SOURCE = {
    "StringEquals": {"aws:SourceAccount": ACCOUNT},
    "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:*"},
}


def bucket_for(served: Served, name: str, **condition: Any) -> Any:
    s3 = served.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=policy(name, **condition))
    return s3


def put(served: Served, bucket: str, prefix: str = "", **more: Any) -> None:
    config = {"s3Config": {"bucketName": bucket, "keyPrefix": prefix}, **more}
    served.client("bedrock").put_model_invocation_logging_configuration(loggingConfig=config)


def keys(s3: Any, bucket: str) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def read(s3: Any, bucket: str, key: str) -> list[dict[str, Any]]:
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def records(s3: Any, bucket: str, count: int, within_s: float = 90.0) -> list[dict[str, Any]]:
    """All records of a bucket, once there are so many."""
    until = time.monotonic() + within_s
    while True:
        found = [one for key in keys(s3, bucket) if "Z_" in key for one in read(s3, bucket, key)]
        if len(found) >= count or time.monotonic() > until:
            return found
        time.sleep(0.2)
