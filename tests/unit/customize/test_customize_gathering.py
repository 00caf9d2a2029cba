"""A teacher is asked each prompt once, whatever happens between."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from craton.features.hosting.customization_job import BaseModel, CustomizationJob
from craton.workflows.customize.gathering import gathered
from craton.workflows.customize.places import Scratch
from craton.workflows.tools import Answer
from craton.workflows.workflow import JobFailed
from tests.fakes.batches import Killed

CONFIG = {
    "distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": "t", "maxResponseLengthForInference": 9}}
}
BODY = CustomizationJob(
    model_id="m", model_name="m", role_arn="r", type="DISTILLATION", base=BaseModel(id="b", local="b"), training={},
    output={}, config=CONFIG,
)  # fmt: skip


def prompt(text: str, *more: tuple[str, str]) -> bytes:
    turns = [("user", text), *more]
    messages = [{"role": role, "content": [{"text": said}]} for role, said in turns]
    return json.dumps({"schemaVersion": "bedrock-conversation-2024", "messages": messages}).encode() + b"\n"


class FakeTeacher:
    """Says what it is asked in capitals; dies at call number `dies_at`. `status` is that of every answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.dies_at, self.status = 0, 200
        self.most: set[int] = set()

    async def converse(self, model_id: str, body: bytes, **_: object) -> Answer:
        await asyncio.sleep(0)
        said = json.loads(body)
        text = said["messages"][-1]["content"][0]["text"]
        if self.dies_at and len(self.asked) + 1 >= self.dies_at:
            raise Killed
        self.asked.append(text)
        self.most.add(said["inferenceConfig"]["maxTokens"])
        answer = (
            {"output": {"message": {"content": [{"text": text.upper()}]}}} if self.status == 200 else {"message": "no"}
        )
        return self.status, {}, json.dumps(answer).encode()


class Class:
    """A teacher, and prompts in a scratch."""

    def __init__(self, home: Path, prompts: bytes) -> None:
        self.scratch, self.teacher = Scratch(home, "m"), FakeTeacher()
        self.scratch.folder.mkdir(parents=True)
        (self.scratch.folder / "prompts.jsonl").write_bytes(prompts)

    def gather(self) -> None:
        tools = SimpleNamespace(credentials=lambda *_: None, models=lambda _: self.teacher)
        job: Any = SimpleNamespace(tools=tools, progress=lambda *_: None)
        asyncio.run(gathered(job, BODY, self.scratch, None))

    @property
    def learned(self) -> list[str]:
        lines = [json.loads(line) for line in self.scratch.train.read_bytes().splitlines()]
        return [line["messages"][-1]["content"][0]["text"] for line in lines]


def test_prompts_get_answers_in_their_order(tmp_path: Path) -> None:
    """One that has an answer keeps it and is not asked; the teacher is told how long it may speak."""
    here = Class(tmp_path, prompt("a") + b"\n" + prompt("b", ("assistant", "mine")) + prompt("c"))
    here.gather()
    assert here.learned == ["A", "mine", "C"]
    assert (sorted(here.teacher.asked), here.teacher.most) == (["a", "c"], {9})
    here.gather()
    assert len(here.teacher.asked) == 2


def test_a_worker_that_dies_in_the_middle(tmp_path: Path) -> None:
    """Answers that were put down are not asked for again, not even behind a line that the death cut."""
    here = Class(tmp_path, b"".join(prompt(f"p{at}") for at in range(40)))
    here.teacher.dies_at = 25
    with pytest.raises(Killed):
        here.gather()
    kept = len((here.scratch.folder / "answers.jsonl").read_bytes().splitlines())
    assert kept > 8
    with (here.scratch.folder / "answers.jsonl").open("ab") as file:
        file.write(b'[40,"cut')
    here.teacher.dies_at, here.teacher.asked = 0, []
    here.gather()
    assert len(here.teacher.asked) == 40 - kept
    assert here.learned == [f"P{at}" for at in range(40)]


def test_a_teacher_that_refuses(tmp_path: Path) -> None:
    """The job says which line, and what was said."""
    here = Class(tmp_path, prompt("a"))
    here.teacher.status = 403
    with pytest.raises(JobFailed, match="The teacher model t did not answer line 1: no"):
        here.gather()


def test_prompts_that_are_none(tmp_path: Path) -> None:
    """Every faulty line is named before anybody is asked."""
    here = Class(tmp_path, b"x\n" + prompt("a") + b'{"messages": []}\n' + prompt("a", ("user", "b")))
    with pytest.raises(JobFailed, match=r"3 of 4 lines: line 1: .* line 3: .*; line 4: the roles are out of order"):
        here.gather()
    assert here.teacher.asked == []
