"""From a customization job's row to the plan of its training.

Owns what each type of customization means in the words of `features.tuning`. It must not know S3 or the store.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from craton.features.hosting.customization_job import CustomizationJob
from craton.features.tuning.grading import GRADER, OWN
from craton.features.tuning.hyperparameters import settings_of
from craton.features.tuning.plan import Grading, Method, Plan, Settings
from craton.workflows.customize.places import Scratch

_METHODS: dict[str, Method] = {
    "FINE_TUNING": "sft",
    "CONTINUED_PRE_TRAINING": "cpt",
    "DISTILLATION": "sft",
    "REINFORCEMENT_FINE_TUNING": "rft",
}
_RFT_BATCH, _RFT_EPOCHS = 16, 1
_PEEK_BYTES = 1 << 20


def plan_of(
    body: CustomizationJob, scratch: Scratch, base: Path, *, memory_bytes: int, threads: int, processes: int = 1
) -> Plan:
    """The plan, with at most so many threads over at most so many processes. Raises BadHyperParameter."""
    method = method_of(body.type, scratch.train)
    settings, grading, every = settings_of(body.base.id, body.hyperparameters, body.base.context_tokens), Grading(), 0
    if method == "rft":
        settings, grading, every = reinforced(settings, body.config["rftConfig"], body.base.context_tokens)
        processes = 1  # one asks the grader, and draws the answers that it is asked about
    processes = min(processes, settings.batch)
    return Plan(
        method=method, base=str(base), train=str(scratch.train), work=str(scratch.work), out=str(scratch.out),
        validation=str(scratch.validation) if scratch.validation.is_file() else "",
        settings=settings, grading=grading, threads=max(1, threads // processes), processes=processes,
        memory_bytes=memory_bytes, validate_every=every, forms=("conversation",) if body.type == "DISTILLATION" else (),
    )  # fmt: skip


def method_of(kind: str, train: Path) -> Method:
    """How a type is trained: fine-tuning on lines with a chosen and a rejected answer is DPO."""
    if kind == "FINE_TUNING" and "chosen" in first_line(train):
        return "dpo"
    return _METHODS[kind]


def first_line(train: Path) -> dict[str, Any]:
    """The first record, empty where it is none; what is wrong with it the training process says."""
    with train.open("rb") as file:
        line = next((line for line in file.read(_PEEK_BYTES).splitlines() if line.strip()), b"")
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def reinforced(settings: Settings, config: dict[str, Any], context_tokens: int) -> tuple[Settings, Grading, int]:
    """Reinforcement has hyperparameters of its own, whose ranges the API's model holds."""
    given = config.get("hyperParameters", {})
    name = str(config["graderConfig"]["lambdaGrader"]["lambdaArn"]).split(":function:", 1)[-1].partition(":")[0]
    grading = Grading(
        rule=name.removeprefix(GRADER) if name.startswith(GRADER) else OWN,
        samples=given.get("trainingSamplePerPrompt", 4),
        answer_tokens=given.get("inferenceMaxTokens", 64),
    )
    settings = msgspec.structs.replace(
        settings,
        epochs=given.get("epochCount", _RFT_EPOCHS),
        batch=given.get("batchSize", _RFT_BATCH),
        rate=given.get("learningRate", settings.rate),
        max_tokens=min(given.get("maxPromptLength", settings.max_tokens), context_tokens or settings.max_tokens),
    )
    return settings, grading, given.get("evalInterval", 0)
