"""Scores: `python -m recipes.image.score [--model DIR] --judge FILE [--sheet PNG]`: does the model draw what was asked?

Held-out prompts (ways of saying that training never sees, scenes from another seed) are painted by the engine as it
serves them; the judge, which has seen drawn pictures only, says what it sees. Owns the prompts and the counting.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from craton.engine.images.network import Asked, ShapeNetwork
from recipes.image.classifier import Classifier, agreements
from recipes.image.scenes import Scene, draw, random_scene
from recipes.image.words import say

PROMPTS = 200
BOX = Path(__file__).resolve().parents[2] / "src/craton/engine/box/image-mini-v2"
JUDGE = Path(__file__).with_name("judge.pt")
_SEED = 7_000_000


def held_out(count: int = PROMPTS) -> list[tuple[str, Scene]]:
    """Prompts and the scenes that they say."""
    rng = random.Random(_SEED)
    scenes = [random_scene(rng, pairs=0.3) for _ in range(count)]
    return [(say(scene, rng, held_out=True), scene) for scene in scenes]


def judge(path: Path) -> Classifier:
    """The trained classifier, of a checkpoint or of a file with weights alone."""
    state = torch.load(path, weights_only=True)
    found = Classifier()
    found.load_state_dict({k.removeprefix("classifier."): v for k, v in state.get("average", state).items()})
    found.eval()
    return found


def judged_drawings(judged_by: Path = JUDGE) -> float:
    """How often the judge is right about pictures that were drawn, of the held-out scenes, in percent."""
    scenes = [scene for _, scene in held_out()]
    seen = agreements(judge(judged_by), draw(scenes, random.Random(_SEED + 1)), scenes)
    right = sum(1 for one in seen if one["shape"] and one["color"])
    return round(100 * right / len(seen), 1)


def scores(
    model: Path = BOX,
    judged_by: Path = JUDGE,
    count: int = PROMPTS,
    sheet: Path | None = None,
    guidance: float | None = None,
) -> Mapping[str, float]:
    """Percentages of the held-out prompts: shape and colour of everything, each, the background; one thing and two."""
    network, prompts = ShapeNetwork(model, 1), held_out(count)
    began = time.process_time()
    pictures = np.stack(
        [network.paint(Asked(prompt=prompt, guidance=guidance), at) for at, (prompt, _) in enumerate(prompts)]
    )
    spent = time.process_time() - began
    if sheet is not None:
        _sheet(pictures[:64], sheet)
    seen = agreements(judge(judged_by), torch.from_numpy(pictures).permute(0, 3, 1, 2), [scene for _, scene in prompts])
    both = [one["shape"] and one["color"] for one in seen]

    def percent(values: list[bool]) -> float:
        return round(100 * sum(values) / max(1, len(values)), 1)

    return {
        "shape and color": percent(both),
        "shape": percent([one["shape"] for one in seen]),
        "color": percent([one["color"] for one in seen]),
        "background": percent([one["background"] for one in seen]),
        "one thing": percent([ok for ok, (_, scene) in zip(both, prompts, strict=True) if len(scene.things) == 1]),
        "two things": percent([ok for ok, (_, scene) in zip(both, prompts, strict=True) if len(scene.things) == 2]),
        "cpu ms a picture": round(1000 * spent / len(prompts), 1),
    }


def _sheet(pictures: np.ndarray, path: Path) -> None:
    """Eight in a row."""
    rows = [np.concatenate(list(pictures[at : at + 8]), axis=1) for at in range(0, len(pictures) // 8 * 8, 8)]
    Image.fromarray((np.concatenate(rows) * 255).astype(np.uint8)).save(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.image.score", description=__doc__)
    parser.add_argument("--model", type=Path, default=BOX)
    parser.add_argument("--judge", type=Path, default=JUDGE)
    parser.add_argument("--count", type=int, default=PROMPTS)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--guidance", type=float)
    asked = parser.parse_args()
    print(json.dumps(dict(scores(asked.model, asked.judge, asked.count, asked.sheet, asked.guidance)), indent=1))


if __name__ == "__main__":
    main()
