"""The training process with a grader outside: asked through pipes, stopped while it waits, killed and begun anew."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from craton.features.tuning.plan import Grading, Plan, Settings
from craton.features.tuning.progress import Asked, Event, Graded, Stepped
from craton.infra.compute.process import tree
from craton.infra.compute.sandbox import Sandbox
from craton.models.catalog.local import BOX
from craton.workflows.customize.grading import Grade
from craton.workflows.customize.training import Trained, Trainer

pytest.importorskip("torch")

LINES = [{"messages": [{"role": "user", "content": f"Where is {name}?"}], "city": name} for name in ("Rome", "Oslo")]
DRAWN = Grading(rule="own", samples=2, answer_tokens=4)


class Run:
    """A plan with its process, which is told to stop when `stop` is set."""

    def __init__(self, home: Path, grade: Grade, epochs: int = 1) -> None:
        self.folder = home / "scratch"
        (self.folder / "work").mkdir(parents=True)
        train = self.folder / "train.jsonl"
        train.write_text("".join(json.dumps(line) + "\n" for line in LINES))
        self.plan = Plan(
            method="rft", base=str(BOX / "chat-mini-v1"), train=str(train), work=str(self.folder / "work"),
            out=str(self.folder / "out"), settings=Settings(epochs=epochs, batch=2, rank=4), grading=DRAWN,
        )  # fmt: skip
        self.file = self.folder / "plan.json"
        self.file.write_bytes(msgspec.json.encode(self.plan))
        self.stop = asyncio.Event()
        self.events: list[Event] = []
        self.trainer = Trainer(Sandbox("auto", home), self.folder, self.events.append, self.stopped, grade)

    async def stopped(self) -> None:
        await self.stop.wait()

    async def ended(self) -> Trained:
        return await self.trainer.run(self.file, self.plan)


def scored(items: list[dict[str, Any]]) -> Graded:
    return Graded(scores={item["id"]: float(item["metadata"]["city"] == "Rome") for item in items})


def ran(live: Callable[[], Awaitable[Trained]]) -> Trained:
    async def awaited() -> Trained:
        return await live()

    return asyncio.run(awaited())


def test_scores_come_from_outside_and_a_killed_run_asks_again(tmp_path: Path) -> None:
    """What was asked of nobody any more is asked anew by the next process; the mean score is the run's reward."""
    killed = list[Any]()
    others = set(tree(os.getpid()))  # servers that other tests share are children of this process as well

    async def grade(items: list[dict[str, Any]]) -> Graded:
        if not killed:
            killed.append(items)
            for child in set(tree(os.getpid())) - others:
                os.kill(child, signal.SIGKILL)
            await asyncio.sleep(60)
        return scored(items)

    async def live() -> Trained:
        run = Run(tmp_path, grade)
        trained = await run.ended()
        assert [event.reward for event in run.events if isinstance(event, Stepped)] == [0.5]
        asked = [event.items for event in run.events if isinstance(event, Asked)]
        assert [item["messages"][0] for item in asked[0]] == [item["messages"][0] for item in asked[1]]
        return trained

    assert ran(live).reward == 0.5


def test_stop_while_a_grader_thinks(tmp_path: Path) -> None:
    """The run does not wait for it: it keeps what was learned before."""

    async def live() -> Trained:
        steps = []

        async def grade(items: list[dict[str, Any]]) -> Graded:
            steps.append(items)
            if len(steps) > 1:
                run.stop.set()
                await asyncio.sleep(600)
            return scored(items)

        run = Run(tmp_path, grade, epochs=3)
        trained = await run.ended()
        assert (run.folder / "work" / "checkpoint.pt").is_file()
        assert not (run.folder / "out").exists()
        return trained

    assert ran(live).stopped
