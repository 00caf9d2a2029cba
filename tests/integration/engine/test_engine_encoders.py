"""Converted encoders compute what torch and transformers compute with the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from craton.engine.embeddings.directory import GRAPH, describe
from craton.engine.embeddings.package import PackageFault, package
from craton.engine.embeddings.session import Results, Session
from craton.engine.embeddings.tokens import TextEncoder
from craton.engine.modeldir import ModelDirectoryFault, verify
from tests.fakes.encoders import TEXTS, add_modules, torch_hidden, torch_scores, write_encoder, write_reranker

MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
LONG = "the weather is sunny. " * 40


def made(source: Path, target: Path, precision: str = "fp32") -> Path:
    package(source, target, precision=precision, model_id="tiny", say=lambda _: None)
    return target


def computed(directory: Path, texts: list[str]) -> Results:
    """Our results of texts computed together."""
    found = describe(directory)
    encoder = TextEncoder(directory / "tokenizer.json", found.card.context_tokens)
    return Session(directory / GRAPH, 1).run([encoder.one(text) for text in texts])


def cosines(one: Any, other: Any) -> list[float]:
    one, other = np.asarray(one), np.asarray(other)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return ((one * other).sum(axis=1) / lengths).tolist()


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta", "camembert", "electra", "mpnet", "distilbert"])
def test_each_family_agrees_with_torch(tmp_path: Path, family: str) -> None:
    """Mean pooling of every family, short and long texts padded together: cosine to torch over 0.9999."""
    source = write_encoder(tmp_path / "source", family)
    ours = computed(made(source, tmp_path / "made"), [*TEXTS, LONG])
    length = describe(tmp_path / "made").card.context_tokens
    hidden, mask = torch_hidden(source, [*TEXTS, LONG], length)
    weights = mask.unsqueeze(-1).float()
    theirs = (hidden * weights).sum(1) / weights.sum(1)
    assert min(cosines(ours, theirs)) > 0.9999
    assert np.allclose(ours, theirs.numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("pooling", "mode"),
    [
        ({"pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode_max_tokens": True, "include_prompt": True}, "max"),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, "sqrt"),
        (MEAN, "mean"),
    ],
)
def test_pooling_as_the_directory_says(tmp_path: Path, pooling: dict[str, Any], mode: str) -> None:
    """First token, maximum, mean and mean by the root of the length, each then brought to length one."""
    source = add_modules(write_encoder(tmp_path / "source"), pooling)
    ours = computed(made(source, tmp_path / "made"), TEXTS)
    hidden, mask = torch_hidden(source, TEXTS, 32)
    weights = mask.unsqueeze(-1).float()
    total, count = (hidden * weights).sum(1), weights.sum(1)
    outside = hidden.masked_fill(weights == 0, -1e9)
    theirs = {"cls": hidden[:, 0], "max": outside.max(1).values, "sqrt": total / count.sqrt(), "mean": total / count}
    assert min(cosines(ours, theirs[mode])) > 0.9999
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_a_dense_module_changes_the_width(tmp_path: Path) -> None:
    """What follows the pooling is computed as well; without normalisation lengths stay as they are."""
    from safetensors.torch import load_file

    source = add_modules(write_encoder(tmp_path / "source"), MEAN, normalise=False, dense=12)
    ours = computed(made(source, tmp_path / "made"), TEXTS)
    hidden, mask = torch_hidden(source, TEXTS, 32)
    weights = mask.unsqueeze(-1).float()
    dense = load_file(source / "2_Dense" / "model.safetensors")
    mean = (hidden * weights).sum(1) / weights.sum(1)
    theirs = (mean @ dense["linear.weight"].T + dense["linear.bias"]).tanh()
    assert np.allclose(ours, theirs.numpy(), atol=1e-4)
    assert describe(tmp_path / "made").card.dimensions == 12


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "mpnet", "distilbert"])
def test_a_reranker_gives_torchs_scores(tmp_path: Path, family: str) -> None:
    """The logit of each pair is torch's, whether the document fits or is cut."""
    source = write_reranker(tmp_path / "source", family)
    directory = made(source, tmp_path / "made")
    card = describe(directory).card
    assert (card.kind, card.dimensions) == ("rerank", 0)
    encoder = TextEncoder(directory / "tokenizer.json", card.context_tokens)
    query = encoder.cut("the answer")
    documents = [*TEXTS, LONG]
    ours = Session(directory / GRAPH, 1).run([encoder.two(query, each) for each in documents])
    theirs = torch_scores(source, "the answer", documents, card.context_tokens)
    assert np.allclose(ours[:, 0], theirs, atol=1e-3)


def test_rounded_weights_are_near_and_need_a_quarter(tmp_path: Path) -> None:
    """int8: the card says how near to fp32 it is, and a text's vector does not depend on those beside it."""
    source = add_modules(write_encoder(tmp_path / "source", hidden_size=64, initializer_range=0.1), MEAN)
    exact, near = made(source, tmp_path / "exact"), made(source, tmp_path / "near", "int8")
    assert describe(near).card.cosine_to_fp32["lowest"] >= 0.96
    assert not describe(exact).card.cosine_to_fp32
    together = computed(near, TEXTS)
    alone = np.concatenate([computed(near, [text]) for text in TEXTS])
    assert np.allclose(together, alone, atol=1e-6)
    assert min(cosines(computed(exact, TEXTS), together)) > 0.96
    sizes = [(each / f"{GRAPH}.data").stat().st_size for each in (near, exact)]
    assert sizes[0] < sizes[1]


def test_a_bfloat16_checkpoint_in_parts(tmp_path: Path) -> None:
    """Weights of two bytes, in several files with an index, are read as torch reads them."""
    import torch
    from transformers import AutoModel

    source = write_encoder(tmp_path / "source")
    model = AutoModel.from_pretrained(source).to(torch.bfloat16)
    (source / "model.safetensors").unlink()
    model.save_pretrained(source, max_shard_size="20KB")
    assert (source / "model.safetensors.index.json").is_file()
    again = write_encoder(tmp_path / "again")
    AutoModel.from_pretrained(source).to(torch.float32).save_pretrained(again)
    assert np.allclose(computed(made(source, tmp_path / "one"), TEXTS), computed(made(again, tmp_path / "two"), TEXTS))


def test_the_result_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """A damaged checkpoint leaves nothing; a changed file is refused at the start; nothing is written over."""
    source = write_encoder(tmp_path / "source")
    directory = made(source, tmp_path / "made")
    with pytest.raises(PackageFault, match="exists already"):
        made(source, directory)
    found = describe(directory)
    verify(found)
    with (directory / f"{GRAPH}.data").open("r+b") as opened:
        opened.write(b"\1\2\3")
    with pytest.raises(ModelDirectoryFault, match="SHA-256"):
        verify(found)
    (source / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(Exception, match="cut short"):
        made(source, tmp_path / "never")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["made", "source"]
