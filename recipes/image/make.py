"""The recipe: `python -m recipes.image.make --run DIR --out DIR`: training, export, scores and the card.

Every stage goes on from its last checkpoint in `--run`, so that the command can be stopped and given again at any time.
Owns the order and the card. A model under GATE (or a judge under JUDGE_GATE) is written too, and the command ends with status 1: it is not to be
shipped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from recipes.image import export, score, train

GATE, JUDGE_GATE = 90.0, 97.0
_CARD = """# {id}

Draws shapes from prompts in plain words: circle, square, triangle, star or ring, in twelve colours, three sizes and nine
places, one or two of them, on a coloured background. 64 x 64 pixels, enlarged to what was asked. A prompt that names no
shape is painted as craton.image-mini-v1 does, without a network; so are the edits that need none.

| | |
|---|---|
| architecture | Stable Diffusion's layout: a text encoder, a UNet over 4 x 16 x 16 latents, a decoder; {megabytes:.1f} MB in half precision |
| trained on | scenes drawn by `recipes/image`, {steps:,} steps of the UNet; nothing else |
| deterministic | the same request with the same seed gives the same pixels |
| licence | Apache-2.0, as the project |

A judge (a classifier trained apart, on drawn pictures only) looked at {prompts} held-out prompts, whose phrasing and
scenes training has not seen. Of pictures, in percent:

| | |
|---|---|
{rows}

"shape and color": all things that the prompt names are there, in their place's order, with their shape and their colour.
"""


def card(out: Path, run: Path, found: Mapping[str, float]) -> None:
    """Write MODEL_CARD.md; every figure is read from the run, the directory or the scores."""
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    text = _CARD.format(
        id=export.MODEL_ID,
        megabytes=size / 1e6,
        steps=torch.load(run / "unet.pt", weights_only=True)["step"],
        prompts=score.PROMPTS,
        rows="\n".join(f"| {name} | {value} |" for name, value in found.items()),
    )
    (out / "MODEL_CARD.md").write_text(text)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.image.make", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="checkpoints and losses")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--begin", type=Path, help="directory with weights of another run, for a new run to go on from")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trained", action="store_true", help="take the checkpoints as they are")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    asked.run.mkdir(parents=True, exist_ok=True)
    for stage, steps in {} if asked.trained else train.STEPS.items():
        train.train(train.stage_of(stage, asked.run), asked.run, stage, steps, train.Crew(0, 1), asked.begin)
    export.export(asked.run, asked.out)
    drawn = score.judged_drawings(asked.run / "classifier.pt")
    found = {"the judge itself, on drawn pictures": drawn, **score.scores(asked.out, asked.run / "classifier.pt")}
    card(asked.out, asked.run, found)
    print(json.dumps(dict(found), indent=1))
    return 0 if found["shape and color"] >= GATE and drawn >= JUDGE_GATE else 1


if __name__ == "__main__":
    sys.exit(main())
