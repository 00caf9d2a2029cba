"""From a model directory to its painter: by `craton.json`, else by what lies there.

Owns the choice alone; a pipeline of `diffusers` is imported only when a directory is one.
"""

from __future__ import annotations

import json
from pathlib import Path

from craton.engine.images.painter import Painter

ABSTRACT = "craton.abstract"
SHAPES = "craton.shapes"


class NotAnImageModel(ValueError):
    """The directory holds nothing that paints; the text says what is missing."""


def open_painter(directory: Path, threads: int) -> Painter:
    """Raises NotAnImageModel, or ValueError for a pipeline that cannot be opened."""
    card = directory / "craton.json"
    kind = json.loads(card.read_bytes()).get("pipeline", "") if card.is_file() else ""
    if kind == ABSTRACT:
        from craton.engine.images.abstract import AbstractPainter

        return AbstractPainter(directory)
    if kind == SHAPES:
        from craton.engine.images.abstract import AbstractPainter
        from craton.engine.images.network import ShapeNetwork

        return AbstractPainter(directory, ShapeNetwork(directory, threads))
    if not (directory / "model_index.json").is_file():
        raise NotAnImageModel(f"{directory} is no pipeline of diffusers: model_index.json is missing")
    try:
        from craton.engine.images.diffusers_painter import DiffusersPainter

        return DiffusersPainter(directory, threads)
    except ImportError as error:
        raise NotAnImageModel(f"pipelines of diffusers need the extra craton[images]: {error}") from error
