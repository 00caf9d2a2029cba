"""The forms that a prompt can ask for, as fields from 0 to 1 over the picture.

Owns their shapes, one small function each, in one table. Coordinates run from -1 to 1 along the shorter side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from craton.engine.images.painter import Field

_Grid = NDArray[np.float64]
Form = Callable[[_Grid, _Grid, np.random.RandomState], _Grid]


def draw(forms: dict[str, float], height: int, width: int, seed: int) -> Field:
    """The weighted mean of the forms asked for; flat grey if there are none."""
    short = min(height, width)
    y = np.linspace(-height / short, height / short, height)[:, None] * np.ones((1, width))
    x = np.linspace(-width / short, width / short, width)[None, :] * np.ones((height, 1))
    total, drawn = 0.0, np.zeros((height, width))
    for name in sorted(forms):
        # Where a form lies belongs to the seed, as everything else that the prompt leaves open.
        choice = np.random.RandomState((seed * 2_654_435_761 + len(name) * 97 + ord(name[0])) % 2**32)
        drawn += forms[name] * FORMS[name](x, y, choice)
        total += forms[name]
    result = drawn / total if total else drawn + 0.5
    return result.astype(np.float32)


def _horizon(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    return 1 / (1 + np.exp(4 * (y - choice.uniform(-0.1, 0.35))))


def _disc(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    radius = np.hypot(x - choice.uniform(-0.3, 0.3), y - choice.uniform(-0.3, 0.2))
    disc: _Grid = 1 / (1 + np.exp(14 * (radius - choice.uniform(0.35, 0.6))))
    return disc


def _waves(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    bent = y + 0.18 * np.sin(choice.uniform(2, 4) * x + choice.uniform(0, 6))
    waves: _Grid = 0.5 + 0.5 * np.sin(choice.uniform(7, 11) * bent)
    return waves


def _stripes(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    angle = choice.uniform(-0.5, 0.5)
    stripes: _Grid = 0.5 + 0.5 * np.sin(16 * (x * np.cos(angle) + y * np.sin(angle)))
    return stripes


def _spiral(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    radius = np.hypot(x, y * 1.3)
    spiral: _Grid = np.exp(-radius) * (
        0.5 + 0.5 * np.sin(2 * np.arctan2(y, x) + 9 * np.sqrt(radius) + choice.uniform(0, 6))
    )
    return spiral


def _dots(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    field = np.zeros_like(x)
    for _ in range(40):
        size = choice.uniform(0.02, 0.09)
        away = np.hypot(x - choice.uniform(-1.6, 1.6), y - choice.uniform(-1.6, 1.6))
        field = np.maximum(field, np.exp(-((away / size) ** 2)))
    return field


def _peaks(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    ridge = np.zeros_like(x)
    for octave in range(1, 6):
        phase, speed = choice.uniform(0, 6), choice.uniform(1.5, 2.5) * octave
        ridge += np.abs(((speed * x / np.pi + phase) % 2) - 1) / octave
    result: _Grid = 1 / (1 + np.exp(-10 * (y - 0.55 + 0.55 * ridge)))
    return result


def _trees(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    trunks = np.zeros_like(x)
    for _ in range(9):
        place, thick = choice.uniform(-1.6, 1.6), choice.uniform(0.02, 0.06)
        trunks = np.maximum(trunks, np.exp(-(((x - place) / thick) ** 2)) * (y > choice.uniform(-0.9, 0.1)))
    crowns = 1 / (1 + np.exp(6 * (y - choice.uniform(-0.2, 0.1))))
    return np.clip(0.75 * crowns + 0.6 * trunks, 0, 1)


def _petals(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    x, y = x - choice.uniform(-0.2, 0.2), y - choice.uniform(-0.2, 0.2)
    count = choice.randint(5, 9)
    edge = 0.55 + 0.25 * np.cos(count * np.arctan2(y, x) + choice.uniform(0, 6))
    radius = np.hypot(x, y)
    return 1 / (1 + np.exp(12 * (radius - edge))) - 0.6 * np.exp(-((radius / 0.16) ** 2))


def _rays(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    x, y = x - choice.uniform(-0.5, 0.5), y - choice.uniform(-0.9, -0.2)
    rays: _Grid = (0.5 + 0.5 * np.cos(choice.randint(8, 15) * np.arctan2(y, x))) * np.exp(-0.5 * np.hypot(x, y))
    return rays


def _blocks(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    columns = np.floor((x + 2) * choice.uniform(3, 5)).astype(int) % 64
    heights = choice.uniform(-0.7, 0.5, size=64)
    windows = ((x * 26) % 1 < 0.5) & ((y * 20) % 1 < 0.5)
    return np.where(y > heights[columns], 0.25 + 0.45 * windows, 0.95)


def _clouds(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    return 0.5 + 0.25 * np.sin(2 * x + choice.uniform(0, 6)) * np.cos(2.5 * y + choice.uniform(0, 6))


def _arc(x: _Grid, y: _Grid, choice: np.random.RandomState) -> _Grid:
    return np.clip((np.hypot(x, y - 1.0) - 0.7) / 0.8, 0, 1)


FORMS: dict[str, Form] = {
    "arc": _arc,
    "blocks": _blocks,
    "clouds": _clouds,
    "disc": _disc,
    "dots": _dots,
    "horizon": _horizon,
    "peaks": _peaks,
    "petals": _petals,
    "rays": _rays,
    "spiral": _spiral,
    "stripes": _stripes,
    "trees": _trees,
    "waves": _waves,
}
