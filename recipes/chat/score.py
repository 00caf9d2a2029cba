"""Scores of a shipped chat model: held-out conversations of both kinds of phrasing, and the prompts written by hand.

This file owns the flat form that cards and floors share. It must not know training or files of scores.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from recipes.chat import evaluate

COUNT = 40


def scores(directory: Path, count: int = COUNT) -> Mapping[str, float]:
    """Percent right by "kind: task", and the mean of each kind; really generated with ONNX Runtime GenAI, greedy."""
    options = argparse.Namespace(checkpoint=None, model=directory, count=count, misses=0)
    found: dict[str, float] = {}
    for kind, percent in evaluate.scores(options).items():
        found |= {f"{kind}: {task}": value for task, value in percent.items()}
        found[f"{kind}: mean"] = round(evaluate.mean(percent), 1)
    return found
