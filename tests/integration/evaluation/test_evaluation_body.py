"""The life of an evaluation over S3 and models in memory: what is asked again after a crash, and what is written."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from craton.features.evaluation import job as rows
from craton.features.evaluation.job import Dataset, EvaluationJob, Judge, Subject
from craton.infra.store.port import Resource
from craton.workflows.batch import asking
from craton.workflows.evaluate import body as evaluate
from craton.workflows.workflow import JobFailed
from tests.fakes.batches import NOW, ROLE, FakeClock, FakeJob, FakeS3, Killed, Perils

ARN = "arn:aws:bedrock:us-east-1:000000000000:evaluation-job/abcdefghijkl"
METRICS = ("Builtin.Accuracy", "Builtin.Robustness", "Builtin.Relevance")
RECORDS = 4


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PAUSE_FIRST_S", 0.001)
    monkeypatch.setattr(asking, "_PAUSE_MAX_S", 0.002)


class EchoModels:
    """Says the last word of a prompt, and judges everything the best; counts prompts by model."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.perils = Perils()

    def of_subjects(self) -> list[int]:
        """How often each prompt was put to each model but the judge, who is asked the same of equal answers."""
        return [count for (model, _), count in self.asked.items() if model != "judge"]

    async def converse(self, model_id: str, body: bytes, *, headers: Any = (), timeout_s: float = 0) -> Any:
        self.perils.meet()
        given = json.loads(body)
        self.bodies.append(given)
        prompt = given["messages"][0]["content"][0]["text"]
        await asyncio.sleep(0)
        self.perils.meet()
        self.asked[model_id, prompt] += 1
        said = '{"explanation": "", "rating": 5}' if model_id == "judge" else prompt.split()[-1]
        answer = {"output": {"message": {"role": "assistant", "content": [{"text": said}]}}}
        return 200, {}, json.dumps(answer).encode()


class StoppableJob(FakeJob):
    """A job that somebody may stop."""

    async def stop_asked(self) -> None:
        while not self.world.stopping:
            await asyncio.sleep(0.001)


class World:
    """All that outlives a worker."""

    def __init__(self, home: Path, metrics: tuple[str, ...] = METRICS) -> None:
        self.home = home
        self.s3, self.models, self.clock = FakeS3(), EchoModels(), FakeClock()
        self.steps: dict[str, bytes] = {}
        self.seen: list[str] = []
        self.stopping = False
        self.limits = {"evaluation_records": 100}
        self.concurrency = 2
        body = EvaluationJob(
            role_arn=ROLE, target="s3://out/there", judge=Judge("judge", "judge"), kms_key="key",
            datasets=tuple(Dataset("QuestionAndAnswer", name, metrics, f"s3://in/{name}.jsonl") for name in "ab"),
            subjects=(Subject("x.one", called="one"), Subject("x.two", called="two", params='{"topP": 0.5}')),
        )  # fmt: skip
        self.row = Resource(
            account="000000000000", region="us-east-1", kind=rows.KIND, id="abcdefghijkl", arn=ARN, created_at=NOW,
            updated_at=NOW, name="job", status=rows.IN_PROGRESS, body=msgspec.json.encode(body),
        )  # fmt: skip
        for name in "ab":
            lines = [{"prompt": f"{name.upper()} say number {n}", "referenceResponse": str(n)} for n in range(RECORDS)]
            self.s3.objects[f"{name}.jsonl"] = "\n".join(json.dumps(one) for one in lines).encode()

    def run(self, die_at: int = 0) -> bool:
        """A worker takes the job; whether it came to the end of it."""
        perils = Perils(die_at)
        self.s3.perils = self.models.perils = perils
        job = StoppableJob(self, perils)  # type: ignore[arg-type]
        job.arn = ARN
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._live(job))
        except Killed:
            return False
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
        return True

    async def _live(self, job: Any) -> None:
        try:
            await evaluate.run(job)
        except JobFailed as error:
            await evaluate.fail(job, str(error))

    def outputs(self) -> dict[str, bytes]:
        return {key: data for key, data in self.s3.objects.items() if key.endswith("_output.jsonl")}


