"""The decoder: Llama's architecture, written plainly for training on one core, with the names that transformers uses.

This file owns the network and its files (config.json, model.safetensors). It must not know text.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

_NAMES = {
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj", "norm_attention": "input_layernorm",
    "norm_mlp": "post_attention_layernorm",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the network; `head` is the width of one attention head."""

    vocabulary: int = 2048
    dim: int = 192
    layers: int = 6
    heads: int = 6
    kv_heads: int = 3
    head: int = 32
    hidden: int = 320
    theta: float = 10_000.0
    context_tokens: int = 2048


class Block(nn.Module):
    """Attention and gated MLP, each behind an RMS norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        wide, narrow = shape.heads * shape.head, shape.kv_heads * shape.head
        self.q, self.k, self.v = weight(wide, shape.dim), weight(narrow, shape.dim), weight(narrow, shape.dim)
        self.o = weight(shape.dim, wide, shape.layers)
        self.gate, self.up = weight(shape.hidden, shape.dim), weight(shape.hidden, shape.dim)
        self.down = weight(shape.dim, shape.hidden, shape.layers)
        self.norm_attention, self.norm_mlp = nn.Parameter(torch.ones(shape.dim)), nn.Parameter(torch.ones(shape.dim))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(batch, time, dim) → the same; cos and sin are (batch, 1, time, head)."""
        batch, time, _ = x.shape
        shape = self.shape
        normed = functional.rms_norm(x, (shape.dim,), self.norm_attention, 1e-5)
        qkv = functional.linear(normed, torch.cat((self.q, self.k, self.v)))
        qkv = qkv.view(batch, time, -1, shape.head).transpose(1, 2)
        q, k, v = qkv.split((shape.heads, shape.kv_heads, shape.kv_heads), dim=1)
        qk = turn(torch.cat((q, k), dim=1), cos, sin)
        q, k = qk.to(v.dtype).split((shape.heads, shape.kv_heads), dim=1)
        share = shape.heads // shape.kv_heads
        k, v = k.repeat_interleave(share, dim=1), v.repeat_interleave(share, dim=1)
        mixed = attention(q, k, v)
        x = x + functional.linear(mixed.transpose(1, 2).reshape(batch, time, -1), self.o)
        normed = functional.rms_norm(x, (shape.dim,), self.norm_mlp, 1e-5)
        gated = functional.silu(functional.linear(normed, self.gate)) * functional.linear(normed, self.up)
        return x + functional.linear(gated, self.down)


class Decoder(nn.Module):
    """Token ids to hidden states; the embedding is also the output matrix."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.randn(shape.vocabulary, shape.dim) * 0.02)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.ones(shape.dim))

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Token ids and positions, (batch, time), to normed hidden states (batch, time, dim)."""
        x = functional.embedding(ids, self.embedding)
        half = self.shape.head // 2
        rates = self.shape.theta ** (-torch.arange(half, dtype=torch.float32, device=ids.device) / half)
        angles = positions[:, None, :, None].float() * rates
        angles = torch.cat((angles, angles), dim=-1)
        cos, sin = angles.cos(), angles.sin()
        for block in self.blocks:
            x = block(x, cos, sin)
        return functional.rms_norm(x, (self.shape.dim,), self.norm, 1e-5)

    def loss(self, ids: Tensor, positions: Tensor, weights: Tensor) -> Tensor:
        """Cross-entropy of each token, times its weight (batch, time), summed; tokens of weight 0 cost no output layer."""
        states = self.forward(ids[:, :-1], positions[:, :-1])
        counted = weights[:, 1:] > 0
        logits = functional.linear(states[counted], self.embedding)
        each = functional.cross_entropy(logits, ids[:, 1:][counted], reduction="none")
        return (each * weights[:, 1:][counted]).sum()


def weight(rows: int, columns: int, layers: int = 0) -> nn.Parameter:
    """A matrix of small random numbers; smaller yet where it writes into the residual stream of a deep network."""
    scale = columns**-0.5 * ((2 * layers) ** -0.5 if layers else 1.0)
    return nn.Parameter(torch.randn(rows, columns) * scale)


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention over (batch, heads, time, head).

    By plain products on a processor that multiplies in bfloat16: torch's fused kernel there takes three times as long.
    """
    if q.device.type != "cpu" or q.dtype != torch.bfloat16:
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    time, head = q.shape[-2:]
    later = torch.full((time, time), -1e4, dtype=q.dtype).triu(1)
    scores = torch.baddbmm(
        later.expand(q.shape[0] * q.shape[1], -1, -1), q.flatten(0, 1), k.flatten(0, 1).mT, alpha=head**-0.5
    )
    return (scores.softmax(-1) @ v.flatten(0, 1)).view_as(q)


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions, halves paired as Llama's do."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


def save_hugging_face(
    state: dict[str, Tensor], shape: Shape, directory: Path, dtype: torch.dtype = torch.float32
) -> None:
    """Write config.json, generation_config.json and model.safetensors as LlamaForCausalLM reads them."""
    renamed = {"model.embed_tokens.weight": state["embedding"], "model.norm.weight": state["norm"]}
    for key, tensor in state.items():
        if key.startswith("blocks."):
            _, at, name = key.split(".")
            renamed[f"model.layers.{at}.{_NAMES[name]}.weight"] = tensor
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": shape.vocabulary, "hidden_size": shape.dim,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head, "intermediate_size": shape.hidden, "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "rope_theta": shape.theta, "max_position_embeddings": shape.context_tokens, "tie_word_embeddings": True,
        "attention_bias": False, "mlp_bias": False, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
        "torch_dtype": str(dtype).removeprefix("torch."),
    }  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = {"eos_token_id": 0, "pad_token_id": 0, "bos_token_id": 0, "do_sample": False}
    (directory / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    save_file(
        {key: value.to(dtype).contiguous().clone() for key, value in renamed.items()},
        directory / "model.safetensors",
        metadata={"format": "pt"},
    )


def shipped(directory: Path) -> dict[str, Any]:
    """A shipped model as a checkpoint that another run begins with: shape, average (float32), counts of what it read."""
    config = json.loads((directory / "config.json").read_text())
    shape = Shape(
        config["vocab_size"], config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"],
        config["num_key_value_heads"], config["head_dim"], config["intermediate_size"], config["rope_theta"],
        config["max_position_embeddings"],
    )  # fmt: skip
    found = {name: tensor.float() for name, tensor in load_file(directory / "model.safetensors").items()}
    average = {"embedding": found["model.embed_tokens.weight"], "norm": found["model.norm.weight"]}
    for at in range(shape.layers):
        average |= {f"blocks.{at}.{name}": found[f"model.layers.{at}.{other}.weight"] for name, other in _NAMES.items()}
    card = (directory / "MODEL_CARD.md").read_text()

    def told(words: str) -> int:
        return int(re.search(rf"([0-9,]+) {words}", card)[1].replace(",", ""))  # type: ignore[index]

    counts = {"tokens": told("tokens of text"), "learned": told("of them answers"), "steps": told("steps"), "cpu_s": 60 * told("CPU-minutes")}  # fmt: skip
    return {"shape": shape_record(shape), "average": average, "counts": counts}


def shape_record(shape: Shape) -> dict[str, float]:
    return asdict(shape)
