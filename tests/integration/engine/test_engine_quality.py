"""The loss of quality by quantisation: nothing between a model and itself, something when weights are disturbed."""

from __future__ import annotations

from pathlib import Path

import pytest

from craton.engine import quality
from craton.engine.backend import EngineFault, ModelSpec
from craton.engine.opening import open_rows
from tests.integration.engine.engine_process import TINY
from tests.integration.engine.tiny_models import make_model

TEXTS = [[5, 9, 13, 200, 7, 8], [300, 4, 9], [17, 18, 19, 20]]


def rows(path: Path) -> object:
    return open_rows(ModelSpec(path, 1, 2, context_tokens=32, backend="transformers", device="cpu"))


def test_a_model_loses_nothing_to_itself(tmp_path: Path) -> None:
    """Divergence 0, the same next token everywhere; texts of different length count every position once."""
    path = make_model(tmp_path / "m")
    told = quality.compared(rows(path), rows(path), TEXTS)  # type: ignore[arg-type]
    assert told["tokens"] == sum(len(text) - 1 for text in TEXTS)
    assert (told["perplexity_change"], told["same_next_token"]) == (0, 1)
    assert told["kl_mean_nats"] < 1e-6


def test_another_model_is_far_away(tmp_path: Path) -> None:
    """Disturbed weights show in every figure."""
    path, other = make_model(tmp_path / "m"), make_model(tmp_path / "o", initializer_range=0.2)
    told = quality.compared(rows(path), rows(other), TEXTS)  # type: ignore[arg-type]
    assert told["kl_mean_nats"] > 0.1
    assert told["same_next_token"] < 1
    assert "nats" in quality.sentence(told)


def test_directories_of_two_models_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other vocabularies cannot be compared; the command says so in one line."""
    path = make_model(tmp_path / "m")
    small = make_model(tmp_path / "s", vocab_size=310)
    with pytest.raises(EngineFault, match="not of one model"):
        quality.compared(rows(path), rows(small), TEXTS)  # type: ignore[arg-type]
    assert quality.main([str(tmp_path / "none"), str(TINY)]) == 1
    assert "cannot be served" in capsys.readouterr().err
