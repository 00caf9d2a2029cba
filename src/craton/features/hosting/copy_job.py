"""A model copy job as a row of the store: its kind, its states, its body, and how it ends.

Owns what the operations and the workflow both know of a job. It must not know files or how a run is journaled.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from craton.aws.access.actions import arn_of
from craton.features.hosting.import_job import COMPLETED, FAILED, IN_PROGRESS, MAX_MESSAGE
from craton.infra.store.port import Resource

__all__ = ["COMPLETED", "FAILED", "IN_PROGRESS", "KIND", "SHOWN", "CopyJob", "ended", "job_arn"]

KIND = "model-copy-job"
SHOWN = "model copy job"


class CopyJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a job's row.

    `source` is the ARN by which the model was named, `source_row` that of its row. `model_id` is the id of the copy.
    """

    source: str
    source_row: str
    source_name: str
    model_id: str
    model_name: str
    kms_key: str | None = None
    tags: dict[str, str] = {}
    model_tags: dict[str, str] = {}
    message: str | None = None

    @property
    def source_account(self) -> str:
        return self.source.split(":")[4]


def job_arn(account: str, region: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=ident)


def ended(row: Resource, status: str, now: datetime, message: str | None = None) -> Resource:
    """The row of a job that is over, for good."""
    if row.status != IN_PROGRESS:
        return row
    body = msgspec.structs.replace(row.read(CopyJob), message=message[:MAX_MESSAGE] if message else None)
    return msgspec.structs.replace(row, status=status, updated_at=now, body=msgspec.json.encode(body))
