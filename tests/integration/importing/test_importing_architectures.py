"""Each architecture that may be imported, as the transformers library itself saves a model of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from craton.features.importing import safetensors
from craton.features.importing.architectures import ARCHITECTURES
from craton.features.importing.fault import BadModel
from craton.features.importing.listing import WEIGHTS
from craton.features.importing.model import Facts, facts, weights
from tests.fakes import tiny_llama

COMMON = {
    "vocab_size": 320, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "bos_token_id": None, "eos_token_id": 0,
}  # fmt: skip
SIZES: dict[str, dict[str, Any]] = {
    "LlamaForCausalLM": COMMON,
    "MistralForCausalLM": {**COMMON, "head_dim": 16},
    "MixtralForCausalLM": {**COMMON, "num_local_experts": 2},
    "Qwen2ForCausalLM": {**COMMON, "tie_word_embeddings": True},
    "Qwen3ForCausalLM": {**COMMON, "head_dim": 16},
    "Qwen3MoeForCausalLM": {**COMMON, "num_experts": 4, "moe_intermediate_size": 24, "num_experts_per_tok": 2},
    "GPTBigCodeForCausalLM": {
        "vocab_size": 320, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "bos_token_id": 0,
        "eos_token_id": 0,
    },
}  # fmt: skip


def judged(folder: Path) -> Facts:
    files = {one.name: one.read_bytes() for one in folder.iterdir()}
    texts = {name: data for name, data in files.items() if not name.endswith(WEIGHTS)}
    found, shards = weights([name for name in files if name.endswith(WEIGHTS)], texts)
    held = {}
    for name in shards:
        length = safetensors.header_bytes(name, files[name][:8], len(files[name]))
        held[name] = safetensors.tensors(name, files[name][8 : 8 + length], len(files[name]))
    return facts(found, texts, held)


@pytest.mark.parametrize("name", list(SIZES))
def test_what_the_library_saves_may_be_imported(tmp_path: Path, name: str) -> None:
    """In several files of BF16; one layer more in its config.json, and it may not."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    kind = getattr(transformers, name)
    model = kind(kind.config_class(**SIZES[name])).to(torch.bfloat16)
    model.save_pretrained(tmp_path, max_shard_size="40KB")
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / file).write_bytes(tiny_llama.files()[file])
    found = judged(tmp_path)
    assert (found.architecture, found.instruct) == (ARCHITECTURES[name].name, True)
    assert found.parameters == sum(one.numel() for one in {id(one): one for one in model.parameters()}.values())
    config = json.loads((tmp_path / "config.json").read_text())
    layers = "n_layer" if "n_layer" in config else "num_hidden_layers"
    (tmp_path / "config.json").write_text(json.dumps({**config, layers: 3}))
    with pytest.raises(BadModel, match="lack the tensor"):
        judged(tmp_path)


def test_every_architecture_that_is_served_is_tried() -> None:
    """A row of the table that nobody tried would be a guess."""
    assert {name for name, one in ARCHITECTURES.items() if one.layout is not None} == set(SIZES)
