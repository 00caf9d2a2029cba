"""A model that is arithmetic: the next token is a function of the whole history, so that any mix-up of rows shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from craton.engine.rows import PIECE_TOKENS

TINY = Path(__file__).resolve().parents[2] / "data" / "engine" / "tiny"


def following(history: Sequence[int], vocabulary: int) -> int:
    """The token after `history`; never 0, which the tests use as the end of the sequence."""
    value = 17
    for token in history:
        value = (value * 31 + token + 1) % 1_000_003
    return 1 + value % (vocabulary - 1)


class FakeRows:
    """See craton.engine.rows.Rows. Checks that it is told lengths that are really there."""

    kind = "fake"
    copies = True
    adapts = True
    piece_tokens = PIECE_TOKENS

    def __init__(
        self,
        capacity: int = 4,
        context_tokens: int = 256,
        vocabulary: int = 50,
        step_s: float = 0,
        prefill_s: float = 0,
    ) -> None:
        self.capacity, self.context_tokens, self.vocabulary = capacity, context_tokens, vocabulary
        self.step_s, self.prefill_s = step_s, prefill_s
        self.cache: list[list[int]] = [[] for _ in range(capacity)]
        # An adapter is a number that is added to what follows.
        self.worn: list[object] = [None] * capacity
        self.widths: list[int] = []
        self.prefilled = 0
        self.read: list[str] = []
        self.fail_next = 0
        self.gate = threading.Event()
        self.gate.set()
        # What is told instead of `following`, by the row's first token.
        self.script: dict[int, list[int]] = {}

    def _logits(self, row: int) -> np.ndarray:
        logits = np.zeros(self.vocabulary, np.float32)
        history = self.cache[row]
        script = self.script.get(history[0])
        worn = self.worn[row]
        told = [*history, worn] if isinstance(worn, int) else history
        logits[script[len(history) - 1] if script else following(told, self.vocabulary)] = 10
        return logits

    def prefill(self, row: int, tokens: Sequence[int], start: int) -> np.ndarray:
        assert len(self.cache[row]) >= start
        time.sleep(self.prefill_s)
        self.cache[row] = self.cache[row][:start] + list(tokens)
        self.prefilled += len(tokens)
        return self._logits(row)

    def decode(self, tokens: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        self.gate.wait()
        time.sleep(self.step_s)
        if self.fail_next:
            self.fail_next -= 1
            raise RuntimeError("the arithmetic broke")
        self.widths.append(len(tokens))
        for row, (token, length) in enumerate(zip(tokens, lengths, strict=True)):
            assert len(self.cache[row]) >= length
            assert length < self.context_tokens
            self.cache[row] = [*self.cache[row][:length], int(token)]
        return np.stack([self._logits(row) for row in range(len(tokens))])

    def copy(self, source: int, target: int, length: int) -> None:
        assert self.worn[source] == self.worn[target]
        self.cache[target] = self.cache[source][:length]

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        assert len(self.cache[one]) >= length_one
        assert len(self.cache[other]) >= length_other
        self.cache[one], self.cache[other] = self.cache[other], self.cache[one]
        self.worn[one], self.worn[other] = self.worn[other], self.worn[one]

    def wear(self, row: int, adapter: object) -> None:
        self.worn[row] = adapter
        self.cache[row] = []

    def read_adapter(self, name: str, path: Path) -> object:
        self.read.append(name)
        if path.name == "none":
            raise FileNotFoundError(path)
        return 1000 + int(path.name)
