"""Rows on a transformers model: continuous batching for whatever keeps one key and one value per layer and position.

Owns the calls of the model. Rows of different age decode in one call, each with its own positions, its own mask and,
where adapters are loaded, its own adapter (`torch_lora`). An architecture of another kind (recurrent states, positions
of its own) is noticed when it is opened, by computing both ways, and left to `torch_turns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from craton.engine.memory import fit
from craton.engine.rows import PIECE_TOKENS, Logits
from craton.engine.torch_cache import Masks, RowCache
from craton.engine.torch_lora import AdapterReader, Wardrobe
from craton.engine.torch_open import Opened

# What a model raises that wants another cache, another mask or no positions.
UNSUITED = (TypeError, ValueError, AttributeError, RuntimeError, NotImplementedError, KeyError, IndexError)


class Unsuited(Exception):
    """The architecture cannot be batched row by row this way; see `torch_turns`."""


class TorchRows:
    """A model opened as a table of rows. Raises Unsuited."""

    copies = True
    piece_tokens = PIECE_TOKENS
    adapts = True

    def __init__(self, opened: Opened, max_batch: int, context_tokens: int) -> None:
        self._model, self._device = opened.model, opened.device
        self.vocabulary = int(text_config(opened.model.config).vocab_size)
        self.kind = f"transformers on {self._device.type}, continuous batching, {str(opened.dtype).rpartition('.')[2]}"
        layers, bytes_per_token = self._measured()
        self.capacity, self.context_tokens = fit(bytes_per_token, max_batch, context_tokens, opened.free_bytes())
        self._masks = Masks(text_config(opened.model.config), self.context_tokens, self._device)
        if self._masks.unknown:
            raise Unsuited(f"layers of the kind {', '.join(self._masks.unknown)}")
        self._cache = RowCache(layers, self.capacity, self.context_tokens)
        self.wardrobe = Wardrobe(opened.model, self.capacity)
        self._reader = AdapterReader(opened.model)
        self._positions = torch.arange(self.context_tokens, device=self._device)
        self._probe()

    def prefill(self, row: int, tokens: Sequence[int], start: int) -> Logits:
        """See Rows."""
        count = len(tokens)
        ids = torch.tensor([tokens], device=self._device)
        self._cache.filling(row, start, count)
        self.wardrobe.show(row, row + 1)
        logits: Logits = self._forward(ids, self._positions[None, start : start + count], start + count)[0]
        return logits

    def decode(self, tokens: NDArray[np.int64], lengths: NDArray[np.int64]) -> Logits:
        """See Rows."""
        columns = torch.from_numpy(lengths).to(self._device)
        length = int(lengths.max()) + 1
        self._cache.stepping(columns, length)
        self.wardrobe.show(0, len(tokens))
        ids = torch.from_numpy(tokens[:, None]).to(self._device)
        return self._forward(ids, columns[:, None], length)

    def copy(self, source: int, target: int, length: int) -> None:
        """See Rows."""
        with torch.inference_mode():
            self._cache.copy(source, target, length)

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """See Rows."""
        with torch.inference_mode():
            self._cache.swap(one, other, max(length_one, length_other))
            self.wardrobe.swap(one, other)

    def wear(self, row: int, adapter: object) -> None:
        """See Rows; adapters are those of `torch_lora`."""
        with torch.inference_mode():
            self.wardrobe.wear(row, adapter)

    def read_adapter(self, name: str, path: Path) -> object:
        """See Rows."""
        return self._reader.read(name, path)

    def _forward(self, ids: Any, positions: Any, length: int) -> Logits:
        with torch.inference_mode():
            mask = self._masks.of(positions, length)
            answer = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
            logits: Logits = answer.logits[:, -1].float().cpu().numpy()
            return logits

    def _measured(self) -> tuple[int, int]:
        """How many layers keep something, and how many bytes a position takes in all of them. Raises Unsuited."""
        with torch.inference_mode():
            try:
                past = self._model(torch.tensor([[1, 2]], device=self._device), use_cache=True).past_key_values
                kept = [tensor for layer in past.layers for tensor in (layer.keys, layer.values)]
                if any(tensor is None or tensor.dim() != 4 or tensor.shape[2] != 2 for tensor in kept):
                    raise Unsuited("its cache is not one of keys and values by position")
                return len(past.layers), sum(tensor.numel() * tensor.element_size() for tensor in kept) // 2
            except UNSUITED as fault:
                raise Unsuited(str(fault)) from fault

    def _probe(self) -> None:
        """Rows decoded together, filled in pieces, must agree with the model's own way of computing. Raises Unsuited."""
        if self.context_tokens < 8:
            return
        long, short = [1, 2, 3, 4, 5], [2, 5]
        try:
            with torch.inference_mode():
                wanted = [
                    self._model(torch.tensor([each], device=self._device)).logits[0, -1].float().cpu().numpy()
                    for each in (long, short)
                ]
            self.prefill(0, long[:2], 0)
            self.prefill(0, long[2:4], 2)
            found = [self.decode(np.array([5]), np.array([4]))[0]]
            if self.capacity > 1:
                self.prefill(1, short[:1], 0)
                found = [*self.decode(np.array([5, 5]), np.array([4, 1]))]
        except UNSUITED as fault:
            raise Unsuited(str(fault)) from fault
        for one, other in zip(wanted, found, strict=False):
            if not np.allclose(one, other, rtol=0.05, atol=0.05 * (float(np.abs(one).max()) + 1e-3)):
                raise Unsuited("rows of different lengths do not decode alike in this architecture")


def text_config(config: Any) -> Any:
    """The part of a configuration that describes the text model, where a model reads more than text."""
    return config.get_text_config() if hasattr(config, "get_text_config") else config
