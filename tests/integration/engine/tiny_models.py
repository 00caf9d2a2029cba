"""Random models of a few thousand weights as Hugging Face directories, and LoRA adapters on them, made on the spot."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from tests.integration.engine.engine_process import TINY

VOCABULARY = 320
SHARED: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "bos_token_id": None,
    "eos_token_id": 0, "pad_token_id": 0, "initializer_range": 0.4,
}  # fmt: skip
# Family → what its configuration has besides.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "mistral": {"sliding_window": 6},
    "gemma3_text": {
        "head_dim": 8,
        "sliding_window": 6,
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {
            kind: {"rope_type": "default", "rope_theta": 1e4} for kind in ("sliding_attention", "full_attention")
        },
    },
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "mamba": {"state_size": 4, "conv_kernel": 4},
}


def make_model(path: Path, family: str = "llama", **more: Any) -> Path:
    """A random model of a family with the test model's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = AutoConfig.for_model(family, **{**SHARED, **FAMILIES[family], **more})
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(shape).save_pretrained(path)
    (path / "tokenizer.json").write_bytes((TINY / "tokenizer.json").read_bytes())
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|end|>",
        "chat_template": "{% for message in messages %}{{ message.content }}{% endfor %}",
    }
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return path


def make_adapter(path: Path, model: Path, seed: int, rank: int = 4, **more: Any) -> Path:
    """A random LoRA adapter in peft's form whose effect shows."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(model)
    names = ["q_proj", "v_proj", "down_proj"]
    config = peft.LoraConfig(**{"r": rank, "lora_alpha": 2 * rank, "target_modules": names, **more})
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an older name
        made = peft.get_peft_model(base, config)
    for name, weight in made.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.3)
    made.save_pretrained(path)
    return path