def test_four_outputs(tmp_path: Path) -> None:
    """Each model's answers to each dataset are an output of their own, sealed with the job's key; no scratch is left."""
    world = World(tmp_path)
    assert world.run()
    assert world.row.status == rows.COMPLETED
    assert len(world.outputs()) == 4
    assert {world.s3.sealed[key] for key in world.outputs()} == {"key"}
    for data in world.outputs().values():
        lines = [json.loads(line) for line in data.splitlines()]
        scores = [
            {one["metricName"]: one["result"] for one in line["automatedEvaluationResult"]["scores"]} for line in lines
        ]
        assert scores == [{"Accuracy": 1, "Robustness": 0, "Builtin.Relevance": 1}] * RECORDS
    assert not list(tmp_path.rglob("*.spool"))
    assert not world.s3.uploads
    assert any(one.get("inferenceConfig") == {"topP": 0.5} for one in world.models.bodies)


def test_a_death_at_every_moment(tmp_path: Path) -> None:
    """Wherever a worker dies, the next ends with the same outputs, and asks nothing again but what was under way."""
    whole = World(tmp_path / "whole")
    assert whole.run()
    ran, at = False, 0
    while not ran:
        at += 7
        world = World(tmp_path / str(at))
        ran = world.run(die_at=at)
        if not ran:
            assert world.run()
        assert world.row.status == rows.COMPLETED
        assert world.outputs() == whole.outputs()
        # What was answered in the tenth of a second before a death is not kept yet: here that is everything of a part.
        assert max(world.models.of_subjects()) <= 2
    assert at > 100


def test_kept_answers_are_not_asked_again(tmp_path: Path) -> None:
    """Answers that lie in the scratch are taken from there, the judge's as well."""
    world = World(tmp_path)

    async def half(*_: Any, **__: Any) -> None:
        await asyncio.sleep(0.3)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate.Output, "write", half)
        assert not world.run()
    first = sum(world.models.asked.values())
    assert first == RECORDS * 5
    assert world.run()
    assert set(world.models.of_subjects()) == {1}
    assert sum(world.models.asked.values()) == 4 * first


def test_a_stop(tmp_path: Path) -> None:
    """A job that is to stop stops, whether it had begun or not."""
    world = World(tmp_path)
    world.stopping = True
    assert world.run()
    assert world.row.status == rows.STOPPED
    assert not world.models.asked


def test_a_role_that_may_not_write(tmp_path: Path) -> None:
    """It is seen before any model is asked."""
    world = World(tmp_path)
    world.s3.denied = {"out"}
    assert world.run()
    assert world.row.status == rows.FAILED
    (message,) = world.row.read(EvaluationJob).messages
    assert "PutObject" in message
    assert not world.models.asked


def test_a_dataset_that_changed(tmp_path: Path) -> None:
    """Answers of one dataset and prompts of another do not meet: a file that changes in between ends the job."""
    world = World(tmp_path)
    assert not world.run(die_at=60)
    world.s3.objects["b.jsonl"] += b'\n{"prompt": "new", "referenceResponse": "new"}'
    assert world.run()
    assert world.row.status == rows.FAILED
    assert "changed while the job was running" in world.row.read(EvaluationJob).messages[0]


def test_messages_hold_all_faults() -> None:
    """Faults are put together up to a message's length, and told one after another."""
    packed = evaluate.packed(["It is bad:", *(f"line {n}: {'x' * 100}" for n in range(100))])
    assert packed[0].startswith("It is bad: line 0: ")
    assert all(len(one) <= rows.MAX_MESSAGE for one in packed)
    assert sum(one.count("line ") for one in packed) == 100
