"""What is told on the bus: Bedrock's jobs, schedules by an injected clock, and that it hangs together with its cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from craton.features.events import job_change
from craton.features.events.delivery import KIND as DELIVERY
from craton.features.events.delivery import Delivery
from craton.features.events.rule import DISABLED, ENABLED, RULE, Rule, Target, rule_arn, rule_id
from craton.infra.store.port import Query, Resource, Store, microseconds
from craton.workflows.events.schedule import told

ACCOUNT, REGION = "000000000000", "us-east-1"
NOW = datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)
TARGETS = (
    Target(id="a", arn="arn:aws:lambda:us-east-1:000000000000:function:f"),
    Target(id="b", arn="x", input='"hi"'),
)
BATCH = {"model_id": "m", "called": "m", "role_arn": "r", "message": None}
TUNING = {
    "base": {"id": "craton.chat-mini-v1:0"}, "model_id": "abc", "model_name": "mine", "role_arn": "r",
    "settled": {"epochCount": "1"}, "training": {"s3Uri": "s3://a/b"}, "output": {"s3Uri": "s3://a/out"},
    "message": "it went wrong", "ended_at": "2026-01-02T15:04:00Z",
}  # fmt: skip
MODEL = {"model_name": "mine", "source": "arn:source"}
INGESTION = {"base_id": "KB", "source_id": "DS"}
# kind, body → type of the event, some of its detail
JOBS: list[tuple[str, Any, str, dict[str, Any]]] = [
    ("model-invocation-job", BATCH, "Batch Inference Job State Change", {
        "accountId": ACCOUNT, "batchJobName": "job", "batchModelId": "m", "status": "Completed", "failureMessage": "",
        "creationTime": "Jan 2, 2026, 3:04:05 PM"}),
    ("model-customization-job", TUNING, "Model Customization Job State Change", {
        "jobName": "job", "jobStatus": "Completed", "failureMessage": "it went wrong", "outputModelName": "mine",
        "outputModelArn": "arn:aws:bedrock:us-east-1:000000000000:custom-model/craton.chat-mini-v1:0/abc",
        "baseModelArn": "arn:aws:bedrock:us-east-1::foundation-model/craton.chat-mini-v1:0",
        "hyperParameters": {"epochCount": "1"}, "endTime": "2026-01-02T15:04:00Z"}),
    ("evaluation-job", {"messages": ["a", "b"]}, "Model Evaluation Job State Change", {
        "jobName": "job", "status": "Completed", "failureMessage": "a b"}),
    ("model-import-job", MODEL, "Model Import Job State Change", {"importedModelName": "mine"}),
    ("model-copy-job", MODEL, "Model Copy Job State Change", {"targetModelName": "mine", "sourceModelArn": "arn:source"}),
    ("ingestion-job", INGESTION, "Bedrock Knowledge Base Ingestion Job State Change", {
        "knowledgeBaseId": "KB", "dataSourceId": "DS", "ingestionJobId": "j", "status": "Completed"}),
]  # fmt: skip


def put_rule(store: Store, *, status: str = ENABLED, **more: Any) -> Resource:
    rule = Rule(name="r", targets=TARGETS, since=microseconds(NOW), **more)
    return store.create(
        Resource(
            account=ACCOUNT, region=REGION, kind=RULE, id=rule_id("default", "r"), status=status, created_at=NOW,
            arn=rule_arn(ACCOUNT, REGION, "default", "r"), updated_at=NOW, body=msgspec.json.encode(rule),
        )
    )  # fmt: skip


def job(kind: str, body: Any, status: str) -> Resource:
    return Resource(
        account=ACCOUNT, region=REGION, kind=kind, id="j", name="job", status=status, created_at=NOW, updated_at=NOW,
        arn=f"arn:aws:bedrock:{REGION}:{ACCOUNT}:{kind}/j", body=msgspec.json.encode(body),
    )  # fmt: skip


def kept(store: Store) -> list[Delivery]:
    """The deliveries that wait, by target."""
    found = [row.read(Delivery) for row in store.list(Query(kind=DELIVERY)).items]
    return sorted(found, key=lambda one: one.target.id)


@pytest.mark.parametrize(("kind", "body", "name", "detail"), JOBS, ids=[one[0] for one in JOBS])
def test_a_jobs_change_is_told(store: Store, kind: str, body: Any, name: str, detail: dict[str, Any]) -> None:
    """Each target of a matching rule gets the event by AWS's names, or what it asked for instead."""
    put_rule(store, pattern='{"source": ["aws.bedrock"]}')
    before, after = job(kind, body, "InProgress"), job(kind, body, "Completed")
    with store.transaction() as transaction:
        job_change.tell(transaction, before, after, NOW)
    whole, fixed = kept(store)
    event = msgspec.json.decode(whole.input or "")
    assert event["detail-type"] == name
    assert event["resources"] == [after.arn]
    assert detail.items() <= event["detail"].items()
    assert event["detail"]["version"] == "0.0"
    assert fixed.input == '"hi"'


