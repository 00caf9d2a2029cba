"""A run of the picture recipe that begins with another one's weights."""

from __future__ import annotations

from pathlib import Path

import torch

from recipes.image import train


def test_a_run_begins_where_another_one_stood(tmp_path: Path) -> None:
    """At its step, with its averaged weights; its own checkpoint counts once there is one."""
    first, begun, second = tmp_path / "first", tmp_path / "begun", tmp_path / "second"
    for folder in (first, begun, second):
        folder.mkdir()
    crew = train.Crew(0, 1)
    train.train(train.stage_of("classifier", first), first, "classifier", 2, crew)
    train.shortened(first / "classifier.pt", begun / "classifier.pt")
    train.train(train.stage_of("classifier", second), second, "classifier", 2, crew, begun)
    wanted, found = (torch.load(folder / "classifier.pt", weights_only=True) for folder in (first, second))
    assert found["step"] == 2
    for name, tensor in wanted["average"].items():
        assert torch.allclose(tensor.float(), found["average"][name].float(), atol=2e-3), name
    train.train(train.stage_of("classifier", second), second, "classifier", 4, crew, begun)
    assert torch.load(second / "classifier.pt", weights_only=True)["step"] == 4
