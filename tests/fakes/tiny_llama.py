"""A tiny Llama with random weights as Hugging Face's libraries save one: 64 wide, two layers, 320 words.

Made by numpy alone, always the same; its tokenizer is that of the engine's test model, where every text round-trips.
Tests damage what `files` gives in the way that they need.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

HIDDEN, INNER, LAYERS, WORDS, HEADS, KV_HEADS, CONTEXT = 64, 96, 2, 320, 4, 2, 512
_TINY = Path(__file__).parents[1] / "data" / "engine" / "tiny"
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "max_position_embeddings": CONTEXT,
    "vocab_size": WORDS,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "eos_token_id": 0,
    "pad_token_id": 0,
    "bos_token_id": None,
    "torch_dtype": "float32",
}


def shapes(layers: int = LAYERS) -> dict[str, list[int]]:
    """The tensors of such a model."""
    width = HIDDEN // HEADS
    found = {"model.embed_tokens.weight": [WORDS, HIDDEN], "model.norm.weight": [HIDDEN]}
    for layer in range(layers):
        stem = f"model.layers.{layer}"
        found |= {
            f"{stem}.input_layernorm.weight": [HIDDEN],
            f"{stem}.post_attention_layernorm.weight": [HIDDEN],
            f"{stem}.self_attn.q_proj.weight": [HEADS * width, HIDDEN],
            f"{stem}.self_attn.k_proj.weight": [KV_HEADS * width, HIDDEN],
            f"{stem}.self_attn.v_proj.weight": [KV_HEADS * width, HIDDEN],
            f"{stem}.self_attn.o_proj.weight": [HIDDEN, HEADS * width],
            f"{stem}.mlp.gate_proj.weight": [INNER, HIDDEN],
            f"{stem}.mlp.up_proj.weight": [INNER, HIDDEN],
            f"{stem}.mlp.down_proj.weight": [HIDDEN, INNER],
        }
    return found


def weights(found: dict[str, list[int]] | None = None, seed: int = 7) -> dict[str, np.ndarray[Any, Any]]:
    """Numbers spread wide, so that answers differ from prompt to prompt; norms are ones."""
    chance = np.random.default_rng(seed)
    made = {}
    for name, shape in (found or shapes()).items():
        one = chance.normal(0, 0.35, shape) if len(shape) > 1 else np.ones(shape)
        made[name] = one.astype(np.float32)
    return made


def safetensors(tensors: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """A file of them."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + tensor.nbytes]}
        at += tensor.nbytes
    return framed(header, b"".join(tensor.tobytes() for tensor in tensors.values()))


def framed(header: Any, body: bytes) -> bytes:
    """A file with this header, whatever it says."""
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    return struct.pack("<Q", len(told)) + told + body


def files(**config: Any) -> dict[str, bytes]:
    """The whole folder, its weights in one file; `config` changes or (None) removes keys of config.json."""
    told = {key: value for key, value in {**CONFIG, **config}.items() if value is not None or key == "bos_token_id"}
    kept = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
    return {
        "config.json": json.dumps(told).encode(),
        **{name: (_TINY / name).read_bytes() for name in kept},
        "model.safetensors": safetensors(weights()),
    }


def sharded(**config: Any) -> dict[str, bytes]:
    """The same with its weights in two files and their index."""
    made, given = files(**config), weights()
    names = list(given)
    halves = (names[:10], names[10:])
    place: dict[str, str] = {}
    del made["model.safetensors"]
    for number, half in enumerate(halves, 1):
        file = f"model-{number:05d}-of-00002.safetensors"
        made[file] = safetensors({name: given[name] for name in half})
        place |= dict.fromkeys(half, file)
    total = sum(one.nbytes for one in given.values())
    made["model.safetensors.index.json"] = json.dumps({"metadata": {"total_size": total}, "weight_map": place}).encode()
    return made
