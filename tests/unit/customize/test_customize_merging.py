"""Merged weights become a graph beside them, whatever is cut in between; what the graph lost goes onto the card."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from craton.workflows.customize import merging
from craton.workflows.import_model.child import Ended
from craton.workflows.workflow import JobFailed

QUALITY = {"perplexity": 2.0, "perplexity_base": 1.9, "kl_mean_nats": 0.1, "same_next_token": 0.98}


class Steps:
    """A job's journal. Its worker dies before the result of the step `dies_at` is kept."""

    def __init__(self, dies_at: str = "") -> None:
        self.dies_at, self.kept = dies_at, dict[str, Any]()

    async def step(self, name: str, work: Callable[[], Awaitable[Any]], _kind: type) -> Any:
        if name not in self.kept:
            result = await work()
            if name == self.dies_at:
                self.dies_at = ""
                raise KeyboardInterrupt
            self.kept[name] = result
        return self.kept[name]


async def program(words: Sequence[str]) -> Ended:
    """The converter, or what measures."""
    if words[0].endswith("convert"):
        graph = Path(words[2])
        graph.mkdir()
        (graph / "model.onnx").write_text(words[4])
        (graph / "tokenizer.json").write_text("the graph's")
        return Ended(0, [], [])
    assert {Path(words[1]).name, Path(words[2]).name} == {"model", "onnx"}
    return Ended(0, [json.dumps(QUALITY)], [])


def trained(out: Path) -> Path:
    (out / "model").mkdir(parents=True)
    for name in ("model.safetensors", "tokenizer.json"):
        (out / "model" / name).write_text("the weights'")
    (out / "card.json").write_text('{"steps": 3}')
    return out


def merged(steps: Steps, out: Path, run: merging.Run = program) -> None:
    asyncio.run(merging.merged(steps, run, out, 8))  # type: ignore[arg-type]


@pytest.mark.parametrize("dies_at", ["", "converted", "measured", "joined"])
def test_a_graph_beside_its_weights(tmp_path: Path, dies_at: str) -> None:
    """Under the weights' name lie both; where a worker died, the next one ends with the same."""
    out, steps = trained(tmp_path), Steps(dies_at)
    if dies_at:
        with pytest.raises(KeyboardInterrupt):
            merged(steps, out)
    merged(steps, out)
    assert {file.name: file.read_text() for file in (out / "model").iterdir()} == {
        "model.onnx": "int8",
        "tokenizer.json": "the graph's",
        "model.safetensors": "the weights'",
    }
    assert not (out / "onnx").exists()
    assert json.loads((out / "card.json").read_text()) == {"steps": 3, merging.MEMBER: QUALITY}


def test_a_join_that_was_cut(tmp_path: Path) -> None:
    """A part of the files had moved: the others follow."""
    out = trained(tmp_path)
    asyncio.run(program(("convert", "", str(out / "onnx"), "", "int8")))
    (out / "model" / "model.safetensors").rename(out / "onnx" / "model.safetensors")
    steps = Steps()
    steps.kept = {"converted": True, "measured": True}
    merged(steps, out)
    assert len(list((out / "model").iterdir())) == 3


def test_weights_that_cannot_be_converted(tmp_path: Path) -> None:
    """The job fails and says why, without the paths of this machine."""
    out = trained(tmp_path)

    async def refuses(words: Sequence[str]) -> Ended:
        return Ended(1, [], [f"{words[1]} cannot be converted: no such architecture"])

    with pytest.raises(JobFailed) as failed:
        merged(Steps(), out, refuses)
    assert str(failed.value) == (
        "The model was trained, and cannot be converted to int8: the model cannot be converted: no such architecture"
    )
