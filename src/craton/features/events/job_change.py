"""A job's change of state as an event, told in the transaction that writes the change down.

Owns which kinds of jobs tell and by which names, as data: AWS has events for batch inference and model customization, whose
details are as its own; those of the other kinds are ours, in the same manner. It must not know what jobs do: their rows'
bodies are read as JSON.
Source: Bedrock user guide, "Monitor Amazon Bedrock job state changes using Amazon EventBridge".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from craton.features.events import bus
from craton.features.events.event import Event, instant
from craton.infra.store.port import Resource, Transaction

SOURCE: Final = "aws.bedrock"
VERSION: Final = "0.0"
Body = Mapping[str, Any]


def tell(transaction: Transaction, before: Resource | None, after: Resource, now: datetime) -> None:
    """Keep the event for those who want it, if the kind has one and the state is another than before."""
    kind = KINDS.get(after.kind)
    if kind is None or (before is not None and before.status == after.status):
        return
    name, detail = kind
    event = Event(
        source=SOURCE, detail_type=name, account=after.account, region=after.region, at=now, resources=(after.arn,),
        detail={"version": VERSION, **detail(after, after.read(dict[str, Any]))},
    )  # fmt: skip
    bus.tell(transaction, event, now)


def batch(row: Resource, body: Body) -> dict[str, Any]:
    return {
        "accountId": row.account,
        "batchJobName": row.name or "",
        "batchJobArn": row.arn,
        "batchModelId": body["model_id"],
        "status": row.status,
        "failureMessage": body.get("message") or "",
        "creationTime": spoken(row.created_at),
    }


def spoken(moment: datetime) -> str:
    """A time as the event of batch jobs alone has it: Aug 28, 2024, 10:47:53 PM."""
    at = moment.astimezone(UTC)
    return f"{_MONTHS[at.month - 1]} {at.day}, {at.year}, {at.hour % 12 or 12}:{at:%M:%S} {'PM' if at.hour >= 12 else 'AM'}"


def customization(row: Resource, body: Body) -> dict[str, Any]:
    base = body["base"]
    told = {
        "jobName": row.name or "",
        "jobArn": row.arn,
        "outputModelName": body["model_name"],
        "roleArn": body["role_arn"],
        "jobStatus": row.status,
        "creationTime": instant(row.created_at),
        "lastModifiedTime": instant(row.updated_at),
        "baseModelArn": f"arn:aws:bedrock:{row.region}::foundation-model/{base['id']}",
        "hyperParameters": body.get("settled", {}),
        "trainingDataConfig": body["training"],
        "validationDataConfig": body.get("validation", {}),
        "outputDataConfig": body["output"],
    }
    if row.status == "Completed":
        resource = f"custom-model/{base['id']}/{body['model_id']}"
        told["outputModelArn"] = f"arn:aws:bedrock:{row.region}:{row.account}:{resource}"
    return {**told, **ending(body)}


def job(row: Resource, body: Body) -> dict[str, Any]:
    """The detail of kinds that AWS tells nothing of: the members that their Get operations begin with."""
    return {
        "jobName": row.name or "",
        "jobArn": row.arn,
        "status": row.status,
        "creationTime": instant(row.created_at),
        "lastModifiedTime": instant(row.updated_at),
        **ending(body),
    }


def importing(row: Resource, body: Body) -> dict[str, Any]:
    return {**job(row, body), "importedModelName": body["model_name"]}


def copying(row: Resource, body: Body) -> dict[str, Any]:
    told = job(row, body)
    del told["jobName"]
    return {**told, "sourceModelArn": body["source"], "targetModelName": body["model_name"]}


def ingestion(row: Resource, body: Body) -> dict[str, Any]:
    return {
        "knowledgeBaseId": body["base_id"],
        "dataSourceId": body["source_id"],
        "ingestionJobId": row.id,
        "status": row.status,
        "startedAt": instant(row.created_at),
        "updatedAt": instant(row.updated_at),
    }


def ending(body: Body) -> dict[str, Any]:
    """Why and when a job ended, where it has."""
    message = body.get("message") or " ".join(body.get("messages", ()))
    told = {"failureMessage": message} if message else {}
    ended = body.get("ended_at")
    return {**told, "endTime": instant(datetime.fromisoformat(ended))} if ended else told


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
KINDS: Final[Mapping[str, tuple[str, Callable[[Resource, Body], dict[str, Any]]]]] = MappingProxyType(
    {
        "model-invocation-job": ("Batch Inference Job State Change", batch),
        "model-customization-job": ("Model Customization Job State Change", customization),
        "evaluation-job": ("Model Evaluation Job State Change", job),
        "model-import-job": ("Model Import Job State Change", importing),
        "model-copy-job": ("Model Copy Job State Change", copying),
        "ingestion-job": ("Bedrock Knowledge Base Ingestion Job State Change", ingestion),
    }
)
"""Kind of row → the event's type, and what its detail holds."""
