"""Pipelines of diffusers behind the engine's painter, with the tiny one that the recipe builds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from craton.engine.images.opening import open_painter
from craton.engine.images.painter import CannotPaint, Job, Painter

# Looked for and not loaded: who only collects the tests does not wait for it.
pytestmark = pytest.mark.skipif(find_spec("diffusers") is None, reason="diffusers is not installed")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from recipes.tiny_image import build

    made = tmp_path_factory.mktemp("tiny") / "model"
    build.build(made)
    return made


@pytest.fixture(scope="module")
def painter(directory: Path) -> Painter:
    return open_painter(directory, 1)


def job(**members: Any) -> Job:
    return Job(**{"texts": [("red", 1.0)], "width": 64, "height": 48, "seed": 5, "steps": 2, **members})


def test_seeds_decide(painter: Painter) -> None:
    """The same seed gives the same pixels, another one others; the size holds though latents are coarser."""
    first, again = painter.paint(job(width=60, height=50)), painter.paint(job(width=60, height=50))
    assert first.pictures[0].shape == (50, 60, 3)
    assert np.array_equal(first.pictures[0], again.pictures[0])
    assert not np.array_equal(first.pictures[0], painter.paint(job(width=60, height=50, seed=6)).pictures[0])


@pytest.mark.parametrize("change", [{"steps": 4}, {"guidance_scale": 1.0}, {"texts": [("red", 1.0), ("blue", -1.0)]}])
def test_parameters_reach_the_pipeline(painter: Painter, change: dict[str, Any]) -> None:
    """Steps, cfg scale and negative prompt change the picture, and none of them is ignored."""
    found = painter.paint(job(**change))
    assert found.ignored == []
    assert not np.array_equal(found.pictures[0], painter.paint(job()).pictures[0])


def test_pictures_and_masks(painter: Painter) -> None:
    """Image to image, inpainting and outpainting run on what the pipeline is made of."""
    image = painter.paint(job()).pictures[0]
    mask = np.ones((48, 64), np.float32)
    for task, extra, shape in (
        ("image-to-image", {"strength": 0.9}, (48, 64, 3)),
        ("inpaint", {"mask": mask, "strength": 1.0}, (48, 64, 3)),
        ("outpaint", {"right": 16}, (48, 80, 3)),
    ):
        found = painter.paint(job(task=task, image=image, width=None, height=None, steps=3, **extra))
        assert found.pictures[0].shape == shape


def test_what_a_pipeline_cannot_is_refused_or_told(painter: Painter) -> None:
    """A task that it lacks is refused; weights and control strength are told to be ignored."""
    with pytest.raises(CannotPaint, match="cannot do remove-background"):
        painter.paint(job(task="remove-background"))
    found = painter.paint(job(texts=[("red", 0.4)], control_strength=0.5, style="anime"))
    assert set(found.ignored) == {"weighted", "control_strength"}
    assert found.emulated == ["style"]


def test_a_broken_pipeline_is_refused(directory: Path, tmp_path: Path) -> None:
    """A directory without its weights says so at the start."""
    (tmp_path / "model_index.json").write_bytes((directory / "model_index.json").read_bytes())
    with pytest.raises(ValueError, match="cannot be opened as a pipeline"):
        open_painter(tmp_path, 1)
