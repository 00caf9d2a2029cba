"""A job that waits for its turn lets its worker go, and has not failed by that; what a killed training is told."""

from __future__ import annotations

import asyncio
from typing import Any

from craton.features.tuning.plan import Plan
from craton.infra.jobs.worker import Again
from craton.workflows.customize.training import killed, without_paths
from craton.workflows.life import perform
from craton.workflows.workflow import Job, Later, Workflow, mark_failed
from tests.unit.jobs.test_jobs_life import Held

PLAN = Plan(method="sft", base="/home/x/models/base", train="/t", work="/home/x/work", out="/home/x/out")


def test_waiting_is_no_failure() -> None:
    """It is taken up again after its time; the reason is shown until then, and counts for nothing."""

    async def body(_: Job) -> None:
        raise Later("It waits for its turn.", 2.0)

    held: Any = Held()
    tools: Any = None
    outcome = asyncio.run(perform(held, Workflow("toy", 1, body, mark_failed), tools))
    assert outcome == Again("It waits for its turn.", after_s=2.0, counts=False)


def test_what_a_killed_training_is_told() -> None:
    """How often, how it ended, and what it needs, where that can be told."""
    told = killed(-9, 3, PLAN)
    assert "ended 3 times without getting further" in told
    assert "an unknown amount of memory" in told
    assert without_paths(f"cannot open {PLAN.base}/config.json", PLAN) == "cannot open the base model/config.json"
