"""What is refused of a folder by its names and sizes, its JSON files and its index."""

from __future__ import annotations

import json

import pytest

from craton.features.importing import listing
from craton.features.importing.architectures import ARCHITECTURES, architecture_of
from craton.features.importing.document import document
from craton.features.importing.fault import BadModel
from craton.features.importing.index import check_places, indexed, shards
from craton.features.importing.listing import File
from craton.features.importing.tokenizer import check, has_template, words
from tests.fakes import tiny_llama

GOOD = [File(name, len(data)) for name, data in tiny_llama.files().items()]


def refused(words: str) -> pytest.RaisesExc[BadModel]:
    return pytest.raises(BadModel, match=words)


def test_what_a_model_is_made_of() -> None:
    """The small files come first; programs, pictures and deeper folders are left where they are."""
    more = [
        File("README.md", 9),
        File("modeling_x.py", 9),
        File("original/consolidated.pth", 9),
        File(".gitattributes", 1),
    ]
    chosen = listing.chosen([*GOOD, *more], max_bytes=10**9)
    assert [file.name for file in chosen] == [
        "chat_template.jinja", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
        "model.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["pytorch_model.bin", "x.pt", "y.pth", "z.ckpt", "training_args.BIN", "a.pkl"])
def test_a_pickle_ends_the_import_by_its_name(name: str) -> None:
    """Beside good weights too: it is named, and nobody opens it."""
    with refused(f"^{name} may be a pickle"):
        listing.chosen([*GOOD, File(name, 9)], max_bytes=10**9)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_that_must_be_there(name: str) -> None:
    """What lacks is named."""
    with refused(f"lacks {name}"):
        listing.chosen([file for file in GOOD if file.name != name], max_bytes=10**9)


def test_sizes_and_kinds_of_folders() -> None:
    """No weights, too many bytes, a text of gigabytes, an embedding model."""
    with refused("no weights in the safetensors format"):
        listing.chosen([file for file in GOOD if not file.is_weights], max_bytes=10**9)
    with refused("A model may have 1000"):
        listing.chosen(GOOD, max_bytes=1000)
    with refused("vocab.json has"):
        listing.chosen([*GOOD, File("vocab.json", 10**9)], max_bytes=10**9)
    with refused("embedding model"):
        listing.chosen([*GOOD, File("modules.json", 9)], max_bytes=10**9)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "is not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"a":1,"a":2}', "'a' stands there twice"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a":' + b"9" * 10_000 + b"}", "cannot be read|not JSON that"),
    ],
)
def test_documents_are_objects(data: bytes, words: str) -> None:
    """With each key once; whatever else stands there is named."""
    with refused(f"x.json.*{words}"):
        document("x.json", data)


@pytest.mark.parametrize(
    "file",
    [
        "../secret.safetensors",
        "/etc/x.safetensors",
        "a/b.safetensors",
        "..\\x.safetensors",
        "model.bin",
        "",
        7,
        "x" * 300,
    ],
)
def test_an_index_names_plain_files_of_its_folder(file: object) -> None:
    """No way leads out of the folder, nor to another kind of file."""
    with refused("must be the plain name of a safetensors file"):
        indexed(json.dumps({"weight_map": {"t": file}}).encode())


def test_every_shard_is_there_and_holds_what_the_index_says() -> None:
    """A missing shard, a tensor in the wrong one, one in none."""
    index = json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}).encode()
    with refused("lacks 2.safetensors"):
        shards(["1.safetensors"], index)
    assert shards(["1.safetensors", "2.safetensors", "other.safetensors"], index) == ["1.safetensors", "2.safetensors"]
    check_places(index, {"1.safetensors": ["a"], "2.safetensors": ["b"]})
    with refused("holds the tensor c"):
        check_places(index, {"1.safetensors": ["a", "c"], "2.safetensors": ["b"]})
    with refused("2.safetensors lacks the tensor b"):
        check_places(index, {"1.safetensors": ["a"], "2.safetensors": []})
    with refused("lacks model.safetensors.index.json"):
        shards(["1.safetensors", "2.safetensors"], None)
    with refused("no weight_map"):
        indexed(b'{"weight_map":{}}')


def test_architectures_are_bedrocks() -> None:
    """Those that no engine here runs, embedding models and unknown ones are refused, each in its own words."""
    assert architecture_of(["LlamaForCausalLM"], "llama").name == "llama"
    with refused("T5ForConditionalGeneration cannot be served here"):
        architecture_of(["T5ForConditionalGeneration"], "t5")
    with refused("BertModel is an embedding model"):
        architecture_of(["BertModel"], "bert")
    with refused("Mamba.* is not supported. Supported are GPTBigCodeForCausalLM"):
        architecture_of(["MambaForCausalLM"], "mamba")
    with refused("architecture none"):
        architecture_of([], "")
    assert not ARCHITECTURES["Qwen2ForCausalLM"].converse


def test_tokenizers() -> None:
    """The kinds that Bedrock takes, with a vocabulary; a template may stand in the settings or in its own file."""
    given = tiny_llama.files()
    check(given["tokenizer.json"], given["tokenizer_config.json"])
    assert words(given["tokenizer.json"]) == tiny_llama.WORDS
    with refused("no model with a vocabulary"):
        check(b'{"model":{"type":"BPE"}}', given["tokenizer_config.json"])
    with refused("BertTokenizer is not supported"):
        check(given["tokenizer.json"], b'{"tokenizer_class":"BertTokenizer"}')
    assert has_template(b'{"chat_template":"x"}', [])
    assert has_template(b"{}", ["chat_template.jinja"])
    assert not has_template(b"{}", ["config.json"])
