"""A model whose adapter was merged into its weights, as a graph for ONNX Runtime, and what that cost.

Owns the steps from the merged weights to a folder that serves. Each may be done again after a cut. It must not know how
weights are merged (`features.tuning`), converted or measured (`engine`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from craton.features.hosting.imported import Quality
from craton.features.tuning import artifacts
from craton.infra.compute.process import available_cores
from craton.infra.compute.sandbox import Sandbox
from craton.workflows.customize.training import last_words
from craton.workflows.import_model import child
from craton.workflows.import_model.making import quality_of
from craton.workflows.workflow import Job, JobFailed

PRECISIONS = {4: "int4", 8: "int8", 32: "fp32"}
MEMBER = "quality_beside_its_own_weights"
"""Of the card: what the graph lost."""
_CONVERTER, _MEASURER = "craton.engine.convert", "craton.engine.quality"

Run = Callable[[Sequence[str]], Awaitable[child.Ended]]
"""Runs a program of ours in the job's folder."""


def runner(sandbox: Sandbox, folder: Path) -> Run:
    """What runs programs there, within walls."""
    return lambda words: child.run(list(words), folder, sandbox)


async def merged(job: Job, run: Run, out: Path, bits: int) -> None:
    """Make of `out/model` a folder that ONNX Runtime serves. Raises JobFailed."""
    weights, graph = out / "model", out / "onnx"
    await job.step("converted", partial(_converted, run, weights, graph, PRECISIONS[bits]), bool)
    await job.step("measured", partial(_measured, run, weights, graph, out / artifacts.CARD), bool)
    await job.step("joined", partial(asyncio.to_thread, _joined, weights, graph), bool)


async def _converted(run: Run, weights: Path, graph: Path, precision: str) -> bool:
    if await asyncio.to_thread(graph.is_dir):  # it appears whole or not at all
        return True
    ended = await run([_CONVERTER, str(weights), str(graph), "--precision", precision, "--id", "custom"])
    if ended.code or not await asyncio.to_thread(graph.is_dir):
        reason = last_words(ended).replace(str(weights), "the model").replace(f"{weights.parent}/", "")
        raise JobFailed(f"The model was trained, and cannot be converted to {precision}: {reason}")
    return True


async def _measured(run: Run, weights: Path, graph: Path, card: Path) -> bool:
    """Put into the card what the graph lost; a measurement that fails does not make the model worse."""
    ended = await run([_MEASURER, str(weights), str(graph), "--threads", str(available_cores())])
    quality = quality_of(ended)
    if quality is not None:
        await asyncio.to_thread(_noted, card, quality)
    return quality is not None


def _noted(card: Path, quality: Quality) -> None:
    facts: dict[str, Any] = json.loads(card.read_bytes())
    artifacts.write_card(card.parent, facts | {MEMBER: msgspec.to_builtins(quality)})


def _joined(weights: Path, graph: Path) -> bool:
    """The weights beside the graph, under the weights' name; of files that both have the graph's stay."""
    if graph.is_dir():
        for file in sorted(weights.iterdir()) if weights.is_dir() else ():
            if (graph / file.name).exists():
                file.unlink()
            else:
                file.rename(graph / file.name)
        if weights.is_dir():
            weights.rmdir()
        graph.rename(weights)
    return True
