"""A batch inference job as a row of the store: its kind, its states, its body, and the rules of how it moves.

Owns what the operations and the workflow both know of a job. It must not know S3, HTTP or how a run is journaled.
The states and what they mean are botocore's words on GetModelInvocationJob: `Expired` has not begun in its time,
`PartiallyCompleted` has, but was not done with all records.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from craton.aws.access.actions import arn_of
from craton.infra.store.port import Resource

KIND = "model-invocation-job"
SHOWN = "model invocation job"
InvocationType = Literal["InvokeModel", "Converse"]
SUBMITTED, VALIDATING, SCHEDULED, IN_PROGRESS = "Submitted", "Validating", "Scheduled", "InProgress"
STOPPING, STOPPED = "Stopping", "Stopped"
COMPLETED, PARTIALLY, FAILED, EXPIRED = "Completed", "PartiallyCompleted", "Failed", "Expired"
RUNNING = frozenset({SUBMITTED, VALIDATING, SCHEDULED, IN_PROGRESS, STOPPING})
"""The states that a job leaves again."""
MAX_MESSAGE = 2048
_ORDER = (SUBMITTED, VALIDATING, SCHEDULED, IN_PROGRESS)


class Location(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where in S3: `uri` as it was given, the bucket's expected owner, and the key that seals what is written."""

    uri: str
    owner: str | None = None
    kms_key: str | None = None

    @property
    def bucket(self) -> str:
        return self.uri.removeprefix("s3://").partition("/")[0]

    @property
    def key(self) -> str:
        """The object's key, or the prefix of several; empty for the whole bucket."""
        return self.uri.removeprefix("s3://").partition("/")[2]


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a job is, in records and tokens. `total` is None until the input has been read."""

    total: int | None = None
    succeeded: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def processed(self) -> int:
        return self.succeeded + self.failed

    def plus(self, other: Counts) -> Counts:
        """Both together; the total stays this one's."""
        return Counts(
            self.total,
            self.succeeded + other.succeeded,
            self.failed + other.failed,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )


class BatchJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a job's row. Times are aware UTC.

    `called` is the model id under which the gateway is asked, `as_role` whether with the role's rights.
    """

    model_id: str
    called: str
    role_arn: str
    as_role: bool = False
    source: Location
    target: Location
    invocation_type: InvocationType = "InvokeModel"
    timeout_hours: int = 24
    expires_at: datetime
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    token: str | None = None
    tags: dict[str, str] = {}
    message: str | None = None
    ended_at: datetime | None = None
    counts: Counts = Counts()


def job_arn(account: str, region: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=ident)


def moved(row: Resource, status: str, now: datetime) -> Resource:
    """The row in a later state. What has ended stays as it is, and a job that is to stop only ends."""
    if row.status not in _ORDER or _ORDER.index(row.status) >= _ORDER.index(status):
        return row
    return msgspec.structs.replace(row, status=status, updated_at=now)


def counted(row: Resource, counts: Counts, now: datetime) -> Resource:
    """The row with newer figures."""
    body = msgspec.structs.replace(row.read(BatchJob), counts=counts)
    return msgspec.structs.replace(row, body=msgspec.json.encode(body), updated_at=now)


def ended(row: Resource, status: str, now: datetime, *, message: str | None = None, counts: Counts | None) -> Resource:
    """The row of a job that is over, for good: one that has ended already stays as it is."""
    if row.status not in RUNNING:
        return row
    body = row.read(BatchJob)
    body = msgspec.structs.replace(
        body,
        ended_at=now,
        message=message[:MAX_MESSAGE] if message else None,
        counts=body.counts if counts is None else counts,
    )
    return msgspec.structs.replace(row, status=status, updated_at=now, body=msgspec.json.encode(body))
