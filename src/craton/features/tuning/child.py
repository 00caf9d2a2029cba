"""The training process: `python -m craton.features.tuning.child PLAN.json`.

It reads the files, trains, writes the results and says what it does (`progress`). SIGTERM has it keep a checkpoint
and end with status 143; the same plan then goes on from there. Status 1 after `Failed`.
"""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import msgspec

from craton.features.tuning.plan import FORMS, Plan
from craton.features.tuning.progress import Abandoned, Began, Done, Failed, TuningFault, tell
from craton.features.tuning.team import Alone, gathered

if TYPE_CHECKING:
    from craton.features.tuning.files import Data
    from craton.features.tuning.loop import Loop
    from craton.features.tuning.objective import Objective
    from craton.features.tuning.weights import Learner

STOPPED = 128 + signal.SIGTERM
GONE = "its files are no longer there"


def main() -> int:
    """Carry out the plan that the first argument names."""
    stopping = _on_term()
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
    try:
        team = gathered(plan.processes, Path(plan.work))
    except OSError as fault:
        tell(Failed(kind="memory", why=f"{plan.processes} processes cannot be had: {fault.strerror or fault}"))
        return 1
    try:
        return carry_out(plan, stopping, team)
    except TuningFault as fault:
        failed = Failed(kind=fault.kind, why=str(fault))
    except MemoryError:
        failed = Failed(kind="memory", why=_out_of_memory(plan))
    except OSError as fault:
        gone = not Path(plan.base).is_dir()
        failed = Failed(kind="base", why=GONE) if gone else Failed(kind="disk", why=f"{fault.strerror or fault}")
    except RuntimeError as fault:
        if "memory" not in str(fault):
            raise
        failed = Failed(kind="memory", why=_out_of_memory(plan))
    team.fail(failed)
    return 1


def carry_out(plan: Plan, stopping: list[int], team: Alone) -> int:
    """Read, train, write. Raises TuningFault, OSError, and what the machine refuses."""
    from craton.features.tuning import files
    from craton.features.tuning.weights import base_hash

    base, work = Path(plan.base), Path(plan.work)
    if not base.is_dir():
        raise TuningFault("base", GONE)
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    whole = msgspec.json.encode(plan) + base_hash(base).encode()
    key = hashlib.sha256(whole).hexdigest()
    forms = plan.forms or FORMS[plan.method]
    open_file = files.prompts_of if plan.method == "rft" else files.shelf_of
    if team.rank:
        team.meet()  # the leader has laid down the files
    train = open_file(plan, key, "training", Path(plan.train), forms)
    checked = open_file(plan, key, "validation", Path(plan.validation), forms) if plan.validation else None
    if not team.rank:
        team.meet()
    loop = _prepared(plan, key, train, checked, team)
    team.meet()  # before a checkpoint is written, all have taken up the one before
    early = _ran(loop, stopping)
    if team.rank:
        return 0
    loop.keep()
    if stopping:
        return STOPPED
    _finish(plan, loop, early=early)
    return 0


def _ran(loop: Loop, stopping: list[int]) -> bool:
    """Train; whether it ended early. A step that nobody scores any more is not taken."""
    try:
        return loop.run(lambda: bool(stopping))
    except Abandoned:
        if stopping:
            return False
        raise TuningFault("grader", "it is gone") from None


def _prepared(plan: Plan, key: str, train: Data, checked: Data | None, team: Alone) -> Loop:
    from craton.features.tuning.loop import Loop
    from craton.features.tuning.memory import check_room
    from craton.features.tuning.weights import Learner

    check_room(plan)
    learner = Learner(Path(plan.base), plan.settings, plan.threads, team.rank)
    objective = _objective(plan, learner, train, team)
    validation = _objective(plan, learner, checked, team) if checked is not None else None
    loop = Loop(plan, key, learner, objective, validation, team)
    trained, all_weights = learner.counts
    step, steps, tokens = loop.progress.step, loop.steps, loop.progress.tokens
    tell(Began(step=step, steps=steps, weights=trained, all_weights=all_weights, settings=plan.settings, tokens=tokens))
    return loop


def _objective(plan: Plan, learner: Learner, data: Data, team: Alone) -> Objective:
    from craton.features.tuning.objective import Answers, Preferences
    from craton.features.tuning.reinforcement import Rewards

    if isinstance(data, list):
        return Rewards(learner, data, plan.grading, plan.settings.beta)
    if plan.method == "dpo":
        return Preferences(learner, data, plan.settings.beta, team)
    return Answers(learner, data, team)


def _finish(plan: Plan, loop: Loop, *, early: bool) -> None:
    from craton.features.tuning import artifacts
    from craton.features.tuning.weights import base_hash

    out, progress = Path(plan.out), loop.progress
    loop.learner.save(out / plan.settings.form, merged=plan.settings.form == "model")
    artifacts.write_tables(out, loop.history.events)
    artifacts.draw_curve(out / artifacts.CURVE, loop.history.events, f"{plan.method}: loss")
    trained, all_weights = loop.learner.counts
    facts = {
        "method": plan.method,
        "settings": msgspec.to_builtins(plan.settings),
        "base_sha256": base_hash(Path(plan.base)),
        "weights_trained": trained,
        "weights": all_weights,
        "records": len(loop.objective),
        "steps": progress.step,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds, 3),
        "cpu_seconds": round(progress.cpu_seconds, 3),
        "training_loss": progress.loss,
        "reward": progress.reward,
        "validation_loss": progress.validation,
        "ended_early": early,
    }
    artifacts.write_card(out, facts)
    tell(
        Done(
            step=progress.step,
            loss=progress.loss,
            seconds=progress.seconds,
            cpu_seconds=progress.cpu_seconds,
            tokens=progress.tokens,
            validation_loss=progress.validation,
            reward=progress.reward,
            early=early,
        )
    )


def _on_term() -> list[int]:
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    signal.signal(signal.SIGTERM, note)
    return asked


def _out_of_memory(plan: Plan) -> str:
    from craton.features.tuning.memory import needed_bytes, shown

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f"there was not enough memory: the run had taken {shown(used)}, and needs about {shown(needed_bytes(plan))}"


if __name__ == "__main__":
    sys.exit(main())
