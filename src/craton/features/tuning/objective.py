"""What training lowers: the surprise at the answers, or at preferring the better of two.

Owns the two losses over packed blocks. An objective says what its records are, how many there are, and the loss of some
of them; the loop knows nothing else of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from craton.features.tuning.packing import Block, blocks
from craton.features.tuning.shelf import Shelf
from craton.features.tuning.team import ALONE, Alone
from craton.features.tuning.weights import Learner


class Objective(Protocol):
    """What a step does with the records that it is given."""

    reward: float | None
    """The mean score of the last step's answers, where answers are scored."""

    def __len__(self) -> int:
        """How many records there are."""
        ...

    def losses(self, numbers: Sequence[int]) -> Iterator[tuple[Tensor, int]]:
        """The loss of these records in parts, whose sum it is, with the tokens each part computed.

        Of a team, each rank has the parts of its own; together they are the loss.
        """
        ...

    def mean(self, batch: int) -> float:
        """The mean loss of all records, without learning."""
        ...


def parts_of(count: int, size: int) -> list[range]:
    """The numbers below `count`, `size` at a time."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


class Answers:
    """Of conversations and texts: the mean surprise per learned token."""

    def __init__(self, learner: Learner, shelf: Shelf, team: Alone = ALONE) -> None:
        self._learner, self._shelf, self._team = learner, shelf, team
        self.reward: float | None = None

    def __len__(self) -> int:
        return len(self._shelf)

    def losses(self, numbers: Sequence[int]) -> Iterator[tuple[Tensor, int]]:
        made = blocks(self._team.mine(numbers), self._shelf.__getitem__, together=self._learner.packs)
        total = max(1, sum(self._shelf.learned(number) for number in numbers))
        for block in made:
            if len(block.targets):
                yield -self._learner.logprobs(block).sum() / total, block.tokens

    def mean(self, batch: int) -> float:
        """The loss over everything on the shelf, `batch` records at a time."""
        sums = np.zeros(2)
        with self._learner.judging():
            for part in parts_of(len(self), batch):
                for block in blocks(self._team.mine(part), self._shelf.__getitem__, together=self._learner.packs):
                    if len(block.targets):
                        sums += -float(self._learner.logprobs(block).sum()), len(block.targets)
        self._team.add(sums)
        return float(sums[0] / max(1.0, sums[1]))


class Preferences:
    """Of pairs: the surprise that the chosen answer is the better one (DPO, Rafailov et al. 2023).

    On the shelf each chosen answer stands before its rejected one. What the base thinks of them is computed as this is
    made, so the learner must not have learned anything by then.
    """

    def __init__(self, learner: Learner, shelf: Shelf, beta: float, team: Alone = ALONE) -> None:
        self._learner, self._shelf, self._beta, self._team = learner, shelf, beta, team
        self.reward: float | None = None
        self._base: NDArray[np.float32] = np.zeros(len(shelf), np.float32)
        with learner.judging():
            for part in parts_of(len(shelf), 16):
                for block in blocks(team.mine(part), shelf.__getitem__, together=learner.packs):
                    np.add.at(self._base, block.owners, learner.logprobs(block).cpu().numpy())
        team.add(self._base)

    def __len__(self) -> int:
        return len(self._shelf) // 2

    def losses(self, numbers: Sequence[int]) -> Iterator[tuple[Tensor, int]]:
        wanted = [2 * number + side for number in self._team.mine(numbers) for side in (0, 1)]
        made = blocks(wanted, self._shelf.__getitem__, together=self._learner.packs)
        if made:
            yield self._loss(made, wanted) / len(numbers), sum(block.tokens for block in made)

    def mean(self, batch: int) -> float:
        """The loss over all pairs, `batch` of them at a time."""
        with self._learner.judging():
            sums = (float(loss) * len(part) for part in parts_of(len(self), batch) for loss, _ in self.losses(part))
            total = np.array([sum(sums)])
        self._team.add(total)
        return float(total[0]) / max(1, len(self))

    def _loss(self, made: list[Block], wanted: list[int]) -> Tensor:
        place = {number: at for at, number in enumerate(wanted)}
        sums = torch.zeros(len(wanted), device=self._learner.device)
        for block in made:
            owners = torch.tensor([place[int(owner)] for owner in block.owners], device=sums.device)
            sums = sums.index_add(0, owners, self._learner.logprobs(block))
        gained = sums - torch.from_numpy(self._base[wanted]).to(sums.device)
        return -torch.nn.functional.logsigmoid(self._beta * (gained[0::2] - gained[1::2])).sum()
