"""The benchmark's Llama as a GGUF file: `PYTHON -m bench.engines.gguf_file DIR FILE KIND`, in llama.cpp's environment.

`KIND` is F32, Q8_0 or Q4_0 (matrices only; norms stay as they are). No vocabulary is written: tokens are numbers here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

# Names of transformers → names of GGUF, within a layer.
LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def tensors(directory: Path) -> dict[str, NDArray[np.float32]]:
    """The weights, which are written in single precision."""
    data = (directory / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    found = {}
    for name, each in header.items():
        if name != "__metadata__":
            begin, end = each["data_offsets"]
            found[name] = np.frombuffer(data[8 + length + begin : 8 + length + end], np.float32).reshape(each["shape"])
    return found


def interleaved(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rotary pairs side by side, as llama.cpp's kernels want them, in place of one half after the other."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def main(directory: str, file: str, kind: str) -> None:
    config = json.loads((Path(directory) / "config.json").read_bytes())
    writer = gguf.GGUFWriter(file, "llama")
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")
    asked = gguf.GGMLQuantizationType[kind]
    for name, found in tensors(Path(directory)).items():
        weight = found
        stem = name.removesuffix(".weight")
        if stem.startswith("model.layers."):
            _, _, number, inner = stem.split(".", 3)
            named = f"blk.{number}.{LAYER[inner]}.weight"
            if inner.endswith(("q_proj", "k_proj")):
                weight = interleaved(weight, heads if inner.endswith("q_proj") else kv_heads)
        else:
            named = f"{WHOLE[stem]}.weight"
        if weight.ndim == 1 or kind == "F32":
            writer.add_tensor(named, np.ascontiguousarray(weight))
        else:
            writer.add_tensor(named, gguf.quants.quantize(np.ascontiguousarray(weight), asked), raw_dtype=asked)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(*sys.argv[1:])
