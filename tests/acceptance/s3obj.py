"""What the tests of S3's objects share: buckets of their own, and errors by code."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.running import Running

_numbers = itertools.count(1)


def bucket_of(server: Running, *, versioning: str = "", client: Any = None) -> tuple[Any, str]:
    """A client and a new bucket."""
    s3, name = client or server.client("s3"), f"objects-{server.port}-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    if versioning:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": versioning})
    return s3, name


@contextmanager
def refused(code: str, status: int) -> Iterator[Any]:
    """The block ends in this error of S3."""
    with pytest.raises(ClientError) as caught:
        yield caught
    answer = caught.value.response
    assert answer["Error"]["Code"] == code, answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status, answer


def read(s3: Any, bucket: str, key: str, **more: Any) -> bytes:
    body: bytes = s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()
    return body


def keys(s3: Any, bucket: str, **more: Any) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, **more).get("Contents", [])]
