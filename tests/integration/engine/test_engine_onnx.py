"""Both runtimes on the same real directory: batched rows compute what rows alone compute."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from craton.engine.backend import EngineFault, ModelSpec
from craton.engine.memory import fit
from craton.engine.onnx_backend import open_rows
from craton.engine.onnx_batch import OnnxBatch, Unsuited
from craton.engine.onnx_genai import OnnxGenai
from tests.integration.engine.engine_process import TINY

PROMPTS = [[9 + at * 7 % 300 for at in range(length)] for length in (60, 5, 31)]


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """int4 weights compute with activations rounded to 8 bits: kernels for one and for many rows differ a little."""
    return bool(np.allclose(one, other, atol=0.05 * float(np.abs(other).max())))


@pytest.fixture(scope="module")
def batch() -> OnnxBatch:
    return OnnxBatch(TINY, 1, 4, 256)


@pytest.fixture(scope="module")
def genai() -> OnnxGenai:
    return OnnxGenai(TINY, 1, 4, 256)


def test_rows_of_different_age_decode_together(batch: OnnxBatch, genai: OnnxGenai) -> None:
    """Three rows, filled in pieces and decoded in one call, agree with three generators."""
    for row, prompt in enumerate(PROMPTS):
        batch.prefill(row, prompt[:3], 0)
        assert close(batch.prefill(row, prompt[3:], 3), genai.prefill(row, prompt, 0))
    lengths = np.array([len(prompt) for prompt in PROMPTS])
    tokens = np.array([11, 12, 13])
    for _ in range(4):
        told, wanted = batch.decode(tokens, lengths), genai.decode(tokens, lengths)
        assert close(told, wanted)
        tokens, lengths = wanted.argmax(axis=1), lengths + 1


def test_swapped_and_copied_rows_go_on_as_before(batch: OnnxBatch) -> None:
    """A row that moved continues as it would have, and so does a copy of its beginning."""
    long, short = PROMPTS[0], PROMPTS[1]
    batch.prefill(0, long, 0)
    batch.prefill(1, short, 0)
    wanted = batch.decode(np.array([20, 21]), np.array([60, 5])).copy()
    batch.swap(0, 1, 61, 6)
    assert close(batch.decode(np.array([21, 20]), np.array([5, 60]))[::-1], wanted)
    batch.copy(1, 2, 40)
    assert close(batch.prefill(2, long[40:], 40), batch.prefill(3, long, 0))


def test_a_generator_is_rewound(genai: OnnxGenai) -> None:
    """The slower runtime reuses a row's own past."""
    wanted = genai.prefill(0, PROMPTS[0], 0).copy()
    assert close(genai.prefill(0, PROMPTS[0][50:], 50), wanted)


def test_directories_that_cannot_be_batched_use_the_other_runtime(tmp_path: Path) -> None:
    """Without an in-place cache the batched runtime declines and the other one opens the model."""
    copy = Path(shutil.copytree(TINY, tmp_path / "model"))
    config = json.loads((copy / "genai_config.json").read_text())
    config["search"]["past_present_share_buffer"] = False
    (copy / "genai_config.json").write_text(json.dumps(config))
    with pytest.raises(Unsuited):
        OnnxBatch(copy, 1, 2, 64)
    rows = open_rows(ModelSpec(copy, 1, 2, context_tokens=64))
    assert rows.kind.startswith("onnxruntime-genai")
    assert rows.prefill(0, [1, 2, 3], 0).shape == (320,)


def test_a_file_that_is_no_model_is_an_engine_fault(tmp_path: Path) -> None:
    """The runtime's own exception becomes one of ours, with one line of reason."""
    copy = Path(shutil.copytree(TINY, tmp_path / "model"))
    (copy / "model.onnx").write_bytes(b"rubbish")
    with pytest.raises(EngineFault, match="cannot be opened"):
        open_rows(ModelSpec(copy, 1, 2))


@pytest.mark.parametrize(
    ("bytes_per_token", "free", "wanted"),
    [(100, 1 << 30, (16, 2048)), (100_000, 1 << 30, (2, 2048)), (1_000_000, 1 << 30, (1, 429)), (1 << 40, 1, (1, 1))],
)
def test_caches_fit_the_memory(bytes_per_token: int, free: int, wanted: tuple[int, int]) -> None:
    """Rows are given up before positions are."""
    assert fit(bytes_per_token, 16, 2048, free) == wanted
