"""The steps of a run: which records, how fast, when to look at the validation file, when to keep, when to end.

Everything that a step does follows from the plan and the step's number, so a run that was cut and goes on from its
checkpoint ends with the very weights of one that was not (on the same CPU, with the same number of threads).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from craton.features.tuning import checkpoint
from craton.features.tuning.checkpoint import Progress
from craton.features.tuning.objective import Objective
from craton.features.tuning.plan import Plan, Settings
from craton.features.tuning.progress import Kept, Stepped, TuningFault, Validated, tell
from craton.features.tuning.team import ALONE, END, GO, Alone
from craton.features.tuning.weights import Learner

_BETAS = (0.9, 0.99)
_LONGEST_GRADIENT = 1.0
_LAST_RATE = 0.1
_TOGETHER = 1 << 24
"""How many weights' gradients are added up at a time over a team: 64 MiB for each rank, and for the sum."""


class Loop:
    """One run over one objective. `history` are the steps and validations taken, those before a cut included."""

    def __init__(
        self, plan: Plan, key: str, learner: Learner, objective: Objective, validation: Objective | None,
        team: Alone = ALONE,
    ) -> None:  # fmt: skip
        self.plan, self.settings = plan, plan.settings
        self.learner, self.objective, self.validation, self.team = learner, objective, validation, team
        self.per_epoch = math.ceil(len(objective) / self.settings.batch)
        self.steps = self.per_epoch * self.settings.epochs
        weights = list(learner.trained.values())
        self.optimiser = torch.optim.AdamW(weights, lr=self.settings.rate, betas=_BETAS, weight_decay=0.0)
        self.progress = Progress()
        self.history = History(Path(os.devnull) if team.rank else Path(plan.work) / "history.jsonl")
        self._cpu = 0.0
        self._key = key
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))
        self._resume()

    def run(self, stopping: Callable[[], bool]) -> bool:
        """Until the last step, until the loss does not fall any more (True), or until somebody wants it to stop.

        Raises TuningFault for a loss that is no number, or a checkpoint that cannot be written.
        """
        began, self._cpu = time.monotonic() - self.progress.seconds, time.process_time()
        kept_at = time.monotonic()
        early = False
        while self.progress.step < self.steps and not early and self.team.meet(END if stopping() else GO) == GO:
            self._step()
            early = self._look()
            self.progress.seconds = time.monotonic() - began
            if not self.team.rank and time.monotonic() - kept_at >= self.plan.checkpoint_s:
                self.keep()
                kept_at = time.monotonic()
        return early

    def keep(self) -> None:
        """Write a checkpoint. Raises TuningFault."""
        self.history.flush()
        checkpoint.keep(
            Path(self.plan.work), self.progress, self.learner.state(), self.optimiser.state_dict(), self._key
        )
        tell(Kept(step=self.progress.step))

    def _resume(self) -> None:
        found = checkpoint.kept(Path(self.plan.work), self._key)
        if found is not None:
            self.progress, weights, optimiser = found
            self.learner.restore(weights)
            self.optimiser.load_state_dict(optimiser)
        self.history.begin(self.progress.step)

    def _step(self) -> None:
        step = self.progress.step
        epoch, rate = step // self.per_epoch, rate_of(step, self.steps, self.settings)
        # What dropout draws follows from the step and the rank alone.
        torch.manual_seed(self.settings.seed * 1_000_003 + step + (self.team.rank << 40))
        numbers = self._numbers(step)
        total, tokens = 0.0, 0
        for loss, count in self.objective.losses(numbers):
            loss.backward()
            total += float(loss.detach())
            tokens += count
        total, tokens = self._together(total, tokens)
        if not math.isfinite(total):
            raise TuningFault("settings", f"the loss of step {step} is not a number: the learning rate is too high")
        torch.nn.utils.clip_grad_norm_(self.learner.trained.values(), _LONGEST_GRADIENT)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.progress.step, self.progress.loss = step + 1, total
        self.progress.tokens += tokens
        reward = self.progress.reward = self.objective.reward
        tokens = self.progress.tokens
        self._note(Stepped(step=step, epoch=epoch, loss=total, tokens=tokens, rate=rate, reward=reward))

    def _together(self, loss: float, tokens: int) -> tuple[float, int]:
        """The step's loss and tokens over all ranks, and the gradients' sums in the place of this rank's own."""
        now = time.process_time()
        sums = np.array([loss, tokens, now - self._cpu])
        self._cpu = now
        self.team.add(sums)
        self.progress.cpu_seconds += float(sums[2])
        if self.team.size > 1:
            add_gradients(self.team, list(self.learner.trained.values()))
        return float(sums[0]), int(sums[1])

    def _look(self) -> bool:
        """Ask the validation file when it is time; True if the loss has not fallen for long enough."""
        step, every = self.progress.step, self.plan.validate_every or self.per_epoch
        if self.validation is None or (step % every and step != self.steps):
            return False
        loss = self.validation.mean(self.settings.batch)
        self.progress.validation = loss
        self._note(Validated(step=step, epoch=(step - 1) // self.per_epoch, loss=loss))
        if loss < self.progress.best * (1 - self.settings.threshold):
            self.progress.best, self.progress.bad = loss, 0
        else:
            self.progress.bad += 1
        return 0 < self.settings.patience <= self.progress.bad

    def _numbers(self, step: int) -> list[int]:
        epoch, at = divmod(step, self.per_epoch)
        if self._order[0] != epoch:
            order = np.random.default_rng((self.settings.seed, epoch)).permutation(len(self.objective))
            self._order = epoch, order
        return [int(each) for each in self._order[1][at * self.settings.batch : (at + 1) * self.settings.batch]]

    def _note(self, event: Stepped | Validated) -> None:
        self.history.add(event)
        tell(event)


def add_gradients(team: Alone, weights: Sequence[Tensor]) -> None:
    """Make each weight's gradient the sum over all ranks; a rank that had no record of the step brings nothing."""
    at = 0
    while at < len(weights):
        end, count = at + 1, weights[at].numel()
        while end < len(weights) and count + weights[end].numel() <= _TOGETHER:
            count += weights[end].numel()
            end += 1
        bucket, start = torch.zeros(count), 0
        for weight in weights[at:end]:
            if weight.grad is not None:
                bucket[start : start + weight.numel()] = weight.grad.reshape(-1)
            start += weight.numel()
        team.add(bucket.numpy())
        for weight, part in zip(weights[at:end], bucket.split([each.numel() for each in weights[at:end]]), strict=True):
            weight.grad = part.view_as(weight).to(weight.device, weight.dtype)
        at = end


def rate_of(step: int, steps: int, settings: Settings) -> float:
    """Up in a line over the first `warmup` steps, then down in a line to a tenth."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    left = (steps - step) / max(1, steps - settings.warmup)
    return settings.rate * (_LAST_RATE + (1 - _LAST_RATE) * left)


class History:
    """The steps and validations of a run in a file, so that its tables are whole after a cut."""

    def __init__(self, path: Path) -> None:
        self.events: list[Stepped | Validated] = []
        self._path = path
        self._fresh: list[Stepped | Validated] = []

    def begin(self, step: int) -> None:
        """Take up what was noted before `step`; what came after it is taken again."""
        found = list(self._found())
        # A step is numbered from 0; a validation by the steps before it.
        self.events = [each for each in found if (each.step < step if isinstance(each, Stepped) else each.step <= step)]
        self._path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in self.events))

    def _found(self) -> Iterator[Stepped | Validated]:
        """What was noted; a line that was cut, by a full disk say, is of steps that no checkpoint counts."""
        for line in self._path.read_bytes().splitlines() if self._path.is_file() else []:
            with suppress(msgspec.DecodeError):
                yield msgspec.json.decode(line, type=Stepped | Validated)

    def add(self, event: Stepped | Validated) -> None:
        self.events.append(event)
        self._fresh.append(event)

    def flush(self) -> None:
        """Write what came since the last time; before the checkpoint that counts it."""
        with self._path.open("ab") as file:
            file.write(b"".join(msgspec.json.encode(each) + b"\n" for each in self._fresh))
        self._fresh.clear()
