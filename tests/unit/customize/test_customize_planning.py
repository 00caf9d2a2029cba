"""From a customization job to the plan of its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from craton.features.hosting.customization_job import BaseModel, CustomizationJob
from craton.features.tuning.grading import OWN
from craton.features.tuning.plan import Plan
from craton.workflows.customize.places import Scratch
from craton.workflows.customize.planning import plan_of

PAIR = b'{"prompt": "a", "completion": "b"}\n'
PREFERRED = b'\n{"prompt": "a", "chosen": "b", "rejected": "c"}\n'


def planned(home: Path, kind: str, line: bytes, *, threads: int = 2, processes: int = 1, **more: Any) -> Plan:
    scratch = Scratch(home, "modelmodel12")
    scratch.folder.mkdir(parents=True)
    scratch.train.write_bytes(line)
    base = BaseModel(id="craton.chat-mini-v1:0", local="craton.chat-mini-v1:0", context_tokens=2048)
    body = CustomizationJob(
        model_id="modelmodel12", model_name="m", role_arn="r", type=kind, base=base, training={}, output={}, **more
    )
    return plan_of(body, scratch, Path("/base"), memory_bytes=5, threads=threads, processes=processes)


@pytest.mark.parametrize(
    ("kind", "line", "method", "forms"),
    [
        ("FINE_TUNING", PAIR, "sft", ()),
        ("FINE_TUNING", PREFERRED, "dpo", ()),
        ("FINE_TUNING", b"\xff[", "sft", ()),
        ("CONTINUED_PRE_TRAINING", b'{"input": "a"}', "cpt", ()),
        ("DISTILLATION", PAIR, "sft", ("conversation",)),
    ],
)
def test_how_each_type_is_trained(tmp_path: Path, kind: str, line: bytes, method: str, forms: tuple[str, ...]) -> None:
    """The first line tells preferences from answers; what is wrong with it is said later, with all others."""
    plan = planned(tmp_path, kind, line)
    assert (plan.method, plan.forms, plan.memory_bytes, plan.threads) == (method, forms, 5, 2)
    assert plan.validation == ""


def test_reinforcement_has_hyperparameters_of_its_own(tmp_path: Path) -> None:
    """They and the grader's name become settings and a rule."""
    arn = "arn:aws:lambda:us-east-1:000000000000:function:craton-grader-json-schema:1"
    hyper = {
        "epochCount": 3, "batchSize": 32, "learningRate": 0.0005, "trainingSamplePerPrompt": 8, "inferenceMaxTokens": 16,
        "maxPromptLength": 128, "evalInterval": 5,
    }  # fmt: skip
    config = {"rftConfig": {"graderConfig": {"lambdaGrader": {"lambdaArn": arn}}, "hyperParameters": hyper}}
    plan = planned(tmp_path, "REINFORCEMENT_FINE_TUNING", PAIR, config=config, hyperparameters={"loraRank": "4"})
    settings, grading = plan.settings, plan.grading
    assert (settings.epochs, settings.batch, settings.rate, settings.max_tokens, settings.rank) == (
        3,
        32,
        0.0005,
        128,
        4,
    )
    assert (grading.rule, grading.samples, grading.answer_tokens, plan.validate_every) == ("json-schema", 8, 16, 5)


def test_a_function_that_scores_is_asked_outside(tmp_path: Path) -> None:
    """The plan names no function: the training process asks whoever started it."""
    arn = "arn:aws:lambda:us-east-1:000000000000:function:mine:live"
    config = {"rftConfig": {"graderConfig": {"lambdaGrader": {"lambdaArn": arn}}}}
    assert planned(tmp_path, "REINFORCEMENT_FINE_TUNING", PAIR, config=config).grading.rule == OWN


@pytest.mark.parametrize(
    ("more", "processes", "threads"), [({}, 4, 2), ({"hyperparameters": {"batchSize": "2"}}, 2, 4)]
)
def test_several_processes(tmp_path: Path, more: dict[str, Any], processes: int, threads: int) -> None:
    """They share the threads, and are no more than a step has records."""
    plan = planned(tmp_path, "FINE_TUNING", PAIR, processes=4, threads=8, **more)
    assert (plan.processes, plan.threads) == (processes, threads)
