"""What a directory is told to lack before anything is converted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from craton.engine.backend import EngineFault
from craton.engine.embeddings.source import prompts, read, recognised
from craton.engine.embeddings.weights import Checkpoint, WeightsFault

BERT: dict[str, Any] = {"model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu"}


def tensors(path: Path, **named: Any) -> None:
    """A safetensors file, written by hand."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, value in named.items():
        raw = np.asarray(value, np.float32).tobytes()
        header[name.replace("_dot_", ".")] = {
            "dtype": "F32", "shape": list(np.shape(value)), "data_offsets": [len(data), len(data) + len(raw)],
        }  # fmt: skip
        data += raw
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + data)


def directory(path: Path, config: dict[str, Any], **files: Any) -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(config))
    (path / "tokenizer.json").write_text("{}")
    tensors(path / "model.safetensors", embeddings_dot_word_embeddings_dot_weight=np.zeros((3, 2)))
    for name, value in files.items():
        (path / f"{name}.json").write_text(json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({**BERT, "model_type": "llama"}, "model_type is 'llama'; encoders of these can be converted: bert, camembert"),
        ({**BERT, "hidden_act": "swish"}, "activation 'swish'"),
        ({**BERT, "position_embedding_type": "relative_key"}, "relative_key"),
        ({**BERT, "is_decoder": True}, "decoder"),
        ({**BERT, "architectures": ["BertForMaskedLM"]}, "masked words"),
        ({**BERT, "architectures": ["BertForSequenceClassification"]}, "2 classes"),
        (
            {**BERT, "architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "1": "b", "2": "c"}},
            "3 classes",
        ),
    ],
)
def test_what_cannot_be_converted_is_said(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    """In words that name the member of config.json, and the directory."""
    with pytest.raises(EngineFault, match=words) as told:
        read(directory(tmp_path / "m", config))
    assert str(tmp_path) in str(told.value)


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ([{"path": "", "type": "x.Transformer"}, {"path": "2", "type": "x.LayerNorm"}], "module LayerNorm"),
        ([{"path": "", "type": "x.Transformer"}, {"path": "1", "type": "x.Pooling"}], "pooling"),
        ([{"path": "../..", "type": "x.Transformer"}], "outside"),
        ([{"type": "x"}], "modules.json is damaged"),
        ([], "names no modules"),
    ],
)
def test_modules_that_the_graph_cannot_follow(tmp_path: Path, modules: Any, words: str) -> None:
    """Each by its name; none may lead out of the directory."""
    with pytest.raises(EngineFault, match=words):
        read(directory(tmp_path / "m", BERT, modules=modules))


def test_missing_files_are_listed(tmp_path: Path) -> None:
    """Both in one message; pickled weights are not read."""
    path = directory(tmp_path / "m", BERT)
    (path / "tokenizer.json").unlink()
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    with pytest.raises(EngineFault, match=r"tokenizer\.json is missing.*pickled.*model\.safetensors is missing"):
        read(path)


def test_encoders_are_told_from_models_that_write(tmp_path: Path) -> None:
    """By modules.json, or by model_type and architecture."""
    assert recognised(directory(tmp_path / "a", BERT))
    assert recognised(directory(tmp_path / "b", {**BERT, "architectures": ["BertForSequenceClassification"]}))
    assert recognised(directory(tmp_path / "c", {"model_type": "llama"}, modules=[]))
    assert not recognised(directory(tmp_path / "d", {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}))
    assert not recognised(tmp_path / "nowhere")


def test_the_length_is_the_least_that_is_said(tmp_path: Path) -> None:
    """sentence-transformers' own limit, else the tokenizer's, never more than there are positions."""
    config = {**BERT, "max_position_embeddings": 64}
    assert read(directory(tmp_path / "a", config, sentence_bert_config={"max_seq_length": 32})).context_tokens == 32
    assert read(directory(tmp_path / "b", config, tokenizer_config={"model_max_length": 48})).context_tokens == 48
    assert read(directory(tmp_path / "c", config, sentence_bert_config={"max_seq_length": 512})).context_tokens == 64
    roberta = {**config, "model_type": "roberta", "pad_token_id": 1}
    assert read(directory(tmp_path / "d", roberta)).context_tokens == 62
    long = {**config, "max_position_embeddings": 8194, "num_attention_heads": 16}
    assert read(directory(tmp_path / "e", long)).context_tokens == 4096


def test_prompts_are_kept_by_what_they_are_for(tmp_path: Path) -> None:
    """`passage` is a document's; the default one is for texts of no stated purpose."""
    told = {"prompts": {"query": "query: ", "passage": "passage: ", "other": "x"}, "default_prompt_name": "query"}
    path = directory(tmp_path / "a", BERT, config_sentence_transformers=told)
    assert prompts(path) == {"query": "query: ", "document": "passage: ", "": "query: "}
    assert prompts(directory(tmp_path / "b", BERT, config_sentence_transformers={"prompts": None})) == {}


def test_damaged_weights_are_told(tmp_path: Path) -> None:
    """Cut short, no header, a tensor that is not there, one that is no real number."""
    tensors(tmp_path / "model.safetensors", a=[[1.0, 2.0]])
    found = Checkpoint(tmp_path)
    assert found.read("a").tolist() == [[1.0, 2.0]]
    with pytest.raises(WeightsFault, match="lack the tensor b"):
        found.read("b")
    whole = (tmp_path / "model.safetensors").read_bytes()
    for broken in (whole[:-4], whole[:20], b"", b"\xff" * 64):
        (tmp_path / "model.safetensors").unlink()
        (tmp_path / "model.safetensors").write_bytes(broken)
        with pytest.raises(WeightsFault, match=r"cut short|no safetensors"):
            Checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors").write_bytes(whole.replace(b'"F32"', b'"I32"'))
    with pytest.raises(WeightsFault, match="of type I32"):
        Checkpoint(tmp_path).read("a")
