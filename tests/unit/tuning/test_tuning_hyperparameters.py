"""Hyperparameters by base: names, ranges, defaults, and the settings that a run gets."""

from __future__ import annotations

import pytest

from craton.features.tuning.hyperparameters import BadHyperParameter, known, settings_of, shown


def test_defaults_are_the_familys() -> None:
    """As the user guide has them, in texts."""
    assert shown("amazon.nova-lite-v1:0", {}) == {
        "epochCount": "2",
        "learningRate": "1e-05",
        "learningRateWarmupSteps": "10",
    }
    assert shown("amazon.titan-text-premier-v1:0", {})["learningRate"] == "1e-06"
    assert shown("craton.chat-mini-v1:0", {"loraRank": "8"})["loraRank"] == "8"


def test_settings_of_our_own_models() -> None:
    """Values as they are."""
    found = settings_of("craton.chat-mini-v1:0", {"epochCount": "3", "learningRate": "0.01", "loraRank": "4"}, 2048)
    assert (found.epochs, found.rate, found.rank, found.alpha, found.batch) == (3, 0.01, 4, 8, 8)


def test_a_familys_rate_is_a_multiple_of_its_default() -> None:
    """So that AWS's own examples teach a small stand-in as much."""
    plain = settings_of("amazon.nova-lite-v1:0", {}, 2048).rate
    assert settings_of("amazon.nova-lite-v1:0", {"learningRate": "0.00002"}, 2048).rate == pytest.approx(2 * plain)
    assert settings_of(
        "anthropic.claude-3-haiku-20240307-v1:0", {"learningRateMultiplier": "2"}, 2048
    ).rate == pytest.approx(2 * plain)


def test_all_weights_learn_slower() -> None:
    """Rank 0 trains the model itself."""
    found = settings_of("craton.chat-mini-v1:0", {"loraRank": "0"}, 2048)
    assert found.rank == 0
    assert found.rate == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("base", "given", "said"),
    [
        ("amazon.nova-lite-v1:0", {"epochCount": "6"}, "epochCount must be a whole number from 1 to 5, not 6"),
        ("amazon.nova-lite-v1:0", {"epochCount": "1.5"}, "a whole number"),
        ("amazon.nova-lite-v1:0", {"batchSize": "8"}, "has no hyperparameter batchSize"),
        ("craton.chat-mini-v1:0", {"learningRate": "fast"}, "learningRate must be a number"),
        ("craton.chat-mini-v1:0", {"learningRate": "nan"}, "from 1e-07 to 1"),
        ("craton.chat-mini-v1:0", {"maxSequenceLength": "4096"}, "context of 2048"),
    ],
)
def test_what_is_refused(base: str, given: dict[str, str], said: str) -> None:
    """With the name and the range."""
    with pytest.raises(BadHyperParameter) as caught:
        settings_of(base, given, 2048)
    assert said in str(caught.value)


def test_every_default_lies_in_its_range() -> None:
    """A job that names nothing runs."""
    for base in (
        "amazon.nova-pro-v1:0",
        "amazon.titan-text-lite-v1",
        "cohere.command-text-v14",
        "meta.llama3-1-8b-instruct-v1:0",
        "anthropic.claude-3-haiku-20240307-v1:0",
        "own",
    ):
        assert all(one.default is None or one.low <= one.default <= one.high for one in known(base))
        settings_of(base, {}, 2048)


def test_what_a_run_leaves() -> None:
    """An adapter, unless all weights are trained or the adapter is merged into them, in one of three precisions."""
    forms = [
        settings_of("craton.chat-mini-v1:0", given, 2048).form
        for given in ({}, {"loraRank": "0"}, {"mergedBits": "8"}, {"mergedBits": "0"})
    ]
    assert forms == ["adapter", "model", "model", "adapter"]
    with pytest.raises(BadHyperParameter, match="mergedBits must be one of 0, 4, 8, 32"):
        settings_of("craton.chat-mini-v1:0", {"mergedBits": "5"}, 2048)
