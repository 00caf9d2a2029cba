"""Text made by processes beside the training: the same batches as made here, and a training that takes them."""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from recipes.chat import batches, train
from recipes.chat.draw import Draw
from recipes.chat.makers import made, write_need
from recipes.chat.model import Shape
from tests.unit.recipes.test_chat_box import BOX

VOCABULARY = BOX / "chat-mini-v2" / "tokenizer.json"
TOKENS, POOL = 512, 20


def test_processes_make_what_is_made_here(tmp_path: Path) -> None:
    """One process gives the batches of its seed, in their order, token for token."""
    need = {"copying.echo": 5.0}
    write_need(tmp_path / "need.json", need)
    here = batches.stream(Tokenizer.from_file(str(VOCABULARY)), Draw("s-0"), "full", TOKENS, need, POOL)
    with made(1, VOCABULARY, "s", "full", TOKENS, POOL, tmp_path / "need.json") as beside:
        for mine, other in islice(zip(here, beside, strict=False), 8):
            assert torch.equal(mine.ids, other.ids)
            assert torch.equal(mine.positions, other.positions)
            assert torch.equal(mine.weights, other.weights)


@pytest.mark.parametrize("makers", [0, 2])
def test_a_run_goes_on_where_it_stopped(tmp_path: Path, makers: int) -> None:
    """Two legs of a small network: the second begins with the first one's weights, counts on, and knows what is needed."""
    (tmp_path / "tokenizer.json").write_text(VOCABULARY.read_text())
    vocabulary = Tokenizer.from_file(str(VOCABULARY))
    options = argparse.Namespace(
        seed=1, minutes=0.05, device="cpu", makers=makers, micro=1, tokens=TOKENS, pool=POOL, copy_steps=2, rate=1.0,
        measure=10.0, decay=0.35,
    )  # fmt: skip
    shape = Shape(vocabulary=vocabulary.get_vocab_size(), dim=16, layers=1, heads=2, kv_heads=1, head=8, hidden=16)
    first = train.start(shape, 1)
    train.train(first, vocabulary, tmp_path, options)
    second = train.resumed(tmp_path / "checkpoint.pt", 1)
    assert (second.steps, second.tokens, second.leg) == (first.steps, first.tokens, 1)
    assert first.steps > 2
    assert torch.equal(second.model.embedding, first.model.embedding)
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])["errors"]
    options.minutes = second.cpu_s / 60 + 0.02
    train.train(second, vocabulary, tmp_path, options)
    assert second.steps > first.steps
