"""Conversion of a Hugging Face directory: whole or not at all, and served afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from craton.engine import convert as conversion
from craton.engine import onnx_batch, w8a8
from craton.engine.backend import ModelSpec
from craton.engine.convert import ConversionFault, convert
from craton.engine.modeldir import describe, verify
from craton.engine.opening import open_rows
from craton.engine.tokenizer import Tokenizer
from tests.integration.engine.engine_process import TINY


def source_of(path: Path, *, tied: bool = False) -> Path:
    """A random Llama with the test model's tokenizer and a template in its tokenizer's configuration."""
    import torch
    import transformers

    shape = transformers.LlamaConfig(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=128, bos_token_id=None, eos_token_id=0, pad_token_id=0,
        tie_word_embeddings=tied,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(shape).save_pretrained(path)
    (path / "tokenizer.json").write_bytes((TINY / "tokenizer.json").read_bytes())
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "chat_template": "T"}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return path


def test_a_directory_is_converted_and_described(tmp_path: Path) -> None:
    """The result has hashes that hold, the template, the markers, and the tokenizer unchanged."""
    source = source_of(tmp_path / "source")
    steps: list[str] = []
    made = convert(source, tmp_path / "made", precision="int4", model_id="mine", say=steps.append)
    found = describe(made)
    verify(found)
    assert (found.model_id, found.context_tokens, found.templates["default"].strip()) == ("mine", 128, "T")
    assert found.markers is not None
    assert steps == ["exporting", "checking", "done"]
    assert Tokenizer(made / "tokenizer.json", found.eos).encode("water") == Tokenizer(
        TINY / "tokenizer.json", [0]
    ).encode("water")
    assert [each.name for each in tmp_path.iterdir()] == ["source", "made"] or not list(tmp_path.glob(".made*"))
    with pytest.raises(ConversionFault, match="exists already"):
        convert(source, made, say=steps.append)


@pytest.mark.parametrize("tied", [False, True], ids=["its own output matrix", "the embedding's"])
def test_bytes_by_bytes(tmp_path: Path, *, tied: bool) -> None:
    """W8A8: near the same logits, for a row alone and beside others to the last bit; matrices in single precision are gone."""
    source = source_of(tmp_path / "source", tied=tied)
    steps: list[str] = []
    found = {
        name: open_rows(ModelSpec(convert(source, tmp_path / name, precision=name, say=steps.append), 1, 3))
        for name in ("fp32", "w8a8")
    }
    assert "quantising" in steps
    rows, prompts = found["w8a8"], ([5, 6, 7, 8], [9, 10], [11, 300, 12])
    alone = []
    for prompt in prompts:
        rows.prefill(0, prompt, 0)
        alone.append(rows.decode(np.array([13]), np.array([len(prompt)]))[0].copy())
    for row, prompt in enumerate(prompts):
        wanted, given = found["fp32"].prefill(row, prompt, 0), rows.prefill(row, prompt, 0)
        assert float(np.abs(wanted - given).max()) < 0.03 * float(np.abs(wanted).max())
    together = rows.decode(np.array([13] * 3), np.array([len(prompt) for prompt in prompts]))
    assert np.array_equal(np.stack(alone), together)
    sizes = [(tmp_path / name / "model.onnx.data").stat().st_size for name in found]
    assert sizes[1] < 0.5 * sizes[0]
    assert json.loads((tmp_path / "w8a8" / "craton.json").read_bytes())["sha256"][w8a8.SIGNED]


@pytest.mark.parametrize("graph", [w8a8.FILE, w8a8.SIGNED])
def test_both_graphs_of_bytes_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graph: str) -> None:
    """Whichever the processor suits, over the same data; where signed products saturate it is a little off."""
    source = source_of(tmp_path / "source")
    full = open_rows(ModelSpec(convert(source, tmp_path / "full", precision="fp32", say=lambda _: None), 1, 1))
    made = convert(source, tmp_path / "made", precision="w8a8", say=lambda _: None)
    monkeypatch.setattr(onnx_batch, "suited", lambda path: path.with_name(graph))
    wanted, given = (rows.prefill(0, [5, 6, 7, 8], 0) for rows in (full, open_rows(ModelSpec(made, 1, 1))))
    assert float(np.abs(wanted - given).max()) < 0.1 * float(np.abs(wanted).max())


def test_the_graph_follows_the_processor(tmp_path: Path) -> None:
    """Signed weights where there is VNNI; the usual graph elsewhere, where nothing is known, and where there is no other."""
    usual, cpuinfo = tmp_path / w8a8.FILE, tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: X\nflags\t\t: fpu avx2 avx512_vnni sse\nbugs\t: none\n")
    assert w8a8.suited(usual, cpuinfo) == usual
    (tmp_path / w8a8.SIGNED).write_bytes(b"")
    assert w8a8.suited(usual, cpuinfo) == tmp_path / w8a8.SIGNED
    cpuinfo.write_text("flags\t\t: fpu avx2 sse\nbugs\t: avx_vnni\n")
    assert w8a8.suited(usual, cpuinfo) == usual
    assert w8a8.suited(usual, tmp_path / "none") == usual


def test_what_is_missing_is_listed(tmp_path: Path) -> None:
    """Pickled weights are not taken, and each missing file is named."""
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert conversion.missing(tmp_path) == [
        "config.json is missing",
        "tokenizer.json is missing",
        "only pickled weights are there (*.bin); *.safetensors are missing",
    ]


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    """An architecture that nobody knows is refused with the exporter's reason, and no directory stays."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text('{"architectures":["NobodyForCausalLM"],"model_type":"nobody"}')
    (source / "tokenizer.json").write_bytes((TINY / "tokenizer.json").read_bytes())
    (source / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConversionFault, match="the export failed"):
        convert(source, tmp_path / "made", say=lambda _: None)
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


def test_the_command_line_reports_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 and one line that says what is wrong."""
    assert conversion.main([str(tmp_path / "none"), str(tmp_path / "made")]) == 1
    assert "cannot be converted" in capsys.readouterr().err or "pip install" in capsys.readouterr().err