def test_what_did_not_change_is_not_told(store: Store) -> None:
    """The same state again, a kind that tells nothing, and a pattern for something else make no delivery."""
    put_rule(store, pattern='{"detail": {"status": ["Failed"]}}')
    same = job("model-invocation-job", BATCH, "Completed")
    with store.transaction() as transaction:
        job_change.tell(transaction, same, same, NOW)
        job_change.tell(transaction, None, job("guardrail", {}, "READY"), NOW)
        job_change.tell(transaction, None, same, NOW)
    assert kept(store) == []


def test_an_event_goes_with_its_transaction(store: Store) -> None:
    """Where the change is not kept, neither is the event."""
    put_rule(store, pattern='{"source": ["aws.bedrock"]}')

    def change() -> None:
        with store.transaction() as transaction:
            job_change.tell(transaction, None, job("model-invocation-job", BATCH, "Submitted"), NOW)
            raise ValueError("the change did not happen")

    with pytest.raises(ValueError, match="did not happen"):
        change()
    assert kept(store) == []


def tick(store: Store, at: datetime) -> datetime | None:
    with store.transaction() as transaction:
        return told(transaction, rule_arn(ACCOUNT, REGION, "default", "r"), at, 60.0)


def test_a_schedule_is_told_once_each_time(store: Store) -> None:
    """Before its time nothing happens, at its time it is told once, and then the next time is known."""
    put_rule(store, schedule="rate(5 minutes)")
    due = NOW + timedelta(minutes=5)
    assert tick(store, NOW) == due
    assert kept(store) == []
    assert tick(store, due) == due + timedelta(minutes=5)
    assert tick(store, due) == due + timedelta(minutes=5)
    whole, _ = kept(store)
    event = msgspec.json.decode(whole.input or "")
    assert event["detail-type"] == "Scheduled Event"
    assert event["time"] == "2026-01-02T15:09:05Z"


def test_times_that_passed_unseen_are_told_as_one(store: Store) -> None:
    """After a long absence a schedule goes on in its own step, with one event for all that was missed."""
    put_rule(store, schedule="rate(5 minutes)")
    assert tick(store, NOW + timedelta(days=365, minutes=2)) == NOW + timedelta(days=365, minutes=5)
    assert len(kept(store)) == len(TARGETS)


def test_a_calendar_time_is_kept(store: Store) -> None:
    """A cron expression is due on its minute, in UTC."""
    put_rule(store, schedule="cron(0 16 * * ? *)")
    at = datetime(2026, 1, 2, 16, 0, tzinfo=UTC)
    assert tick(store, NOW) == at
    assert tick(store, at) == at + timedelta(days=1)
    assert len(kept(store)) == len(TARGETS)


def test_a_rule_that_is_off_keeps_no_time(store: Store) -> None:
    """A disabled rule, one without a schedule and one that is gone end their run."""
    assert tick(store, NOW) is None
    put_rule(store, schedule="rate(1 minute)", status=DISABLED)
    assert tick(store, NOW + timedelta(hours=1)) is None
    assert kept(store) == []
