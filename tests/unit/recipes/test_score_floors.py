"""Scoring packaged models again: what counts as fallen, and that every packaged model has its scores kept."""

from __future__ import annotations

import json

from recipes import score
from recipes.chat import byhand


def test_a_score_under_its_card_is_told() -> None:
    """A task may lose what rounding costs, a mean less; a score that is gone has fallen."""
    kept = {"new phrasing: echo": 80.0, "new phrasing: mean": 60.0, "by hand: sums": 50.0}
    assert score.fallen(kept, {"new phrasing: echo": 75.0, "new phrasing: mean": 58.0, "by hand: sums": 90.0}) == []
    lines = score.fallen(kept, {"new phrasing: echo": 74.9, "new phrasing: mean": 57.5})
    assert [line.rsplit(":", 1)[0] for line in lines] == ["new phrasing: echo", "new phrasing: mean", "by hand: sums"]


def test_every_packaged_model_has_kept_scores() -> None:
    """Each has some, a chat model one for each task written by hand, so `make eval-models` can fail."""
    kept = json.loads(score.KEPT.read_text())
    assert "minilm-l6-v2" in score.packaged()
    for name in score.packaged():
        assert kept[name]
        if name.startswith("chat"):
            assert {f"by hand: {task}" for task in byhand.TASKS} <= set(kept[name])
