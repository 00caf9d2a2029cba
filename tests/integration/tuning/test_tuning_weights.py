"""What the model computes of blocks, and what of a conversation is learned, on the sample model itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from craton.features.tuning.packing import blocks
from craton.features.tuning.plan import Settings
from craton.features.tuning.records import Record, Turn
from craton.features.tuning.tokens import Renderer, Sample
from craton.features.tuning.weights import Learner, open_tokenizer
from craton.models.catalog.local import BOX

BASE = BOX / "chat-mini-v1"
TURNS = [Turn("system", "Be short."), Turn("user", "Hello"), Turn("assistant", "Hi there", True), Turn("user", "Bye"), Turn("assistant", "So long", True)]  # fmt: skip


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(open_tokenizer(BASE), 64)


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner(BASE, Settings(rank=4), 1)


def test_samples_in_one_row_do_not_see_each_other(renderer: Renderer, learner: Learner) -> None:
    """Each token's log-probability is that of the sample computed alone."""
    texts = ["Hello", "The capital of France is Paris.", "a b c"]
    samples = [renderer.sample(Record(text=text))[0] for text in texts]
    with torch.no_grad():
        together = by_owner(learner, samples, together=True)
        alone = by_owner(learner, samples, together=False)
    for one, other in zip(together, alone, strict=True):
        assert np.allclose(one, other, atol=1e-4)


def by_owner(learner: Learner, samples: list[Sample], *, together: bool) -> list[list[float]]:
    found: list[list[float]] = [[] for _ in samples]
    for block in blocks(range(len(samples)), samples.__getitem__, together=together):
        for owner, value in zip(block.owners.tolist(), learner.logprobs(block).tolist(), strict=True):
            found[owner].append(value)
    return found


def test_only_what_the_assistant_says_is_learned(renderer: Renderer) -> None:
    """Its turns with the markers that end them, and nothing of the others."""
    sample, cut = renderer.sample(Record(turns=TURNS))
    assert not cut
    learned = renderer._tokenizer.decode(sample.ids[sample.learned])
    assert learned == "Hi there<|end|>So long<|end|>"


def test_a_long_record_is_cut_at_its_end(renderer: Renderer) -> None:
    """And told so."""
    sample, cut = renderer.sample(Record(text="word " * 500))
    assert (len(sample.ids), cut) == (64, True)


def test_a_prompt_ends_where_the_answer_begins(renderer: Renderer) -> None:
    """For reinforcement: with the marker that gives the assistant the word."""
    ids = renderer.prompt(Record(turns=TURNS[:2]))
    assert renderer._tokenizer.decode(ids).endswith("<|assistant|>")


def test_the_quick_way_is_pefts(renderer: Renderer) -> None:
    """One step through an adapted layer gives peft's values, and its gradients on the way back."""
    quick, plain = Learner(BASE, Settings(rank=4), 1), Learner(BASE, Settings(rank=4), 1)
    for layer in plain.model.modules():
        layer.__dict__.pop("forward", None)
    samples = [renderer.sample(Record(turns=TURNS))[0]]
    for learner in (quick, plain):
        for name, weight in learner.trained.items():  # an adapter begins as nothing, which would prove nothing
            torch.manual_seed(len(name))
            torch.nn.init.normal_(weight, std=0.05)
        (block,) = blocks([0], samples.__getitem__)
        learner.logprobs(block).sum().backward()
    for name, weight in quick.trained.items():
        assert weight.grad is not None
        assert torch.allclose(weight.grad, plain.trained[name].grad, rtol=1e-3, atol=1e-4), name
