"""An evaluation job as a row of the store: its kind, its states, what is to be evaluated by what, and how it ends.

Owns what the operations and the workflow both know of a job. It must not know S3, HTTP or how a run is journaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from craton.aws.access.actions import arn_of
from craton.features.evaluation.scales import Scale
from craton.infra.store.port import Resource

KIND = "evaluation-job"
SHOWN = "evaluation job"
IN_PROGRESS, COMPLETED, FAILED = "InProgress", "Completed", "Failed"
STOPPING, STOPPED, DELETING = "Stopping", "Stopped", "Deleting"
RUNNING = frozenset({IN_PROGRESS, STOPPING})
"""The states that a job leaves again."""
MAX_MESSAGES, MAX_MESSAGE = 20, 2048


class Dataset(msgspec.Struct, frozen=True, omit_defaults=True):
    """Prompts for one task, and the metrics that their answers are scored by. Without a `uri` it is built in."""

    task: str
    name: str
    metrics: tuple[str, ...]
    uri: str = ""


class Rag(msgspec.Struct, frozen=True, omit_defaults=True):
    """Retrieval, alone or with generation: what Retrieve or RetrieveAndGenerate is asked with, as the request had it."""

    generates: bool
    config: dict[str, Any] = {}


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is evaluated: a model, a knowledge base with `rag`, or with `precomputed` answers that stand in the datasets
    under this identifier.

    `called` is the id under which the gateway is asked, `params` the caller's inference parameters as JSON.
    """

    identifier: str
    precomputed: bool = False
    called: str = ""
    params: str | None = None
    latency: str | None = None
    rag: Rag | None = None


class Judge(msgspec.Struct, frozen=True, omit_defaults=True):
    """The model that judges."""

    identifier: str
    called: str


class CustomMetric(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric of the caller's own: what the judge is told, and the ratings that it may give."""

    name: str
    instructions: str
    scale: Scale = ()


class EvaluationJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a job's row. Times are aware UTC. `application` is as it was given, if it was."""

    role_arn: str
    target: str
    datasets: tuple[Dataset, ...]
    subjects: tuple[Subject, ...]
    judge: Judge | None = None
    custom: tuple[CustomMetric, ...] = ()
    custom_judge: Judge | None = None
    description: str | None = None
    application: str | None = None
    kms_key: str | None = None
    tags: dict[str, str] = {}
    messages: tuple[str, ...] = ()
    ended_at: datetime | None = None


def job_arn(account: str, region: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=ident)


def ended(row: Resource, status: str, now: datetime, messages: Sequence[str] = ()) -> Resource:
    """The row of a job that is over, for good: one that has ended already stays as it is."""
    if row.status not in RUNNING:
        return row
    told = tuple(one[:MAX_MESSAGE] for one in messages[:MAX_MESSAGES])
    body = msgspec.structs.replace(row.read(EvaluationJob), ended_at=now, messages=told)
    return msgspec.structs.replace(row, status=status, updated_at=now, body=msgspec.json.encode(body))
