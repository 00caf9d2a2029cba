"""Rows on ONNX Runtime GenAI: one `Generator` per row, stepped in turn, for every architecture that runtime knows.

Owns the generators. It serves what `onnx_batch` cannot (sliding windows, pipelines, caches that the graph manages
itself), at the price of computing rows one after another. Sampling is not its business: it hands over logits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craton.engine.rows import PIECE_TOKENS, Logits, OwnWeightsOnly


class OnnxGenai(OwnWeightsOnly):
    """A model directory opened by the GenAI runtime. Raises what that runtime raises (RuntimeError) on a bad one."""

    kind = "onnxruntime-genai, one generator per request"
    copies = False
    piece_tokens = PIECE_TOKENS

    def __init__(self, directory: Path, threads: int, max_batch: int, context_tokens: int | None) -> None:
        import onnxruntime_genai

        onnxruntime_genai.disable_telemetry_events()
        config = json.loads((directory / "genai_config.json").read_bytes())
        self.vocabulary = int(config["model"]["vocab_size"])
        self.context_tokens = min(int(config["model"]["context_length"]), context_tokens or 1 << 20)
        self.capacity = max_batch
        self._runtime: Any = onnxruntime_genai
        opened = onnxruntime_genai.Config(str(directory))
        session = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
        opened.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
        self._model = onnxruntime_genai.Model(opened)
        self._rows: list[Any] = [None] * max_batch

    def prefill(self, row: int, tokens: Sequence[int], start: int) -> Logits:
        """See Rows."""
        generator = self._rows[row]
        if generator is None or start == 0:
            generator = self._rows[row] = self._fresh()
        elif generator.token_count() > start:
            generator.rewind_to(start)
        generator.append_tokens(np.asarray(tokens, np.int32))
        return self._logits(generator)

    def decode(self, tokens: NDArray[np.int64], lengths: NDArray[np.int64]) -> Logits:
        """See Rows."""
        logits = np.empty((tokens.shape[0], self.vocabulary), np.float32)
        for row, token in enumerate(tokens):
            generator = self._rows[row]
            generator.append_tokens(np.array([token], np.int32))
            logits[row] = self._logits(generator)
        return logits

    def copy(self, source: int, target: int, length: int) -> None:
        """Not possible here; `copies` says so."""
        raise NotImplementedError("this runtime cannot copy a row")

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """See Rows."""
        self._rows[one], self._rows[other] = self._rows[other], self._rows[one]

    def _fresh(self) -> Any:
        parameters = self._runtime.GeneratorParams(self._model)
        parameters.set_search_options(max_length=self.context_tokens, do_sample=False, batch_size=1)
        return self._runtime.Generator(self._model, parameters)

    def _logits(self, generator: Any) -> Logits:
        logits: Logits = np.asarray(generator.get_logits(), np.float32).reshape(-1, self.vocabulary)[-1]
        return logits
