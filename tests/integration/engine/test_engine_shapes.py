"""The trained painter: its export, its sampler beside diffusers' own, and the tasks and prompts that it is given.

The weights are as they begin: what is shown holds for any. How well trained ones draw is `recipes.image.score`'s to say.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from craton.engine.images.network import Asked, ShapeNetwork, latents_of
from craton.engine.images.opening import open_painter
from craton.engine.images.painter import Job, Painter

pytestmark = pytest.mark.skipif(find_spec("diffusers") is None, reason="diffusers is not installed")
PROMPT = "a large red circle on a blue background"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from recipes.image.export import export

    made = tmp_path_factory.mktemp("shapes")
    export(made / "no-run", made / "model")
    return made / "model"


@pytest.fixture(scope="module")
def network(directory: Path) -> ShapeNetwork:
    return ShapeNetwork(directory, 1)


@pytest.fixture(scope="module")
def painter(directory: Path) -> Painter:
    return open_painter(directory, 1)


def job(**members: Any) -> Job:
    return Job(**{"texts": [(PROMPT, 1.0)], "width": 96, "height": 64, "seed": 5, "steps": 2, **members})


def picture() -> Any:
    made = np.full((64, 96, 3), 200, np.uint8)
    made[16:48, 32:64] = (220, 30, 35)
    return made


def half() -> Any:
    mask = np.zeros((64, 96), np.float32)
    mask[:, :48] = 1
    return mask


def test_diffusers_paints_the_same_picture(directory: Path, network: ShapeNetwork) -> None:
    """From the same noise, with the pipeline that the directory is; so the graphs hold the pipeline's weights."""
    import torch
    from diffusers import StableDiffusionPipeline

    how: Any = {"local_files_only": True, "use_safetensors": True, "dtype": torch.float32}
    opened: Any = StableDiffusionPipeline.from_pretrained(str(directory), **how)
    opened.set_progress_bar_config(disable=True)
    noise = np.random.default_rng(3).standard_normal((4, 16, 16), np.float32)
    given = {"latents": torch.from_numpy(noise)[None], "num_inference_steps": 5, "guidance_scale": 3.0}
    theirs = opened(PROMPT, **given, output_type="np")
    ours = network.paint_from(noise, Asked(prompt=PROMPT, steps=5, guidance=3.0))
    assert np.abs(theirs.images[0] - ours).max() < 0.02


def test_latents_are_the_pipelines_own(directory: Path) -> None:
    """The encoder was set by hand, and the engine computes it without a graph."""
    import torch
    from diffusers import AutoencoderTiny

    opened: Any = AutoencoderTiny.from_pretrained(str(directory / "vae"), local_files_only=True)
    shown = np.random.default_rng(1).random((64, 64, 3), np.float32)
    with torch.no_grad():
        theirs = opened.encode(torch.from_numpy(shown).permute(2, 0, 1)[None] * 2 - 1).latents[0].numpy()
    assert np.allclose(theirs, latents_of(shown), atol=2e-2)


def test_the_same_seed_gives_the_same_pixels(painter: Painter) -> None:
    """Another seed, guidance or number of steps does not, and the size is what was asked."""
    first = painter.paint(job()).pictures[0]
    assert first.shape == (64, 96, 3)
    assert np.array_equal(first, painter.paint(job()).pictures[0])
    for change in ({"seed": 6}, {"guidance_scale": 20.0}, {"steps": 4}, {"texts": [(PROMPT, 1.0), ("green", -1.0)]}):
        assert not np.array_equal(first, painter.paint(job(**change)).pictures[0])


def test_outside_a_mask_nothing_changes(painter: Painter) -> None:
    """Inpainting leaves the rest as it was, to the pixel."""
    found = painter.paint(job(task="inpaint", image=picture(), mask=half())).pictures[0]
    assert np.array_equal(found[:, 48:], picture()[:, 48:])
    assert not np.array_equal(found[:, :48], picture()[:, :48])


def test_strength_says_how_much_stays(painter: Painter) -> None:
    """A weak strength stays nearer to the picture than a strong one."""
    weak, strong = (
        painter.paint(job(task="image-to-image", image=picture(), steps=10, strength=strength)).pictures[0].astype(int)
        for strength in (0.1, 1.0)
    )
    assert np.abs(weak - picture()).mean() < np.abs(strong - picture()).mean()


def test_every_task_of_the_box_is_left(painter: Painter) -> None:
    """What the painter without a network does, this one does too, also where the prompt names a shape."""
    margins = {"right": 16}
    for task in sorted(painter.tasks):
        members: dict[str, Any] = {"image": picture(), "mask": half()} if task != "text-to-image" else {}
        members |= {"style_image": picture()} if task == "style-transfer" else {}
        members |= margins if task == "outpaint" else {}
        members |= {"width": None, "height": None} if task.startswith("upscale") else {}
        found = painter.paint(job(task=task, **members)).pictures[0]
        assert found.ndim == 3


@pytest.mark.parametrize(
    "prompt",
    ["circle " * 1_500, "a circle, \x00 \u202e 円 💥", "star of none of these words zxqv", "CIRCLE!!!", "ring\n" * 60],
)
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (320, 64)])
def test_any_prompt_in_any_size(painter: Painter, prompt: str, size: tuple[int, int]) -> None:
    """Endless, foreign, strange: a picture of the size asked."""
    found = painter.paint(job(texts=[(prompt, 1.0)], width=size[0], height=size[1])).pictures[0]
    assert found.shape == (size[1], size[0], 3)


def test_other_subjects_are_painted_as_before(painter: Painter, directory: Path) -> None:
    """A prompt that names no shape goes to the painter without a network, and an empty one too."""
    for prompt in ("a sunset over the ocean", ""):
        texts = [(prompt, 1.0)] if prompt else []
        found = painter.paint(job(texts=texts)).pictures[0]
        assert found.shape == (64, 96, 3)
        assert not ShapeNetwork(directory, 1).draws(prompt)


def test_a_directory_without_a_graph_is_refused(directory: Path, tmp_path: Path) -> None:
    """By the name of what is missing."""
    import shutil

    shutil.copytree(directory, tmp_path / "model")
    (tmp_path / "model" / "unet" / "model.onnx").unlink()
    with pytest.raises(OSError, match=r"unet.model\.onnx is missing"):
        open_painter(tmp_path / "model", 1)
