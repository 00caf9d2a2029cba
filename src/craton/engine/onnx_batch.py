"""Rows on a plain ONNX Runtime session: continuous batching for models exported with grouped-query attention.

Owns the key/value buffers and their binding to the graph. Such a graph (what `onnxruntime_genai.models.builder` writes
for CPU) appends to its cache in place and takes every row's length from the attention mask, so rows of different age
decode in one call and a request joins or leaves between any two steps. Chosen by measurement (2 cores, 15M parameters,
int4, 16 arrivals within 0.3 s, 1 thread): 770 tokens per CPU-second here, 660 by the GenAI runtime's `Engine`, which
batches statically and lets late arrivals wait until its batch has ended (first token after 780-960 ms, here 240-280),
and 480 by one `Generator` per request stepped in turn. bench/engine.py measures this again. Knows nothing of requests.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craton.engine.backend import EngineFault
from craton.engine.memory import fit, free_bytes, lazy_pages
from craton.engine.rows import PIECE_TOKENS, Logits, OwnWeightsOnly
from craton.engine.w8a8 import suited

DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


# A step's mask is as wide as the longest row, rounded up: arrays are bound once for so many tokens.
WIDTH = 64


@dataclass(frozen=True, slots=True)
class Step:
    """A binding and the arrays that it reads: ids (n, 1), mask (n, width), positions (n, 1)."""

    binding: Any
    ids: NDArray[Any]
    mask: NDArray[Any]
    positions: NDArray[Any]


class Unsuited(EngineFault):
    """The graph is not of the kind that can be batched this way; another runtime may still serve it."""


class OnnxBatch(OwnWeightsOnly):
    """A model directory opened as a batched session. Raises Unsuited when its graph does not fit."""

    kind = "onnxruntime, continuous batching"
    copies = True
    piece_tokens = PIECE_TOKENS

    def __init__(self, directory: Path, threads: int, max_batch: int, context_tokens: int | None) -> None:
        config = json.loads((directory / "genai_config.json").read_bytes())
        decoder = _decoder_of(config)
        self.vocabulary = int(config["model"]["vocab_size"])
        self._session = _open(suited(directory / decoder["filename"]), threads)
        self._inputs = {each.name: each for each in self._session.get_inputs()}
        self._names = _cache_names(decoder, self._inputs)
        first = self._inputs[self._names[0][0]]
        heads, head_size = int(decoder["num_key_value_heads"]), int(decoder["head_size"])
        self._cache_type = DTYPES[first.type]
        bytes_per_token = len(self._names) * heads * head_size * np.dtype(self._cache_type).itemsize
        wanted = min(int(config["model"]["context_length"]), context_tokens or 1 << 20)
        self.capacity, self.context_tokens = fit(bytes_per_token, max_batch, wanted, free_bytes())
        shape = (self.capacity, heads, self.context_tokens, head_size)
        self._cache = [_lazy_zeros(shape, self._cache_type) for _ in self._names]
        self._logits_type = DTYPES[next(each.type for each in self._session.get_outputs() if each.name == "logits")]
        self._step = np.empty((self.capacity, 1, self.vocabulary), self._logits_type)
        self._steps: dict[int, Step] = {}
        self._positions = np.arange(self.context_tokens, dtype=np.int64)
        self._last_only = self._probe()

    def prefill(self, row: int, tokens: Sequence[int], start: int) -> Logits:
        """See Rows. One row at a time: a row with a past and many new tokens cannot share a call with others."""
        count = len(tokens)
        binding = self._session.io_binding()
        self._bind_cache(binding, row, row + 1)
        logits = np.empty((1, 1 if self._last_only else count, self.vocabulary), self._logits_type)
        binding.bind_output("logits", "cpu", 0, self._logits_type, logits.shape, logits.ctypes.data)
        ids = np.asarray(tokens, np.int64).reshape(1, count)
        mask = np.ones((1, start + count), np.int64)
        positions = self._positions[start : start + count].reshape(1, count)
        self._run(binding, ids, mask, positions)
        last: Logits = logits[0, -1].astype(np.float32, copy=False)
        return last

    def decode(self, tokens: NDArray[np.int64], lengths: NDArray[np.int64]) -> Logits:
        """See Rows."""
        count = tokens.shape[0]
        width = min(self.context_tokens, (int(lengths.max()) // WIDTH + 1) * WIDTH)
        step = self._steps.get(count)
        if step is None or step.mask.shape[1] != width:
            step = self._steps[count] = self._bound(count, width)
        step.ids[:, 0] = tokens
        step.positions[:, 0] = lengths
        np.less_equal(self._positions[:width], step.positions, out=step.mask, casting="unsafe")
        self._session.run_with_iobinding(step.binding)
        picked: Logits = self._step[:count, 0].astype(np.float32, copy=False)
        return picked

    def _bound(self, count: int, width: int) -> Step:
        """A step of that many rows, bound to arrays that are filled in place: binding anew costs as much as a layer."""
        binding = self._session.io_binding()
        self._bind_cache(binding, 0, count)
        shape = (count, 1, self.vocabulary)
        binding.bind_output("logits", "cpu", 0, self._logits_type, shape, self._step.ctypes.data)
        shapes = {"input_ids": (count, 1), "attention_mask": (count, width), "position_ids": (count, 1)}
        arrays = {}
        for name, each in shapes.items():
            kind = DTYPES[self._inputs[name].type] if name in self._inputs else np.int64
            arrays[name] = np.zeros(each, kind)
            if name in self._inputs:
                binding.bind_input(name, "cpu", 0, kind, each, arrays[name].ctypes.data)
        return Step(binding, *arrays.values())

    def copy(self, source: int, target: int, length: int) -> None:
        """See Rows."""
        for cache in self._cache:
            cache[target, :, :length] = cache[source, :, :length]

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """See Rows."""
        length = max(length_one, length_other)
        for cache in self._cache:
            kept = cache[one, :, :length].copy()
            cache[one, :, :length] = cache[other, :, :length]
            cache[other, :, :length] = kept

    def _run(self, binding: Any, ids: NDArray[np.int64], mask: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        values = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        for name, value in values.items():
            if name in self._inputs:
                binding.bind_cpu_input(name, np.ascontiguousarray(value, DTYPES[self._inputs[name].type]))
        self._session.run_with_iobinding(binding)

    def _bind_cache(self, binding: Any, first: int, end: int) -> None:
        """Bind rows first..end-1 as past and present alike: the graph then appends in place."""
        for (past, present), cache in zip(self._names, self._cache, strict=True):
            view = cache[first:end]
            binding.bind_input(past, "cpu", 0, self._cache_type, view.shape, view.ctypes.data)
            binding.bind_output(present, "cpu", 0, self._cache_type, view.shape, view.ctypes.data)

    def _probe(self) -> bool:
        """Whether the graph gives logits for the last position only, and that rows decoded together agree with alone.

        The comparison guards against graphs that look right and ignore the mask's row lengths.
        """
        binding = self._session.io_binding()
        binding.bind_output("logits", "cpu")
        self._bind_cache(binding, 0, 1)
        self._run(binding, np.array([[1, 2]]), np.ones((1, 2), np.int64), self._positions[:2].reshape(1, 2))
        last_only = binding.copy_outputs_to_cpu()[0].shape[1] == 1
        if self.capacity < 2 or self.context_tokens < 8:
            return bool(last_only)
        self._last_only = bool(last_only)
        self.prefill(0, [1, 2, 3, 4], 0)
        alone = self.decode(np.array([5]), np.array([4]))[0].copy()
        self.prefill(0, [1, 2], 0)
        self.prefill(0, [3, 4], 2)
        self.prefill(1, [2], 0)
        together = self.decode(np.array([5, 5]), np.array([4, 1]))[0]
        if not np.allclose(alone, together, rtol=0.05, atol=0.05 * (float(np.abs(alone).max()) + 1e-3)):
            raise Unsuited("rows of different lengths do not decode alike in this graph")
        return bool(last_only)


def _lazy_zeros(shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(lazy_pages(int(np.prod(shape)) * np.dtype(kind).itemsize), kind).reshape(shape)


def _decoder_of(config: dict[str, Any]) -> dict[str, Any]:
    decoder: dict[str, Any] = config["model"].get("decoder", {})
    if not config.get("search", {}).get("past_present_share_buffer"):
        raise Unsuited("the graph does not append to its cache in place")
    for part in ("pipeline", "sliding_window"):
        if decoder.get(part):
            raise Unsuited(f"the decoder has a {part}")
    return decoder


def _open(path: Path, threads: int) -> Any:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning pool burns the cores of everyone else on the machine between two steps.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _faults(onnxruntime.capi.onnxruntime_pybind11_state) as fault:
        raise EngineFault((str(fault).splitlines() or [type(fault).__name__])[0][:300]) from fault


def _faults(module: Any) -> tuple[type[Exception], ...]:
    """The runtime's own exceptions, which share no ancestor of their own."""
    return tuple(each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Exception))


def _cache_names(decoder: dict[str, Any], inputs: dict[str, Any]) -> list[tuple[str, str]]:
    """(past, present) pairs, after checking that the graph wants nothing else that only its own runtime can make."""
    past, present = decoder["inputs"], decoder["outputs"]
    names = [
        (past[f"past_{part}_names"] % layer, present[f"present_{part}_names"] % layer)
        for layer in range(int(decoder["num_hidden_layers"]))
        for part in ("key", "value")
    ]
    known = {"input_ids", "attention_mask", "position_ids", *(name for name, _ in names)}
    strange = sorted(set(inputs) - known) + sorted({name for name, _ in names} - set(inputs))
    if strange or "input_ids" not in inputs or "attention_mask" not in inputs:
        raise Unsuited(f"the graph's inputs are not the usual ones: {', '.join(strange) or 'no attention mask'}")
    return names
