"""A model customization job as a row of the store: its kind, its states, its phases, its body, and how it ends.

Owns what the operations and the workflow both know of a job. It must not know S3, files or how a model is trained.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from craton.aws.access.actions import arn_of
from craton.infra.store.port import Resource

KIND = "model-customization-job"
SHOWN = "model customization job"
IN_PROGRESS, COMPLETED, FAILED, STOPPING, STOPPED = "InProgress", "Completed", "Failed", "Stopping", "Stopped"
RUNNING = (IN_PROGRESS, STOPPING)
NOT_STARTED = "NotStarted"
MAX_MESSAGE = 2048
VALIDATION, PROCESSING, TRAINING = "validationDetails", "dataProcessingDetails", "trainingDetails"
PHASES = (VALIDATION, PROCESSING, TRAINING)
_CURVE = 64
"""How many losses a row bears: enough for a line in a terminal."""


class BaseModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is customized: `id` is the foundation model's, `local` the model whose weights are trained here.

    `local` is a local model's id, or the ARN of a custom model that has weights of its own (`custom_arn` then too).
    `standin` is not empty where those weights stand in for a model of the catalog.
    """

    id: str
    local: str
    standin: str = ""
    context_tokens: int = 0
    custom_arn: str = ""


class Phase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one of the three phases is."""

    status: str = NOT_STARTED
    created_at: datetime | None = None
    changed_at: datetime | None = None


class CustomizationJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a job's row.

    `training`, `validation`, `output` and `config` are members of the request as they came. `hyperparameters` are those
    that were given, `settled` all that hold. `losses` is the training loss so far, thinned to a line, of `steps` steps.
    """

    model_id: str
    model_name: str
    role_arn: str
    type: str
    base: BaseModel
    training: dict[str, Any]
    output: dict[str, Any]
    validation: dict[str, Any] = {}
    config: dict[str, Any] = {}
    hyperparameters: dict[str, str] = {}
    settled: dict[str, str] = {}
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    token: str | None = None
    tags: dict[str, str] = {}
    model_tags: dict[str, str] = {}
    phases: dict[str, Phase] = {}
    message: str | None = None
    ended_at: datetime | None = None
    training_loss: float | None = None
    validation_loss: float | None = None
    reward: float | None = None
    losses: tuple[float, ...] = ()
    step: int = 0
    steps: int = 0

    @property
    def validators(self) -> list[str]:
        """The URIs of the validation data."""
        return [each["s3Uri"] for each in self.validation.get("validators", ())]


def job_arn(account: str, region: str, base_id: str, ident: str) -> str:
    return arn_of(KIND, region, account, id=f"{base_id}/{ident}")


# --- how a row moves ---


def phased(row: Resource, phase: str, status: str, now: datetime) -> Resource:
    """The row with a phase in another state; the same row where nothing moves."""
    body = row.read(CustomizationJob)
    before = body.phases.get(phase, Phase())
    if before.status == status:
        return row
    after = Phase(status=status, created_at=before.created_at or now, changed_at=now)
    return _changed(row, msgspec.structs.replace(body, phases={**body.phases, phase: after}), now)


def learned(row: Resource, losses: list[float], step: int, steps: int, now: datetime) -> Resource:
    """The row with the losses so far."""
    body = row.read(CustomizationJob)
    return _changed(row, msgspec.structs.replace(body, losses=thinned(losses), step=step, steps=steps), now)


def thinned(losses: list[float]) -> tuple[float, ...]:
    """At most so many of them as a line has room for, from the first to the last."""
    if len(losses) > _CURVE:
        losses = [losses[at * (len(losses) - 1) // (_CURVE - 1)] for at in range(_CURVE)]
    return tuple(round(loss, 4) for loss in losses)


def ended(row: Resource, status: str, now: datetime, message: str | None = None) -> Resource:
    """The row of a job that is over, for good; the phase that it was in ends with it."""
    if row.status not in RUNNING:
        return row
    body = row.read(CustomizationJob)
    phases = {
        name: phase if phase.status in (COMPLETED, NOT_STARTED)
        else Phase(status=status, created_at=phase.created_at, changed_at=now)
        for name, phase in body.phases.items()
    }  # fmt: skip
    told = message[:MAX_MESSAGE] if message else None
    body = msgspec.structs.replace(body, ended_at=now, message=told, phases=phases)
    return msgspec.structs.replace(_changed(row, body, now), status=status)


def _changed(row: Resource, body: CustomizationJob, now: datetime) -> Resource:
    return msgspec.structs.replace(row, body=msgspec.json.encode(body), updated_at=now)
