"""All packaged models, scored again: `make eval-models`, or `python -m recipes.score [MODEL …]`.

A score under what `scores.json` says (the figures of the cards) ends with status 1. `--keep MODEL` writes a new model's
scores there. This file owns which models there are and how far a score may fall. It must not know how they are scored.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from recipes.chat import score as chat

BOX = Path(__file__).resolve().parents[1] / "src" / "craton" / "engine" / "box"
KEPT = Path(__file__).with_name("scores.json")
# Greedy answers are the same on every run, but not on every processor: a task may lose two of its forty prompts by
# another rounding, a mean over hundreds of prompts hardly moves.
SLACK, SLACK_OF_MEANS = 5.0, 2.0

Scores = Callable[[Path], Mapping[str, float]]


def image(directory: Path) -> Mapping[str, float]:
    """The pictures' scores without their times, which no floor can hold."""
    from recipes.image import score  # few need what this loads

    return {name: value for name, value in score.scores(directory).items() if "ms" not in name.split()}


def embedding(directory: Path) -> Mapping[str, float]:
    """The embedding model, and the ranking that stands on it."""
    from recipes import embedding as of  # few need what this loads

    return of.scores(directory)


MODELS: dict[str, Scores] = {
    "chat-mini-v1": chat.scores, "chat-mini-v2": chat.scores, "chat-mini-v3": chat.scores,
    "chat-mini-v4": chat.scores, "image-mini-v2": image, "minilm-l6-v2": embedding,
}  # fmt: skip
BESIDE = frozenset({"minilm-l6-v2"})
"""Models that a package of their own carries."""


def packaged() -> list[str]:
    """The models of the table that are there on every machine."""
    return [name for name in MODELS if name in BESIDE or (BOX / name).is_dir()]


def fallen(kept: Mapping[str, float], found: Mapping[str, float]) -> list[str]:
    """A line for each score that fell under what was kept; a score that is gone has fallen too."""
    lines = []
    for name, floor in kept.items():
        slack = SLACK_OF_MEANS if name.endswith("mean") else SLACK
        value = found.get(name, float("-inf"))
        if value < floor - slack:
            lines.append(f"{name}: {value} is under the card's {floor}")
    return lines


def checked(name: str, kept: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Score one model and say what fell."""
    print(f"== {name}", flush=True)
    began = time.monotonic()
    found = MODELS[name](BOX / name)
    lines = [f"{name}: {line}" for line in fallen(kept.get(name, {}), found)]
    if name not in kept:
        lines.append(f"{name} has no scores in {KEPT.name}: keep them with --keep {name}")
    print(
        f"== {name}: {len(found)} scores in {time.monotonic() - began:.0f} s, {len(lines)} under the card", flush=True
    )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Score packaged models again; fails where one is under its card.")
    parser.add_argument("models", nargs="*", help="names in the box (default: all)")
    parser.add_argument("--keep", metavar="MODEL", help="score this one and write its scores into scores.json")
    options = parser.parse_args()
    kept: dict[str, dict[str, float]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if options.keep:
        kept[options.keep] = dict(MODELS[options.keep](BOX / options.keep))
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
        return 0
    lines = [line for name in options.models or packaged() for line in checked(name, kept)]
    print("\n".join(lines) or "No score is under its card.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
