"""Several processes that train one model together: the same as one alone, and as hard to kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file

from craton.features.tuning.plan import Method, Plan, Settings
from craton.features.tuning.progress import Done, Event, Failed, Kept, Stepped, Validated, heard
from craton.infra.compute.sandbox import Sandbox
from craton.models.catalog.local import BOX
from craton.workflows.import_model import child

BASE = BOX / "chat-mini-v1"
# Five records: in the last step of each epoch the second process has none.
FACTS = [{"prompt": f"Where is {name}?", "completion": f"{name} is in room {at}."} for at, name in enumerate(("Ana", "Ben", "Cem", "Dov", "Eva"))]  # fmt: skip
CHOICES = [{"prompt": fact["prompt"], "chosen": fact["completion"], "rejected": "I do not know."} for fact in FACTS]


def planned(
    folder: Path, processes: int, method: Method = "sft", lines: list[dict[str, Any]] = FACTS, **more: Any
) -> Plan:
    """A run in a folder of its own, which is checked against its own records."""
    folder.mkdir()
    train = folder / "train.jsonl"
    train.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = {"settings": Settings(epochs=2, batch=4, rank=4), "validation": str(train), **more}
    work, out = str(folder / "work"), str(folder / "out")
    return Plan(method=method, base=str(BASE), train=str(train), work=work, out=out, processes=processes, **given)


def ran(plan: Plan, react: Callable[[Event, int], None] = lambda *_: None) -> tuple[int, list[Event]]:
    """One process of the job's, with all that it makes, and what it said."""
    file = Path(plan.train).with_suffix(".plan")
    file.write_bytes(msgspec.json.encode(plan))
    words = [sys.executable, "-P", "-m", "craton.features.tuning.child", str(file)]
    found = list[Event]()
    with subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = heard(line)
            if event is not None:
                found.append(event)
                react(event, process.pid)
    return process.returncode, found


def walled(plan: Plan) -> tuple[int, list[Event]]:
    """The same within the walls that a job's training has, where there is no socket."""
    folder = Path(plan.train).parent
    file, found = folder / "plan.json", list[Event]()
    file.write_bytes(msgspec.json.encode(plan))

    def hear(line: bytes) -> None:
        event = heard(line)
        if event is not None:
            found.append(event)

    words, walls = ["craton.features.tuning.child", str(file)], Sandbox("auto", folder.parent)
    ended = asyncio.run(child.run(words, folder, walls, reads=[plan.base], threads=1, hear=hear))
    return ended.code, found


def losses(events: list[Event]) -> list[float]:
    return [each.loss for each in events if isinstance(each, Stepped | Validated)]


def weights(plan: Plan) -> dict[str, bytes]:
    found = load_file(Path(plan.out) / "adapter" / "adapter_model.safetensors")
    return {name: np.ascontiguousarray(each).tobytes() for name, each in found.items()}


def second_of(leader: int) -> int:
    (process,) = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    return int(process)


@pytest.mark.parametrize(("method", "lines"), [("sft", FACTS), ("dpo", CHOICES)])
def test_two_processes_take_the_steps_of_one(tmp_path: Path, method: Method, lines: list[dict[str, Any]]) -> None:
    """With the same hyperparameters the losses of all steps and validations are the same, but for how sums are rounded."""
    _, alone = ran(planned(tmp_path / "alone", 1, method, lines))
    status, together = walled(planned(tmp_path / "together", 2, method, lines))
    assert status == 0
    assert isinstance(together[-1], Done)
    assert losses(together) == pytest.approx(losses(alone), rel=1e-3)
    assert [each.tokens for each in together if isinstance(each, Stepped)] == [
        each.tokens for each in alone if isinstance(each, Stepped)
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="finds the second process in /proc")
def test_a_process_that_is_killed_ends_the_run_as_a_kill_does(tmp_path: Path) -> None:
    """And what goes on from the checkpoint ends with the bits of a run that nobody killed."""
    whole, cut = planned(tmp_path / "whole", 2, checkpoint_s=0.0), planned(tmp_path / "cut", 2, checkpoint_s=0.0)
    ran(whole)
    done = list[int]()

    def kill(event: Event, leader: int) -> None:
        if isinstance(event, Kept) and not done:
            done.append(second_of(leader))
            os.kill(done[0], signal.SIGKILL)

    status, events = ran(cut, kill)
    assert status == -signal.SIGKILL
    assert not any(isinstance(each, Done | Failed) for each in events)
    status, _ = ran(cut)
    assert status == 0
    assert weights(cut) == weights(whole)


def test_a_team_stops_with_a_checkpoint(tmp_path: Path) -> None:
    """SIGTERM to the one that leads ends them all."""
    plan = planned(tmp_path / "run", 2, settings=Settings(epochs=1000, batch=4, rank=4))
    status, events = ran(plan, lambda event, pid: os.kill(pid, signal.SIGTERM) if isinstance(event, Stepped) else None)
    assert status == 143
    assert isinstance(events[-1], Kept)


def test_a_fault_ends_a_team(tmp_path: Path) -> None:
    """What one process cannot use none uses, and it is told once."""
    status, events = ran(planned(tmp_path / "run", 2, lines=[*FACTS, {"prompt": "x"}]))
    assert status == 1
    (failed,) = (each for each in events if isinstance(each, Failed))
    assert "line 6" in failed.why
