"""Scenes: what a picture of the recipe holds, and how it is drawn.

Owns the palette, the shapes, the places, random scenes from a seed, and the drawing at 64 x 64 with soft edges. Knows no
words and no network.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import torch

SIDE = 64
SHAPES = ("circle", "square", "triangle", "star", "ring")
COLORS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 35),
    "orange": (255, 140, 0),
    "yellow": (255, 225, 30),
    "green": (30, 150, 50),
    "cyan": (40, 210, 220),
    "blue": (30, 70, 220),
    "purple": (125, 40, 170),
    "pink": (255, 130, 190),
    "brown": (120, 70, 30),
    "white": (250, 250, 250),
    "gray": (135, 135, 135),
    "black": (15, 15, 15),
}
SIZES = {"small": 9.0, "medium": 13.0, "large": 18.0}
PLACES: dict[str, tuple[float, float]] = {
    "center": (32, 32),
    "left": (19, 32),
    "right": (45, 32),
    "top": (32, 19),
    "bottom": (32, 45),
    "top left": (19, 19),
    "top right": (45, 19),
    "bottom left": (19, 45),
    "bottom right": (45, 45),
}
# Where the first and the second of two stand.
PAIRS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "left of": ((17, 32), (47, 32)),
    "right of": ((47, 32), (17, 32)),
    "above": ((32, 17), (32, 47)),
    "below": ((32, 47), (32, 17)),
}
_PAIR_SIZES = {"small": 8.0, "medium": 11.0, "large": 14.0}
_MOVED, _GROWN = 1.5, 0.06  # pixels, share of the radius


@dataclass(frozen=True)
class Thing:
    """One shape. `size` is a key of SIZES."""

    shape: str
    color: str
    size: str


@dataclass(frozen=True)
class Scene:
    """One thing at a place (of PLACES), or two in a relation (of PAIRS), on a background."""

    things: tuple[Thing, ...]
    where: str
    background: str


def random_scene(rng: random.Random, pairs: float = 0.4) -> Scene:
    """Any scene in which nothing has the colour of the background; `pairs` is the share of two things."""
    background = rng.choice(tuple(COLORS))
    free = [color for color in COLORS if color != background]
    count = 2 if rng.random() < pairs else 1
    things = tuple(Thing(rng.choice(SHAPES), rng.choice(free), rng.choice(tuple(SIZES))) for _ in range(count))
    return Scene(things, rng.choice(tuple(PAIRS if count == 2 else PLACES)), background)


def draw(scenes: list[Scene], rng: random.Random) -> torch.Tensor:
    """The pictures, N x 3 x 64 x 64 from 0 to 1, each thing moved and grown a little by chance."""
    pictures = _colors([scene.background for scene in scenes])[:, :, None, None].expand(-1, -1, SIDE, SIDE).clone()
    for index in (0, 1):
        rows = [row for row, scene in enumerate(scenes) if len(scene.things) > index]
        if not rows:
            continue
        geometry = torch.tensor([_geometry(scenes[row], index, rng) for row in rows])
        kinds = torch.tensor([SHAPES.index(scenes[row].things[index].shape) for row in rows])
        cover = _cover(kinds, geometry)[:, None]
        paint = _colors([scenes[row].things[index].color for row in rows])[:, :, None, None]
        pictures[rows] = pictures[rows] * (1 - cover) + paint * cover
    return pictures


def _colors(names: list[str]) -> torch.Tensor:
    return torch.tensor([COLORS[name] for name in names], dtype=torch.float32) / 255


def _geometry(scene: Scene, index: int, rng: random.Random) -> tuple[float, float, float]:
    """x, y and radius in pixels."""
    one = len(scene.things) == 1
    x, y = PLACES[scene.where] if one else PAIRS[scene.where][index]
    radius = (SIZES if one else _PAIR_SIZES)[scene.things[index].size]
    if one and scene.where != "center":
        radius = min(radius, 15.0)
    return (
        x + rng.uniform(-_MOVED, _MOVED),
        y + rng.uniform(-_MOVED, _MOVED),
        radius * (1 + rng.uniform(-_GROWN, _GROWN)),
    )


def _cover(kinds: torch.Tensor, geometry: torch.Tensor) -> torch.Tensor:
    """How much of each pixel a shape covers, by its signed distance: N x 64 x 64."""
    axis = torch.arange(SIDE) + 0.5
    x = axis[None, None, :] - geometry[:, 0, None, None]
    y = axis[None, :, None] - geometry[:, 1, None, None]
    radius = geometry[:, 2, None, None]
    away = torch.sqrt(x * x + y * y)
    half = radius * 0.86
    square = torch.maximum(x.abs(), y.abs()) - half
    slope = math.sqrt(3) / 2
    triangle = torch.maximum(y - radius * 0.5, x.abs() * slope - y * 0.5 - radius * 0.5) * 1.0
    ring = (away - radius * 0.76).abs() - radius * 0.24
    every = torch.stack([away - radius, square, triangle, _star(x, y, radius * 1.1), ring], 1)
    chosen = every[torch.arange(len(kinds)), kinds]
    return (0.5 - chosen).clamp(0, 1)


def _star(x: torch.Tensor, y: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    """A star of five points, one of them up: folded to a tenth, its edge is one line."""
    tenth = math.pi / 5
    angle = torch.atan2(x, -y)
    folded = (torch.remainder(angle + tenth, 2 * tenth) - tenth).abs()
    away = torch.sqrt(x * x + y * y)
    across, along = away * torch.sin(folded), away * torch.cos(folded)
    inner = 0.42
    dent = (inner * math.sin(tenth), inner * math.cos(tenth))  # of a star of radius 1, whose point is at (0, 1)
    length = math.hypot(dent[0], 1 - dent[1])
    normal = ((1 - dent[1]) / length, dent[0] / length)
    return across * normal[0] + (along - radius) * normal[1]
