"""Where logs lie in a bucket, and what lies in one object: Bedrock's key layout, in names that a retry repeats.

Owns the keys and the packing. A name is made of the segment that its records waited in, so an object that is written
again after a crash takes its own place. Pure. Source: user guide, "Model invocation logging".
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from craton.features.invocations.record import Paths, Record, Side, line

CHECK = "amazon-bedrock-logs-permission-check"


def root(prefix: str, account: str) -> str:
    """Where an account's logs begin."""
    start = prefix.strip("/")
    return f"{start + '/' if start else ''}AWSLogs/{account}/BedrockModelInvocationLogs"


def hour(prefix: str, account: str, region: str, at: datetime) -> str:
    return f"{root(prefix, account)}/{region}/{at:%Y/%m/%d/%H}"


def object_key(prefix: str, account: str, region: str, at: datetime, source: str) -> str:
    """The key of records of one hour, the first of which is of `at`; `source` is what they waited in."""
    digest = sha256(f"{source}/{at:%Y%m%d%H}".encode()).hexdigest()[:16]
    return f"{hour(prefix, account, region, at)}/{at:%Y%m%dT%H%M%S}Z_{digest}.json.gz"


def data_key(prefix: str, account: str, region: str, record: Record, name: str, body: Side) -> str:
    """The key of a body that lies apart."""
    suffix = "json.gz" if body.json is not None else "bin.gz"
    return f"{hour(prefix, account, region, record.at)}/data/{record.request_id}_{name}.{suffix}"


def packed(data: bytes) -> bytes:
    """gzip; the same bytes for the same data."""
    return gzip.compress(data, compresslevel=6, mtime=0)


def by_hour(records: Iterable[Record]) -> list[list[Record]]:
    """Records by the hour under which they lie."""
    hours: dict[str, list[Record]] = {}
    for record in records:
        hours.setdefault(f"{record.at:%Y%m%d%H}", []).append(record)
    return [sorted(found, key=lambda record: record.at) for _, found in sorted(hours.items())]


def lines(records: list[Record], paths: list[Paths]) -> bytes:
    return b"".join(line(record, where) + b"\n" for record, where in zip(records, paths, strict=True))
