"""What is refused of the weights: headers of safetensors files, and tensors that the config does not speak of."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

import pytest

from craton.features.importing.fault import BadModel
from craton.features.importing.listing import CONFIG
from craton.features.importing.model import Facts, facts, weights
from craton.features.importing.safetensors import MAX_HEADER_BYTES, Tensor, header_bytes, tensors
from craton.features.importing.shape import Size, check, size_of
from tests.fakes import tiny_llama

A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def refused(words: str) -> pytest.RaisesExc[BadModel]:
    return pytest.raises(BadModel, match=words)


def read(data: bytes) -> list[Tensor]:
    length = header_bytes("m.safetensors", data[:8], len(data))
    return tensors("m.safetensors", data[8 : 8 + length], len(data))


def judged(files: dict[str, bytes]) -> Facts:
    texts = {name: data for name, data in files.items() if not name.endswith(".safetensors")}
    found, shards = weights([name for name in files if name.endswith(".safetensors")], texts)
    return facts(found, texts, {name: read(files[name]) for name in shards})


def test_a_file_as_it_should_be() -> None:
    """Tensors come in order of their places, whatever order the header has."""
    found = read(tiny_llama.framed({"b": {**A, "data_offsets": [8, 16]}, "a": A}, bytes(16)))
    assert [(one.name, one.start, one.end) for one in found] == [("a", 0, 8), ("b", 8, 16)]


@pytest.mark.parametrize(
    ("header", "body", "words"),
    [
        ({}, b"", "holds no tensor"),
        ({"a": {**A, "dtype": "I8", "data_offsets": [0, 2]}}, bytes(2), "is quantised"),
        ({"a": {**A, "dtype": "F64", "data_offsets": [0, 16]}}, bytes(16), "of type F64"),
        ({"a": {**A, "shape": [3]}}, bytes(8), "has 8 bytes, not 12"),
        ({"a": {**A, "shape": [-2]}}, bytes(8), "cannot be"),
        ({"a": {**A, "data_offsets": [8, 0]}}, bytes(8), "cannot be"),
        ({"a": {**A, "shape": [1] * 9, "data_offsets": [0, 4]}}, bytes(4), "cannot be"),
        ({"a": {"dtype": "F32", "shape": [2]}}, bytes(8), "is not described"),
        ({"a": {**A, "shape": "2"}}, bytes(8), "is not described"),
        ({"a": 7}, bytes(8), "is not described"),
        ({"a": A, "b": {**A, "data_offsets": [4, 12]}}, bytes(12), "overlap"),
        ({"a": A, "b": {**A, "data_offsets": [12, 20]}}, bytes(20), "a gap before the tensor b"),
        ({"a": A}, bytes(4), "end at byte 8 of 4"),
        ({"a": A}, bytes(9), "end at byte 8 of 9"),
        ({"a": {**A, "shape": [1 << 62, 1 << 62]}}, bytes(8), "bytes, not"),
    ],
)
def test_headers_that_lie(header: dict[str, Any], body: bytes, words: str) -> None:
    """Each lie is named, with the file and the tensor."""
    with refused(f"^m.safetensors.*{words}"):
        read(tiny_llama.framed(header, body))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "has 0 bytes"),
        (b"\x80\x02}q\x00.", "has 6 bytes"),
        (struct.pack("<Q", MAX_HEADER_BYTES + 1) + bytes(9), "would have 100000001 bytes"),
        (struct.pack("<Q", 100) + b"{}", "would have 100 bytes"),
        (struct.pack("<Q", 2) + b"[]", "no JSON object"),
        (struct.pack("<Q", 14) + b'{"a":1,"a":2} ', "stands there twice"),
    ],
)
def test_files_that_are_none(data: bytes, words: str) -> None:
    """No pickle, no cut file, no header of gigabytes gets as far as being read."""
    with refused(words):
        read(data)


def test_any_damage_is_a_fault_and_nothing_worse() -> None:
    """Bytes of a header changed at random are either still a header or refused."""
    chance, good = random.Random(3), tiny_llama.safetensors(tiny_llama.weights())
    for _ in range(300):
        damaged = bytearray(good[:3000])
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        whole = bytes(damaged) + good[3000:]
        try:
            read(whole)
        except BadModel:
            continue


def test_a_whole_model() -> None:
    """In one file or in several, it is what its config says."""
    found = judged(tiny_llama.files())
    assert (found.architecture, found.instruct, found.converse, found.units) == ("llama", True, True, 1)
    assert found.context_tokens == tiny_llama.CONTEXT
    assert found == judged(tiny_llama.sharded())
    bare = tiny_llama.files()
    del bare["chat_template.jinja"]
    assert not judged(bare).instruct
    assert not judged(bare).converse


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"num_hidden_layers": 3}, "lack the tensor model.layers.2"),
        ({"num_hidden_layers": 1}, "there are 1 layers"),
        ({"hidden_size": 128}, "has the shape"),
        ({"vocab_size": 321}, "By config.json it has \\[321, 64\\]"),
        ({"num_key_value_heads": 4}, "k_proj.weight has the shape"),
        ({"tie_word_embeddings": False}, "lack the tensor lm_head"),
        ({"max_position_embeddings": 1 << 20}, "The context of a model may be 131072"),
        ({"num_hidden_layers": 1 << 30}, "num_hidden_layers must be"),
        ({"hidden_size": "64"}, "hidden_size must be"),
        ({"hidden_size": True}, "hidden_size must be"),
        ({"hidden_size": None}, "hidden_size must be"),
        ({"quantization_config": {"quant_method": "gptq"}}, "Quantised models"),
        ({"architectures": "LlamaForCausalLM"}, "architecture llama is not supported"),
    ],
)
def test_weights_that_do_not_fit_their_config(config: dict[str, Any], words: str) -> None:
    """The first that does not fit is named."""
    with refused(words):
        judged(tiny_llama.files(**config))


def test_a_tokenizer_larger_than_the_vocabulary() -> None:
    """Its ids would lead out of the embedding."""
    told = json.loads(tiny_llama.files()["tokenizer.json"])
    told["added_tokens"].append({"id": 5000, "content": "<x>"})
    with refused("gives ids up to 5000"):
        judged({**tiny_llama.files(), "tokenizer.json": json.dumps(told).encode()})


def test_other_layouts() -> None:
    """Mixtures have their experts, GPTBigCode its joined projections."""
    config = {**tiny_llama.CONFIG, "num_local_experts": 2}
    mixed = size_of("mixtral", config)
    assert mixed.experts == 2
    with refused("lack the tensor model.layers.0.block_sparse_moe.gate.weight"):
        dense = {name: shape for name, shape in tiny_llama.shapes().items() if ".mlp." not in name}
        check("mixtral", mixed, dense)
    code = {"n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": 16, "n_positions": 32, "multi_query": True}
    size = size_of("bigcode", code)
    assert size == Size(16, 8, 1, 2, 1, 4, 32, 32, tied=True, one_kv_head=True)
    found = {
        "transformer.wte.weight": [16, 8], "transformer.wpe.weight": [32, 8], "transformer.ln_f.weight": [8],
        "transformer.h.0.attn.c_attn.weight": [16, 8], "transformer.h.0.attn.c_proj.weight": [8, 8],
        "transformer.h.0.mlp.c_fc.weight": [32, 8], "transformer.h.0.mlp.c_proj.weight": [8, 32],
    }  # fmt: skip
    check("bigcode", size, found)
    with refused("c_attn.weight has the shape"):
        check("bigcode", size, {**found, "transformer.h.0.attn.c_attn.weight": [24, 8]})


def test_units_grow_with_the_model() -> None:
    """As the price list's examples: 8 thousand million parameters are 2 units, 70 are 8."""

    def units(parameters: int) -> int:
        return Facts(
            architecture="llama", schema="meta.llama", converse=True, instruct=True, context_tokens=1,
            parameters=parameters, exported=True,
        ).units  # fmt: skip

    assert [units(count * 10**9) for count in (1, 8, 32, 70)] == [1, 2, 4, 8]
    assert CONFIG == "config.json"
