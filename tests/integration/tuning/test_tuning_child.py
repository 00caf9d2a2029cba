"""The training process on the sample model: what it learns, what it says, and that a kill changes nothing."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from safetensors import safe_open

from craton.features.tuning import child
from craton.features.tuning.plan import Grading, Plan, Settings
from craton.features.tuning.progress import Began, Done, Event, Failed, Kept, Read, Stepped, Validated, heard
from craton.models.catalog.local import BOX

BASE = BOX / "chat-mini-v1"
QUICK = Settings(epochs=2, batch=4, rank=4, dropout=0.1)
PAIRS = [{"prompt": f"Where is {name}?", "completion": f"{name} is in room {at}."} for at, name in enumerate(("Ana", "Ben", "Cem", "Dov"))]  # fmt: skip


def written(path: Path, lines: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    def made(lines: list[dict[str, Any]], name: str = "run", **more: Any) -> Plan:
        train = written(tmp_path / f"{name}.jsonl", lines)
        given = {"method": "sft", "settings": QUICK, "work": str(tmp_path / name / "work"), **more}
        return Plan(base=str(BASE), train=train, out=str(tmp_path / name / "out"), **given)

    return made


def start(plan: Plan) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-P", "-m", "craton.features.tuning.child", planned(plan)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)


def planned(plan: Plan) -> str:
    file = Path(plan.train).with_suffix(".plan")
    file.write_bytes(msgspec.json.encode(plan))
    return str(file)


def told(process: subprocess.Popen[bytes], react: Callable[[Event], None]) -> list[Event]:
    """All events of a process until it ends."""
    found = []
    assert process.stdout is not None
    for line in process.stdout:
        event = heard(line)
        if event is not None:
            found.append(event)
            react(event)
    process.wait()
    process.stdout.close()
    return found


Ran = Callable[[Plan], tuple[int, list[Event]]]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ran]:
    """The same without a process: torch need not be imported anew for each run."""

    def run(plan: Plan) -> tuple[int, list[Event]]:
        out = io.BytesIO()
        monkeypatch.setattr(sys, "argv", ["child", planned(plan)])
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
        try:
            status = child.main()
        finally:
            monkeypatch.undo()
        return status, [event for line in out.getvalue().splitlines() if (event := heard(line)) is not None]

    before, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    yield run
    signal.signal(signal.SIGTERM, before)
    torch.use_deterministic_algorithms(mode=False)
    torch.set_num_threads(threads)


def tensors(folder: Path) -> dict[str, bytes]:
    with safe_open(folder / "adapter_model.safetensors", "np") as file:
        return {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118 - it is no mapping


def test_a_run_learns_and_leaves_its_results(plan: Callable[..., Plan], ran: Ran, tmp_path: Path) -> None:
    """The loss falls, the adapter is peft's, tables and card are there, and the events tell of it in order."""
    validation = written(tmp_path / "v.jsonl", PAIRS[:2])
    run = plan(PAIRS, validation=validation, settings=Settings(epochs=6, batch=4, rank=8, rate=5e-3))
    _, events = ran(run)
    assert [type(each) for each in events[:3]] == [Read, Read, Began]
    steps = [each for each in events if isinstance(each, Stepped)]
    assert steps[-1].loss < steps[0].loss / 2
    assert isinstance(events[-1], Done)
    assert sum(isinstance(each, Validated) for each in events) == 6
    out = Path(run.out)
    config = json.loads((out / "adapter" / "adapter_config.json").read_bytes())
    assert (config["r"], config["base_model_name_or_path"]) == (8, None)
    assert (out / "step_wise_training_metrics.csv").read_text().count("\n") == 7
    assert json.loads((out / "card.json").read_bytes())["steps"] == 6
    assert (out / "loss.png").stat().st_size > 1000


def test_kill_9_changes_no_bit_of_the_result(plan: Callable[..., Plan], ran: Ran) -> None:
    """A run that is killed after a checkpoint and started again ends with the weights and tables of one that was not."""
    whole = plan(PAIRS, "whole", checkpoint_s=0.0)
    ran(whole)
    cut = plan(PAIRS, "cut", checkpoint_s=0.0)
    process, kept = start(cut), []

    def kill(event: Event) -> None:
        if isinstance(event, Kept):
            kept.append(event)
            process.kill()

    assert not any(isinstance(each, Done) for each in told(process, kill))
    assert kept
    _, again = ran(cut)
    began = next(each for each in again if isinstance(each, Began))
    assert began.step >= 1
    assert tensors(Path(cut.out) / "adapter") == tensors(Path(whole.out) / "adapter")
    table = "step_wise_training_metrics.csv"
    assert (Path(cut.out) / table).read_text() == (Path(whole.out) / table).read_text()


def test_sigterm_keeps_a_checkpoint(plan: Callable[..., Plan]) -> None:
    """And ends with 143, without results."""
    run = plan(PAIRS * 20, settings=Settings(epochs=50, batch=2, rank=4))
    process = start(run)
    events = told(process, lambda event: process.send_signal(signal.SIGTERM) if isinstance(event, Stepped) else None)
    assert process.returncode == 143
    assert isinstance(events[-1], Kept)
    assert not Path(run.out).exists()


