"""Rows on a transformers model whose state cannot be kept row by row in tables: each row has its own, in turn.

Owns one cache per row, of whatever kind the architecture makes. It serves what `torch_rows` cannot (recurrent states,
positions that a model counts for itself), at the price of computing rows one after another, without adapters.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from craton.engine.rows import Logits, OwnWeightsOnly
from craton.engine.torch_open import Opened
from craton.engine.torch_rows import text_config


class TorchTurns(OwnWeightsOnly):
    """A model whose rows are computed in turn."""

    copies = False
    piece_tokens = 1 << 20

    def __init__(self, opened: Opened, max_batch: int, context_tokens: int) -> None:
        self._model, self._device = opened.model, opened.device
        self.kind = f"transformers on {self._device.type}, rows in turn, {str(opened.dtype).rpartition('.')[2]}"
        self.vocabulary = int(text_config(opened.model.config).vocab_size)
        self.capacity, self.context_tokens = max_batch, context_tokens
        # Recurrent models call theirs otherwise.
        named = inspect.signature(opened.model.forward).parameters
        self._name = "cache_params" if "cache_params" in named else "past_key_values"
        self._states: list[Any] = [None] * max_batch
        self._tokens: list[list[int]] = [[] for _ in range(max_batch)]

    def prefill(self, row: int, tokens: Sequence[int], start: int) -> Logits:
        """See Rows. Always from the beginning: states are not wound back, nor do all take several tokens at a time."""
        self._tokens[row] = [*self._tokens[row][:start], *tokens]
        self._states[row] = None
        return self._append(row, self._tokens[row])

    def decode(self, tokens: NDArray[np.int64], lengths: NDArray[np.int64]) -> Logits:
        """See Rows."""
        logits = np.empty((tokens.shape[0], self.vocabulary), np.float32)
        for row, token in enumerate(tokens):
            self._tokens[row].append(int(token))
            logits[row] = self._append(row, [int(token)])
        return logits

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy a whole state; a part of one cannot be."""
        if length != len(self._tokens[source]):
            raise NotImplementedError("this architecture's state cannot be cut")
        self._states[target] = copy.deepcopy(self._states[source])
        self._tokens[target] = list(self._tokens[source])

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """See Rows."""
        self._states[one], self._states[other] = self._states[other], self._states[one]
        self._tokens[one], self._tokens[other] = self._tokens[other], self._tokens[one]

    def _append(self, row: int, tokens: list[int]) -> Logits:
        with torch.inference_mode():
            ids = torch.tensor([tokens], device=self._device)
            answer = self._model(input_ids=ids, use_cache=True, **{self._name: self._states[row]})
            self._states[row] = answer[self._name]
            logits: Logits = answer.logits[0, -1].float().cpu().numpy()
            return logits
