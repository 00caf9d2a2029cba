"""Reinforcement: the model answers, a grader scores, and what scored above its fellows becomes likelier (GRPO).

For each prompt several answers are drawn; each is weighed by how far its score lies from their mean, in their standard
deviations (Shao et al. 2024, with one update per drawing, so that no ratio needs to be clipped). The divergence from
the base is held down by its usual estimate, weighed by `beta`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from craton.features.tuning.grading import scores
from craton.features.tuning.objective import parts_of
from craton.features.tuning.packing import blocks
from craton.features.tuning.plan import Grading
from craton.features.tuning.records import Record
from craton.features.tuning.tokens import Sample
from craton.features.tuning.weights import Learner

_LEAST_SPREAD = 1e-4


class Rewards:
    """The objective over prompts, which are kept in memory: their number is small."""

    def __init__(
        self, learner: Learner, prompts: Sequence[tuple[Record, NDArray[np.int32]]], grading: Grading, beta: float
    ) -> None:
        self._learner, self._prompts, self._grading = learner, prompts, grading
        self._beta = beta if learner.adapter is not None else 0.0  # without an adapter there is no base to compare with
        self.reward: float | None = None

    def __len__(self) -> int:
        return len(self._prompts)

    def losses(self, numbers: Sequence[int]) -> Iterator[tuple[Tensor, int]]:
        grading = self._grading
        drawn, rewards = self._answered(numbers, grading.samples, grading.temperature)
        self.reward = float(rewards.mean())
        groups = rewards.reshape(len(numbers), grading.samples)
        spread = groups.std(axis=1, keepdims=True)
        worth = np.where(
            spread > _LEAST_SPREAD, (groups - groups.mean(axis=1, keepdims=True)) / (spread + _LEAST_SPREAD), 0.0
        )
        weights = torch.from_numpy(worth.reshape(-1).astype(np.float32)).to(self._learner.device)
        made = blocks(range(len(drawn)), drawn.__getitem__, together=self._learner.packs)
        total = max(1, sum(len(block.targets) for block in made))
        for block in made:
            said = self._learner.logprobs(block)
            loss = -(weights[torch.from_numpy(block.owners).to(weights.device)] * said).sum()
            if self._beta:
                with torch.no_grad(), self._learner.as_base():
                    before = self._learner.logprobs(block)
                gap = before - said
                loss = loss + self._beta * (gap.exp() - gap - 1).sum()
            yield loss / total, block.tokens

    def mean(self, batch: int) -> float:
        """How much is missing from the best score on average, with the likeliest answers."""
        parts = parts_of(len(self), batch)
        rewards = [reward for part in parts for reward in self._answered(part, 1, 0.0)[1]]
        return 1.0 - float(np.mean(rewards))

    def _answered(
        self, numbers: Sequence[int], samples: int, temperature: float
    ) -> tuple[list[Sample], NDArray[np.float64]]:
        """Answers to each prompt, side by side, as samples whose answers are learned, and their scores."""
        asked = [self._prompts[number] for number in numbers for _ in range(samples)]
        answers = self._learner.answers([ids for _, ids in asked], self._grading.answer_tokens, temperature)
        texts = [(record, self._learner.text(answer)) for (record, _), answer in zip(asked, answers, strict=True)]
        rewards = np.asarray(scores(self._grading.rule, texts), np.float64)
        return [_joined(prompt, answer) for (_, prompt), answer in zip(asked, answers, strict=True)], rewards


def _joined(prompt: NDArray[np.int32], answer: NDArray[np.int32]) -> Sample:
    learned = np.zeros(len(prompt) + len(answer), np.bool_)
    learned[len(prompt) :] = True
    return Sample(np.concatenate([prompt, answer]), learned)
