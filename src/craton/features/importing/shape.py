"""Whether the tensors of a model are those that its config.json speaks of.

Owns the names and shapes by layout: the embedding, and of each layer what every model of the layout has. It does not
say that the model works, which only an engine finds out, but a wrong or a forgotten tensor is named before gigabytes are
fetched. Sources: the models' own files in the transformers library, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from craton.features.importing.architectures import Layout
from craton.features.importing.document import number
from craton.features.importing.fault import BadModel
from craton.features.importing.listing import CONFIG

MAX_CONTEXT_TOKENS = 128 * 1024
_MAX_WIDTH, _MAX_LAYERS, _MAX_WORDS, _MAX_EXPERTS = 1 << 20, 2048, 1 << 24, 4096
Shapes = Mapping[str, list[int]]


class Size(msgspec.Struct, frozen=True):
    """The numbers of a config that say how large a model is."""

    words: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    inner: int
    context_tokens: int
    experts: int = 0
    tied: bool = False
    one_kv_head: bool = False


def size_of(layout: Layout, config: dict[str, Any]) -> Size:
    """The numbers of a config. Raises BadModel for one that lacks them or has such as cannot be."""
    return (_bigcode_size if layout == "bigcode" else _llama_size)(config)


def _llama_size(config: dict[str, Any]) -> Size:
    hidden = number(CONFIG, config, "hidden_size", _MAX_WIDTH)
    heads = number(CONFIG, config, "num_attention_heads", _MAX_WIDTH)
    experts = config.get("num_local_experts", config.get("num_experts"))
    inner = "moe_intermediate_size" if config.get("moe_intermediate_size") else "intermediate_size"
    return Size(
        words=number(CONFIG, config, "vocab_size", _MAX_WORDS),
        hidden=hidden,
        layers=number(CONFIG, config, "num_hidden_layers", _MAX_LAYERS),
        heads=heads,
        kv_heads=number(CONFIG, config, "num_key_value_heads", _MAX_WIDTH, heads),
        head_width=number(CONFIG, config, "head_dim", _MAX_WIDTH, max(1, hidden // heads)),
        inner=number(CONFIG, config, inner, _MAX_WIDTH),
        context_tokens=_context(config, "max_position_embeddings"),
        experts=number(CONFIG, {"experts": experts}, "experts", _MAX_EXPERTS) if experts is not None else 0,
        tied=config.get("tie_word_embeddings") is True,
    )


def _bigcode_size(config: dict[str, Any]) -> Size:
    hidden = number(CONFIG, config, "n_embd", _MAX_WIDTH)
    heads = number(CONFIG, config, "n_head", _MAX_WIDTH)
    single = config.get("multi_query", True) is True
    return Size(
        words=number(CONFIG, config, "vocab_size", _MAX_WORDS),
        hidden=hidden,
        layers=number(CONFIG, config, "n_layer", _MAX_LAYERS),
        heads=heads,
        kv_heads=1 if single else heads,
        head_width=max(1, hidden // heads),
        inner=number(CONFIG, config, "n_inner", _MAX_WIDTH, 4 * hidden),
        context_tokens=_context(config, "n_positions"),
        tied=True,
        one_kv_head=single,
    )


def _context(config: dict[str, Any], key: str) -> int:
    tokens = number(CONFIG, config, key, 1 << 30)
    if tokens > MAX_CONTEXT_TOKENS:
        raise BadModel(f"{CONFIG}: {key} is {tokens}. The context of a model may be {MAX_CONTEXT_TOKENS} tokens.")
    return tokens


def check(layout: Layout, size: Size, found: Shapes) -> None:
    """Raise BadModel for the first tensor that is missing or has another shape, or a layer too many."""
    for name, shape in _EXPECTED[layout](size):
        if name not in found:
            raise BadModel(f"The weights lack the tensor {name}, of which {CONFIG} speaks ({size.layers} layers).")
        if found[name] != shape:
            raise BadModel(f"The tensor {name} has the shape {found[name]}. By {CONFIG} it has {shape}.")
    stem = _STEMS[layout]
    for name in found:
        layer = name.removeprefix(stem).partition(".")[0] if name.startswith(stem) else ""
        if layer.isascii() and layer.isdigit() and int(layer) >= size.layers:
            raise BadModel(f"The weights hold the tensor {name[:200]}. By {CONFIG} there are {size.layers} layers.")


def parameters(found: Shapes) -> int:
    """How many numbers the tensors hold."""
    total = 0
    for shape in found.values():
        product = 1
        for each in shape:
            product *= each
        total += product
    return total


def _llama(size: Size, feed: Callable[[Size, str], Iterator[tuple[str, list[int]]]]) -> Iterator[tuple[str, list[int]]]:
    hidden, query, key = size.hidden, size.heads * size.head_width, size.kv_heads * size.head_width
    yield "model.embed_tokens.weight", [size.words, hidden]
    yield "model.norm.weight", [hidden]
    if not size.tied:
        yield "lm_head.weight", [size.words, hidden]
    for layer in range(size.layers):
        stem = f"model.layers.{layer}"
        yield f"{stem}.input_layernorm.weight", [hidden]
        yield f"{stem}.post_attention_layernorm.weight", [hidden]
        yield f"{stem}.self_attn.q_proj.weight", [query, hidden]
        yield f"{stem}.self_attn.k_proj.weight", [key, hidden]
        yield f"{stem}.self_attn.v_proj.weight", [key, hidden]
        yield f"{stem}.self_attn.o_proj.weight", [hidden, query]
        yield from feed(size, stem)


def _dense(size: Size, stem: str) -> Iterator[tuple[str, list[int]]]:
    yield f"{stem}.mlp.gate_proj.weight", [size.inner, size.hidden]
    yield f"{stem}.mlp.up_proj.weight", [size.inner, size.hidden]
    yield f"{stem}.mlp.down_proj.weight", [size.hidden, size.inner]


def _mixture(size: Size, stem: str) -> Iterator[tuple[str, list[int]]]:
    yield f"{stem}.block_sparse_moe.gate.weight", [size.experts, size.hidden]
    for expert in range(size.experts):
        inner = f"{stem}.block_sparse_moe.experts.{expert}"
        yield f"{inner}.w1.weight", [size.inner, size.hidden]
        yield f"{inner}.w2.weight", [size.hidden, size.inner]
        yield f"{inner}.w3.weight", [size.inner, size.hidden]


def _attention_alone(_: Size, __: str) -> Iterator[tuple[str, list[int]]]:
    """Qwen's mixtures have layers of both kinds, by further keys of their config: the engine looks."""
    yield from ()