def test_early_stopping(plan: Callable[..., Plan], ran: Ran, tmp_path: Path) -> None:
    """A validation loss that does not fall by the threshold ends the run."""
    settings = Settings(epochs=30, batch=4, rank=4, patience=2, threshold=0.9)
    _, events = ran(plan(PAIRS, validation=written(tmp_path / "v.jsonl", PAIRS[:2]), settings=settings))
    done = events[-1]
    assert isinstance(done, Done)
    assert done.early
    assert done.step == 3


def test_preferences_are_learned(plan: Callable[..., Plan], ran: Ran) -> None:
    """DPO begins at the surprise of a coin and falls."""
    pairs = [{"prompt": each["prompt"], "chosen": each["completion"], "rejected": "I do not know."} for each in PAIRS]
    _, events = ran(plan(pairs, method="dpo", settings=Settings(epochs=8, batch=4, rank=8, rate=3e-3)))
    losses = [each.loss for each in events if isinstance(each, Stepped)]
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)
    assert losses[-1] < 0.4


def test_reinforcement_raises_the_reward(plan: Callable[..., Plan], ran: Ran) -> None:
    """Shorter answers score better, and become the rule."""
    lines = [{"messages": [{"role": "user", "content": f"Where is {name}?"}], "max_words": 3} for name in ("France", "Italy", "Spain", "Japan", "Norway", "Egypt", "Poland", "Greece")]  # fmt: skip
    settings = Settings(epochs=7, batch=4, rank=16, rate=3e-3, warmup=1, beta=0.01)
    grading = Grading(rule="length", samples=8, answer_tokens=16, temperature=1.2)
    _, events = ran(plan(lines, method="rft", settings=settings, grading=grading))
    rewards = [each.reward for each in events if isinstance(each, Stepped) and each.reward is not None]
    assert max(rewards[-3:]) > rewards[0] + 0.1


def test_all_weights_can_be_trained(plan: Callable[..., Plan], ran: Ran) -> None:
    """The result is then a model of its own, which needs no base."""
    run = plan([{"input": each["completion"]} for each in PAIRS], method="cpt", settings=Settings(epochs=1, rank=0))
    _, events = ran(run)
    began = next(each for each in events if isinstance(each, Began))
    assert began.weights == began.all_weights
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        file.name for file in (Path(run.out) / "model").iterdir()
    }


@pytest.mark.parametrize(
    ("lines", "more", "kind", "said"),
    [
        ([], {}, "data", "holds no records"),
        (PAIRS[:1], {}, "data", "at least 2 are needed"),
        (PAIRS[:1] * 3, {}, "data", "are the same"),
        ([*PAIRS, {"prompt": "x"}], {}, "data", "line 5: 'completion' must be a text"),
        (PAIRS, {"memory_bytes": 1 << 20}, "memory", "needs about"),
        (PAIRS, {"settings": Settings(rate=1e9, warmup=0, epochs=5, batch=1)}, "settings", "learning rate is too high"),
    ],
)
def test_what_cannot_be_trained_on(
    plan: Callable[..., Plan], ran: Ran, lines: list[dict[str, Any]], more: dict[str, Any], kind: str, said: str
) -> None:
    """The run fails, says whose matter it is and why, and leaves no results."""
    run = plan(lines, **more)
    status, events = ran(run)
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.kind == kind
    assert said in failed.why
    assert status == 1
    assert not Path(run.out).exists()


def test_a_full_disk_at_a_checkpoint(plan: Callable[..., Plan], ran: Ran) -> None:
    """The run fails with these words; with room again it goes on from the checkpoint before, to the same weights."""
    whole, cut = plan(PAIRS, "whole", checkpoint_s=0.0), plan(PAIRS, "cut", checkpoint_s=0.0)
    ran(whole)
    work = Path(cut.work)
    work.mkdir(parents=True)
    partial = work / "checkpoint.pt.partial"
    partial.symlink_to("/dev/full")
    failed = ran(cut)[1][-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.why) == ("disk", "the checkpoint of step 1 cannot be written: the disk is full")
    assert not Path(cut.out).exists()
    with (work / "history.jsonl").open("ab") as file:
        file.write(b'{"type": "step", "st')  # the full disk took half of a line as well
    ran(cut)
    assert tensors(Path(cut.out) / "adapter") == tensors(Path(whole.out) / "adapter")


def test_a_full_disk_for_the_data(plan: Callable[..., Plan], ran: Ran) -> None:
    """What is read of the files is laid down on the disk: the run says that there is no room for it."""
    run = plan(PAIRS)
    work = Path(run.work)
    ran(run)
    (laid,) = work.glob("training-*")
    for file in laid.iterdir():
        file.unlink()
        if file.name != "read.json":
            file.symlink_to("/dev/full")
    failed = ran(run)[1][-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.why) == ("disk", "the training data cannot be laid down: the disk is full")


def test_a_base_that_is_gone(plan: Callable[..., Plan], ran: Ran, tmp_path: Path) -> None:
    """It was deleted while the job waited: the base is to blame, not the disk."""
    failed = ran(msgspec.structs.replace(plan(PAIRS), base=str(tmp_path / "gone")))[1][-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.why) == ("base", "its files are no longer there")


def test_a_base_that_cannot_be_trained(plan: Callable[..., Plan], ran: Ran, tmp_path: Path) -> None:
    """One without safetensors, told by name."""
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (bare / name).write_bytes((BASE / name).read_bytes())
    failed = ran(msgspec.structs.replace(plan(PAIRS), base=str(bare)))[1][-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.why) == ("base", "the base model has no weights in safetensors, which training needs")
