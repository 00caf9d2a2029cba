"""Picking tokens: what each parameter of sampling does to a row of logits."""

from __future__ import annotations

import numpy as np
import pytest

from craton.engine.backend import Sampling
from craton.engine.sampling import Sampler, forbid

ROW = np.log(np.array([0.5, 0.25, 0.15, 0.1], np.float32))


def draws(sampling: Sampling, row: np.ndarray = ROW, count: int = 400) -> list[int]:
    sampler = Sampler(sampling)
    return [sampler.pick(row.copy())[0] for _ in range(count)]


def test_greedy_takes_the_likeliest() -> None:
    """Temperature 0 is the argmax, and so is top_k 1 at any temperature."""
    assert set(draws(Sampling())) == {0}
    assert set(draws(Sampling(temperature=2.0, top_k=1))) == {0}


def test_a_seed_repeats_and_another_differs() -> None:
    """The same seed draws the same tokens."""
    first = draws(Sampling(temperature=1.0, seed=3))
    assert first == draws(Sampling(temperature=1.0, seed=3))
    assert first != draws(Sampling(temperature=1.0, seed=4))


def test_frequencies_follow_the_distribution() -> None:
    """At temperature 1 the tokens come about as often as the model says."""
    counts = np.bincount(draws(Sampling(temperature=1.0, seed=1), count=4000), minlength=4) / 4000
    assert np.allclose(counts, [0.5, 0.25, 0.15, 0.1], atol=0.03)


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (Sampling(temperature=1.0, top_k=2, seed=1), {0, 1}),
        (Sampling(temperature=1.0, top_p=0.6, seed=1), {0, 1}),
        (Sampling(temperature=1.0, top_p=0.5, seed=1), {0}),
        (Sampling(temperature=1.0, top_p=0.0, seed=1), {0}),
        (Sampling(temperature=1.0, top_k=3, top_p=0.9, seed=1), {0, 1, 2}),
        (Sampling(temperature=1.0, top_k=100, seed=1), {0, 1, 2, 3}),
    ],
)
def test_cuts_leave_the_likeliest(sampling: Sampling, possible: set[int]) -> None:
    """top_k and top_p keep exactly the tokens that they name."""
    assert set(draws(sampling)) == possible


def test_top_p_is_exact_on_a_large_flat_vocabulary() -> None:
    """A nucleus wider than the first looks is still found whole."""
    row = np.zeros(30_000, np.float32)
    sampler = Sampler(Sampling(temperature=1.0, top_p=0.9, seed=1))
    assert len({sampler.pick(row.copy())[0] for _ in range(200)}) > 190


def test_penalties_discourage_what_was_said() -> None:
    """A presence penalty makes a token that was picked lose against one that is a little less likely."""
    sampler = Sampler(Sampling(presence_penalty=1.0))
    assert [sampler.pick(ROW.copy())[0] for _ in range(3)] == [0, 1, 0]
    heavy = Sampler(Sampling(frequency_penalty=2.0))
    assert sorted(heavy.pick(ROW.copy())[0] for _ in range(4)) == [0, 1, 2, 3]


def test_masked_tokens_are_never_picked() -> None:
    """A mask of bits leaves only what it names, also beyond its own width."""
    row = np.zeros(40, np.float32)
    forbid(row, np.array([0b100], np.int32))
    assert np.flatnonzero(np.isfinite(row)).tolist() == [2]
    assert {
        Sampler(Sampling(temperature=1.0)).pick(ROW.copy(), np.array([0b1010], np.int32))[0] for _ in range(60)
    } == {
        1,
        3,
    }


def test_logprobs_are_those_of_the_model() -> None:
    """Log probabilities ignore temperature and masks; the alternatives come best first."""
    _, told = Sampler(Sampling(temperature=0.1, top_logprobs=2, seed=1)).pick(ROW.copy(), np.array([0b10], np.int32))
    assert told is not None
    assert (told.token, round(np.exp(told.logprob), 3)) == (1, 0.25)
    assert [(token, round(float(np.exp(value)), 3)) for token, value in told.top] == [(0, 0.5), (1, 0.25)]