def _bigcode(size: Size) -> Iterator[tuple[str, list[int]]]:
    hidden, key = size.hidden, size.kv_heads * size.head_width
    yield "transformer.wte.weight", [size.words, hidden]
    yield "transformer.wpe.weight", [size.context_tokens, hidden]
    yield "transformer.ln_f.weight", [hidden]
    for layer in range(size.layers):
        stem = f"transformer.h.{layer}"
        yield f"{stem}.attn.c_attn.weight", [hidden + 2 * key, hidden]
        yield f"{stem}.attn.c_proj.weight", [hidden, hidden]
        yield f"{stem}.mlp.c_fc.weight", [size.inner, hidden]
        yield f"{stem}.mlp.c_proj.weight", [hidden, size.inner]


_EXPECTED: dict[Layout, Callable[[Size], Iterator[tuple[str, list[int]]]]] = {
    "llama": lambda size: _llama(size, _dense),
    "mixtral": lambda size: _llama(size, _mixture),
    "qwen3-moe": lambda size: _llama(size, _attention_alone),
    "bigcode": _bigcode,
}
_STEMS: dict[Layout, str] = {
    "llama": "model.layers.",
    "mixtral": "model.layers.",
    "qwen3-moe": "model.layers.",
    "bigcode": "transformer.h.",
}
