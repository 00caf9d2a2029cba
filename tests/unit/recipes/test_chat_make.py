"""The recipe as one command: every step is a command that exists, and the files of one are those of the next."""

from __future__ import annotations

import importlib
from pathlib import Path

from recipes.chat import make


def test_each_step_is_a_command_of_the_recipe(tmp_path: Path) -> None:
    """Training first and the card last; what begins from another run does not learn to copy again."""
    given = make.arguments(["--out", str(tmp_path), "--minutes", "3", "--begin", "other/checkpoint.pt"])
    steps = make.steps(tmp_path, given)
    assert [step[0] for step in steps] == ["train", "export", "evaluate", "evaluate", "served", "card"]
    for step in steps:
        assert callable(importlib.import_module(f"recipes.chat.{step[0]}").main)
    assert steps[0][steps[0].index("--copy-steps") + 1] == "0"
    made = {step[step.index("--out") + 1] for step in steps[:-1]}
    read = {word for word in steps[-1] if word.startswith(str(tmp_path))}
    assert read <= made
