"""A model import job as a row of the store: its kind, its states, its body, and how it ends.

Owns what the operations and the workflow both know of a job. It must not know S3, files or how a run is journaled.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from craton.aws.access.actions import arn_of
from craton.infra.store.port import Resource

KIND = "model-import-job"
SHOWN = "model import job"
IN_PROGRESS, COMPLETED, FAILED = "InProgress", "Completed", "Failed"
MAX_MESSAGE = 2048


class ImportJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a job's row. `model_id` is the id of the model that is to be, `tags` are the job's own."""

    model_id: str
    model_name: str
    role_arn: str
    uri: str
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    model_tags: dict[str, str] = {}
    message: str | None = None
    ended_at: datetime | None = None

    @property
    def bucket(self) -> str:
        return self.uri.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        """What the keys of the folder's files begin with; empty for the whole bucket."""
        folder = self.uri.removeprefix("s3://").partition("/")[2].rstrip("/")
        return f"{folder}/" if folder else ""


def job_arn(account: str, region: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=ident)


def ended(row: Resource, status: str, now: datetime, message: str | None = None) -> Resource:
    """The row of a job that is over, for good: one that has ended already stays as it is."""
    if row.status != IN_PROGRESS:
        return row
    told = message[:MAX_MESSAGE] if message else None
    body = msgspec.structs.replace(row.read(ImportJob), ended_at=now, message=told)
    return msgspec.structs.replace(row, status=status, updated_at=now, body=msgspec.json.encode(body))
