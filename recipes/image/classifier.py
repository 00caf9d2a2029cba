"""The judge of pictures: which shapes in which colours are seen, left to right and top to bottom.

Owns a small network trained on drawn scenes alone (it never sees a picture of the model) and what agreement with a
scene means. Shares no weight, latent or loss with the pipeline.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from recipes.image.scenes import COLORS, PAIRS, SHAPES, Scene

_NOTHING = len(SHAPES)
_WIDTHS = (16, 32, 64, 64)


class Classifier(nn.Module):
    """N x 3 x 64 x 64 → for the first and second place: shape (or nothing) and colour; and the background."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in _WIDTHS:
            layers += [nn.Conv2d(before, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.seen = nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * 16, 128), nn.ReLU())
        self.shapes = nn.Linear(128, 2 * (len(SHAPES) + 1))
        self.colors = nn.Linear(128, 2 * len(COLORS))
        self.background = nn.Linear(128, len(COLORS))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits: N x 2 x shapes, N x 2 x colours, N x colours."""
        state = self.seen(pictures * 2 - 1)
        count = len(pictures)
        return self.shapes(state).view(count, 2, -1), self.colors(state).view(count, 2, -1), self.background(state)


def ordered(scene: Scene) -> list[tuple[int, int]]:
    """(shape, colour) of the things as they stand: left before right, top before bottom."""
    things = [(SHAPES.index(thing.shape), list(COLORS).index(thing.color)) for thing in scene.things]
    if len(things) == 2 and PAIRS[scene.where][0] > PAIRS[scene.where][1]:
        things.reverse()
    return things


def classifier_loss(told: tuple[torch.Tensor, torch.Tensor, torch.Tensor], scenes: list[Scene]) -> torch.Tensor:
    """Cross entropy of all that is there."""
    shapes, colors, background = told
    rows = [ordered(scene) for scene in scenes]
    wanted_shapes = torch.tensor([[row[0][0], row[1][0] if len(row) == 2 else _NOTHING] for row in rows])
    wanted_colors = torch.tensor([[row[0][1], row[1][1] if len(row) == 2 else -100] for row in rows])
    grounds = torch.tensor([list(COLORS).index(scene.background) for scene in scenes])
    return (
        functional.cross_entropy(shapes.flatten(0, 1), wanted_shapes.flatten())
        + functional.cross_entropy(colors.flatten(0, 1), wanted_colors.flatten())
        + functional.cross_entropy(background, grounds)
    )


@torch.no_grad()
def agreements(classifier: Classifier, pictures: torch.Tensor, scenes: list[Scene]) -> list[dict[str, bool]]:
    """For each picture whether `shape`, `color` (of all things) and `background` are as the scene says."""
    shapes, colors, background = classifier.eval()(pictures)
    found = []
    for row, scene in enumerate(scenes):
        things = ordered(scene)
        seen_shapes, seen_colors = shapes[row].argmax(-1).tolist(), colors[row].argmax(-1).tolist()
        wanted = [thing[0] for thing in things] + [_NOTHING] * (2 - len(things))
        found.append(
            {
                "shape": seen_shapes == wanted,
                "color": all(seen_colors[place] == thing[1] for place, thing in enumerate(things)),
                "background": int(background[row].argmax()) == list(COLORS).index(scene.background),
            }
        )
    return found
