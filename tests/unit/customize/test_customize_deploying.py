"""A deployment becomes Active by an answer, and only by one; what did not answer leaves what was there before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from craton.features.hosting import custom_deployment as rows
from craton.features.hosting.custom_deployment import DeploymentBody, Served
from craton.features.hosting.customization_job import BaseModel
from craton.infra.store.port import Resource
from craton.workflows.deploy_custom.body import answered, failed, promoted, settled
from craton.workflows.tools import Answer
from craton.workflows.workflow import JobFailed

NOW, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
BASE = BaseModel(id="b", local="b")
OLD = Served(arn="arn:old", base=BASE, deployment="b#adapters", adapter="old")
NEW = Served(arn="arn:new", base=BASE, deployment="b#adapters", adapter="new")


def row(status: str = rows.CREATING, **body: object) -> Resource:
    made = msgspec.structs.replace(DeploymentBody(probe="p"), **body)
    return Resource(
        account="0", region="r", kind=rows.KIND, id="d", arn="arn:d", name="d", status=status, created_at=NOW,
        updated_at=NOW, body=msgspec.json.encode(made),
    )  # fmt: skip


def test_a_new_one() -> None:
    """What was coming is current; then the status moves."""
    after = settled(promoted(row(coming=NEW)), LATER)
    body = after.read(DeploymentBody)
    assert (after.status, after.updated_at, body.current, body.coming, body.update) == (
        rows.ACTIVE,
        LATER,
        NEW,
        None,
        "",
    )
    assert settled(after, NOW) is after


def test_a_change() -> None:
    """The update is completed; the model that Get shows is the new one."""
    moving = row(rows.ACTIVE, current=OLD, coming=NEW, update=rows.UPDATING, update_model=NEW.arn)
    assert moving.read(DeploymentBody).model_arn == OLD.arn
    body = settled(promoted(moving), LATER).read(DeploymentBody)
    assert (body.update, body.model_arn) == (rows.UPDATED, NEW.arn)


def test_failures() -> None:
    """A new one has Failed; one that had a model keeps it, and says that the update failed."""
    new = failed(row(coming=NEW), "no answer", LATER)
    assert (new.status, new.read(DeploymentBody).message, new.read(DeploymentBody).model_arn) == ("Failed", "no answer", NEW.arn)  # fmt: skip
    kept = failed(row(rows.ACTIVE, current=OLD, coming=NEW, update=rows.UPDATING, update_model=NEW.arn), "no", LATER)
    body = kept.read(DeploymentBody)
    assert (kept.status, body.update, body.current, body.coming) == (rows.ACTIVE, rows.UPDATE_FAILED, OLD, None)
    assert failed(kept, "again", NOW) is kept


class FakeModels:
    """Answers one after the other, the last one for ever."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def converse(self, model_id: str, body: bytes, **_: object) -> Answer:
        self.asked += 1
        status, said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return status, {}, said

    invoke = converse


def test_it_is_asked_until_it_answers() -> None:
    """A cold model, and routes that have not heard of the probe, are waited for."""
    models = FakeModels((400, b'{"message":"invalid"}'), (429, b"{}"), (503, b"{}"), (200, b"{}"))
    asyncio.run(answered(models, "arn:p", 60.0))
    assert models.asked == 4


@pytest.mark.parametrize(("status", "timeout_s"), [(403, 60.0), (429, 0.1)])
def test_it_does_not_answer(status: int, timeout_s: float) -> None:
    """What stays so, and what lasts too long, is the deployment's failure, in the words that were heard."""
    with pytest.raises(JobFailed, match="does not answer: why"):
        asyncio.run(answered(FakeModels((status, b'{"Message":"why"}')), "arn:p", timeout_s))
