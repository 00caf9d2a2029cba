"""The transformers backend on random models: rows together compute what the library computes alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from craton.engine.backend import AdapterRefused, EngineFault, ModelSpec
from craton.engine.opening import open_rows
from craton.engine.rows import Rows
from tests.integration.engine.tiny_models import FAMILIES, make_adapter, make_model

PROMPTS = [[9 + at * 7 % 300 for at in range(length)] for length in (23, 3, 11)]


def opened(path: Path, **more: Any) -> Rows:
    return open_rows(ModelSpec(path, 1, 4, context_tokens=64, backend="transformers", device="cpu", **more))


def close(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(one, other, atol=2e-3 * float(np.abs(other).max())))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "llama")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_architecture_answers_as_alone(family: str, tmp_path: Path) -> None:
    """Windows, experts, learned positions, recurrent states: rows of different age agree with the plain model."""
    import torch
    from transformers import AutoModelForCausalLM

    path = make_model(tmp_path / family, family)
    plain = AutoModelForCausalLM.from_pretrained(path).eval()

    def alone(tokens: list[int]) -> np.ndarray:
        with torch.inference_mode():
            logits: np.ndarray = plain(torch.tensor([tokens])).logits[0, -1].numpy()
            return logits

    rows = opened(path)
    assert ("in turn" in rows.kind) == (family == "mamba")
    histories = [list(prompt) for prompt in PROMPTS]
    for row, prompt in enumerate(PROMPTS):
        rows.prefill(row, prompt[:2], 0)
        assert close(rows.prefill(row, prompt[2:], 2), alone(prompt))
    for token in (11, 12, 13):
        lengths = np.array([len(history) for history in histories])
        told = rows.decode(np.array([token, token + 20, token + 40]), lengths)
        for row, history in enumerate(histories):
            history.append(token + 20 * row)
            assert close(told[row], alone(history))
    rows.swap(0, 1, len(histories[0]), len(histories[1]))
    assert close(rows.decode(np.array([50, 60]), np.array([6, 26]))[1], alone([*histories[0], 60]))


def test_rows_wear_adapters(llama: Path, tmp_path: Path) -> None:
    """Two adapters of different rank and the bare model in one batch agree with peft, each alone, wherever they go."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    paths = [
        make_adapter(tmp_path / "a", llama, 1),
        make_adapter(tmp_path / "b", llama, 2, rank=8, use_rslora=True, target_modules=["k_proj", "o_proj", "q_proj"]),
    ]
    wanted = []
    for path in (*paths, None):
        model = AutoModelForCausalLM.from_pretrained(llama)
        chosen = (peft.PeftModel.from_pretrained(model, path) if path else model).eval()
        with torch.inference_mode():
            wanted.append(chosen(torch.tensor([[*PROMPTS[0], 33]])).logits[0, -1].numpy())
    assert not close(wanted[0], wanted[2])
    rows = opened(llama)
    for row, path in enumerate(paths):
        rows.wear(row, rows.read_adapter(path.name, path))
    for row in range(3):
        rows.prefill(row, PROMPTS[0], 0)
    lengths = np.full(3, len(PROMPTS[0]))
    assert all(map(close, rows.decode(np.full(3, 33), lengths), wanted))
    rows.swap(0, 2, 24, 24)
    assert all(map(close, rows.decode(np.full(3, 33), lengths), wanted[::-1]))
    rows.wear(1, None)
    rows.copy(0, 1, len(PROMPTS[0]))
    assert close(rows.decode(np.full(2, 33), lengths[:2])[1], wanted[2])


def changed(path: Path, file: str, **fields: Any) -> Path:
    document = json.loads((path / file).read_text())
    (path / file).write_text(json.dumps({**document, **fields}))
    return path


def test_broken_models_are_refused_by_name(llama: Path, tmp_path: Path) -> None:
    """Other shapes, a missing layer, a cut file, code of its own and a pickle each have a sentence of their own."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(llama, tmp_path / name))

    wrong = changed(copy("wrong"), "config.json", intermediate_size=48)
    with pytest.raises(EngineFault, match=r"model\.safetensors: model\.layers\.0\.mlp\.\w+\.weight"):
        opened(wrong)
    with pytest.raises(EngineFault, match=r"in no \*\.safetensors file"):
        opened(changed(copy("more"), "config.json", num_hidden_layers=3))
    cut = copy("cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(EngineFault, match=r"model\.safetensors is cut short"):
        opened(cut)
    own = changed(copy("own"), "config.json", auto_map={"AutoConfig": "mine.Mine"}, model_type="mine")
    with pytest.raises(EngineFault, match="never run"):
        opened(own)
    pickled = copy("pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(EngineFault, match="never opened"):
        opened(pickled)


def test_adapters_of_other_models_are_refused(llama: Path, tmp_path: Path) -> None:
    """Wrong shapes, unknown layers, methods that are not computed, rubbish and pickles, each with the file's name."""
    rows = opened(llama)
    wide = make_model(tmp_path / "wide", hidden_size=64)
    with pytest.raises(AdapterRefused, match="made for another model"):
        rows.read_adapter("x", make_adapter(tmp_path / "x", wide, 1))
    deep = make_model(tmp_path / "deep", num_hidden_layers=3)
    with pytest.raises(AdapterRefused, match="no linear layer"):
        rows.read_adapter("x", make_adapter(tmp_path / "y", deep, 1))
    good = make_adapter(tmp_path / "good", llama, 1)
    with pytest.raises(AdapterRefused, match="use_dora = true is not supported"):
        rows.read_adapter(
            "x", changed(Path(shutil.copytree(good, tmp_path / "d")), "adapter_config.json", use_dora=True)
        )
    (good / "adapter_model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(AdapterRefused, match=r"adapter_model\.safetensors is no safetensors"):
        rows.read_adapter("x", good)
    (good / "adapter_model.safetensors").rename(good / "adapter_model.bin")
    with pytest.raises(AdapterRefused, match="never opened"):
        rows.read_adapter("x", good)
    with pytest.raises(FileNotFoundError):
        rows.read_adapter("x", tmp_path / "none")


def test_weights_without_room_are_refused_before_they_are_read(llama: Path, tmp_path: Path) -> None:
    """A model of four terabytes says how much it would take and how much there is."""
    huge = Path(shutil.copytree(llama, tmp_path / "huge"))
    size = 4 << 40
    header = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    with (huge / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    with pytest.raises(EngineFault, match=r"weights take 4398\.0 GB"):
        opened(huge)
