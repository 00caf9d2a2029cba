"""The training process of a job: its turn on the machine, what it says, and what became of it.

Owns the queue of trainings on one machine (locks in the scratch, which the kernel takes back from whoever dies) and the
reading of the process's events. A process that was killed is started again with the same plan, and goes on from its last
checkpoint. It must not know rows, S3 or models' names.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from craton.features.hosting.custom import Form
from craton.features.tuning.memory import needed_bytes, shown
from craton.features.tuning.plan import Plan
from craton.features.tuning.progress import Asked, Done, Event, Failed, Kept, TuningFault, heard
from craton.infra.compute.process import available_cores, describe_exit
from craton.infra.compute.sandbox import Sandbox
from craton.workflows.customize.grading import Desk, Grade
from craton.workflows.import_model import child
from craton.workflows.workflow import JobFailed, Later

CHILD = "craton.features.tuning.child"
STOPPED = (143, -signal.SIGTERM)
"""By its own hand, or before it could take notice."""
_CORES_EACH = 8
"""Trainings run side by side where each has so many cores."""
_LOOK_AGAIN_S = 2.0
_MOST_KILLS = 3
_WHAT = {
    "data": "The training data cannot be used: ", "base": "The base model cannot be trained: ",
    "memory": "Training failed: ", "disk": "Training failed: ", "settings": "The hyperparameters cannot be used: ",
    "grader": "The grader failed: ",
}  # fmt: skip


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal knows of a training that ended well, or was asked to stop."""

    stopped: bool = False
    form: Form = "adapter"
    training_loss: float | None = None
    validation_loss: float | None = None
    reward: float | None = None


def places_at_once() -> int:
    """How many trainings run at a time on this machine."""
    return max(1, available_cores() // _CORES_EACH)


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """The right to train on this machine while the block lasts. Raises Later where others have it."""
    for number in range(places_at_once()):
        handle = os.open(folder / f"turn-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        try:
            yield
        finally:
            os.close(handle)
        return
    raise Later("It waits for its turn: another model is being trained on this machine.", _LOOK_AGAIN_S)


class Trainer:
    """Runs a plan. `told` hears each event; `stop` returns when the job is to stop; `grade` scores what it asks about."""

    def __init__(
        self, sandbox: Sandbox, folder: Path, told: Callable[[Event], None], stop: Callable[[], Awaitable[None]],
        grade: Grade | None = None,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._sandbox = sandbox
        self._told = told
        self._stop_asked = stop
        self._stopping = False
        self._grade = grade
        self._desk: Desk | None = None
        self._end: Done | Failed | None = None
        self._kept = 0

    async def run(self, file: Path, plan: Plan) -> Trained:
        """To its end. Raises JobFailed."""
        kills, words = 0, [CHILD, str(file)]
        while True:
            before = self._kept
            ended = await self._once(words, plan)
            if self._end is not None:
                return self._ended(self._end, plan)
            if ended.code in STOPPED and self._stopping:
                return Trained(stopped=True)
            if ended.code >= 0 and ended.code not in STOPPED:
                raise JobFailed(f"Training failed: {without_paths(last_words(ended), plan)}")
            kills = 1 if self._kept > before else kills + 1
            if kills >= _MOST_KILLS:
                raise JobFailed(killed(ended.code, kills, plan))
            await asyncio.sleep(kills)

    async def _once(self, words: list[str], plan: Plan) -> child.Ended:
        """One process to its end. Raises what kept the grader from being asked."""
        run = partial(
            child.run, words, self._folder, self._sandbox, reads=[plan.base], threads=plan.threads, hear=self._hear,
            stop=self._stop,
        )  # fmt: skip
        if self._grade is None:
            return await run()
        async with Desk(self._grade) as self._desk:
            return await run(replies=self._desk.replies)

    async def _stop(self) -> None:
        await self._stop_asked()
        self._stopping = True

    def _hear(self, line: bytes) -> None:
        event = heard(line)
        if event is None:
            return
        if isinstance(event, Done | Failed):
            self._end = event
        if isinstance(event, Kept):
            self._kept = event.step
        if isinstance(event, Asked) and self._desk is not None:
            self._desk.ask(event.items)
        self._told(event)

    def _ended(self, end: Done | Failed, plan: Plan) -> Trained:
        if self._stopping:  # what then goes wrong, a checkpoint without room say, is nobody's matter any more
            return Trained(stopped=True)
        if isinstance(end, Failed):
            raise JobFailed(f"{_WHAT[end.kind]}{without_paths(end.why, plan)}")
        return Trained(
            form=plan.settings.form, training_loss=end.loss, validation_loss=end.validation_loss, reward=end.reward
        )


def last_words(ended: child.Ended) -> str:
    return (ended.complained or ended.said or [describe_exit(ended.code)])[-1][:600]


def without_paths(text: str, plan: Plan) -> str:
    """What a process says, without the paths of this machine."""
    for path, name in ((plan.base, "the base model"), (plan.work, "the scratch"), (plan.out, "the output")):
        text = text.replace(path, name)
    return text


def killed(code: int, times: int, plan: Plan) -> str:
    """Why a process that somebody kills again and again is given up, and what it needed."""
    try:
        needed = shown(needed_bytes(plan))
    except (TuningFault, OSError):
        needed = "an unknown amount"
    return (
        f"Training failed: its process was ended {times} times without getting further ({describe_exit(code)}). It needs "
        f"about {needed} of memory; a machine with less kills it."
    )
