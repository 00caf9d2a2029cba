"""The painter in the box: what it makes of prompts, sizes, seeds, masks and pictures, and what it refuses."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from craton.engine.images import files
from craton.engine.images.abstract import AbstractPainter
from craton.engine.images.field import sample, spectrum
from craton.engine.images.opening import NotAnImageModel, open_painter
from craton.engine.images.painter import CannotPaint, Job, Painting
from craton.engine.images.request import decode, job_of
from craton.models.catalog.local import BOX
from tests.unit.dialects.image_bodies import png

PAINTER = open_painter(BOX / "image-mini-v1", 1)


def paint(**members: Any) -> Painting:
    return PAINTER.paint(
        Job(**{"texts": [("a sunset over the ocean", 1.0)], "width": 96, "height": 64, "seed": 7, **members})
    )


def half_mask() -> Any:
    mask = np.zeros((64, 96), np.float32)
    mask[:, :48] = 1
    return mask


def picture(color: tuple[int, int, int] = (30, 60, 200)) -> Any:
    """A disc of red on a ground of another colour."""
    made = np.zeros((64, 96, 3), np.uint8) + np.asarray(color, np.uint8)
    y, x = np.mgrid[:64, :96]
    made[(x - 48) ** 2 + (y - 32) ** 2 < 200] = (220, 20, 20)
    return made


def test_the_same_seed_gives_the_same_pixels() -> None:
    """A request can be repeated; another seed gives another picture, and each further picture has the next seed."""
    first, again, other = paint(), paint(), paint(seed=8)
    assert np.array_equal(first.pictures[0], again.pictures[0])
    assert not np.array_equal(first.pictures[0], other.pictures[0])
    three = paint(count=3)
    assert three.seeds == [7, 8, 9]
    assert np.array_equal(three.pictures[1], other.pictures[0])


@pytest.mark.parametrize(("width", "height"), [(96, 64), (64, 96), (101, 77), (640, 320)])
def test_sizes_are_honoured(width: int, height: int) -> None:
    """Any size comes out to the pixel."""
    assert paint(width=width, height=height).pictures[0].shape == (height, width, 3)


@pytest.mark.parametrize("change", [{"steps": 3}, {"guidance_scale": 1.0}, {"style": "neon-punk"},
                                    {"texts": [("a sunset over the ocean", 1.0), ("orange red", -1.0)]},
                                    {"texts": [("forest", 1.0)]}])  # fmt: skip
def test_every_parameter_means_something(change: dict[str, Any]) -> None:
    """Steps, guidance, style, negative prompt and prompt each change the picture."""
    assert not np.array_equal(paint().pictures[0], paint(**change).pictures[0])


def test_colours_follow_the_words() -> None:
    """A blue prompt is bluer than a red one, and a negative prompt pushes its colour away."""
    blue, red = (paint(texts=[(word, 1.0)]).pictures[0].mean(axis=(0, 1)) for word in ("blue", "red"))
    assert blue[2] > blue[0] + 40
    assert red[0] > red[2] + 40
    without = paint(texts=[("sunset", 1.0), ("red orange", -1.0)]).pictures[0].mean(axis=(0, 1))
    assert without[0] < paint(texts=[("sunset", 1.0)]).pictures[0].mean(axis=(0, 1))[0] - 20


def test_inpainting_leaves_the_rest_alone() -> None:
    """Pixels outside the mask stay as they were."""
    result = paint(task="inpaint", image=picture(), mask=half_mask()).pictures[0]
    assert np.abs(result[:, 48:].astype(int) - picture()[:, 48:]).max() <= 1
    assert np.abs(result[:, :40].astype(int) - picture()[:, :40]).mean() > 20


def test_erasing_fills_with_what_surrounds() -> None:
    """What lies under the mask becomes like its surroundings."""
    mask = (picture()[:, :, 0] > 100).astype(np.float32)
    result = paint(task="erase", image=picture(), mask=mask, grow_mask=3, width=None, height=None).pictures[0]
    assert np.abs(result.astype(int) - np.asarray([30, 60, 200])).max() < 40


def test_words_find_colours_and_say_so() -> None:
    """A search prompt that names a colour finds it, the answer says that it was emulated, and the mask comes if asked."""
    found = paint(task="search-and-recolor", image=picture(), search_prompt="the red ball", texts=[("green", 1.0)],
                  width=None, height=None, return_mask=True)  # fmt: skip
    assert found.emulated == ["search_prompt"]
    assert found.pictures[0][32, 48, 1] > found.pictures[0][32, 48, 0]
    assert np.abs(found.pictures[0][2, 2].astype(int) - picture()[2, 2]).max() <= 1
    assert found.mask is not None
    assert found.mask[32, 48] > 0.9 > 0.1 > found.mask[2, 2]


def test_backgrounds_become_transparent() -> None:
    """What stands out from the border is kept, the rest gets an alpha of 0."""
    result = paint(task="remove-background", image=picture(), width=None, height=None).pictures[0]
    assert result.shape == (64, 96, 4)
    assert (result[32, 48, 3], result[2, 2, 3]) == (255, 0)


def test_outpainting_widens_by_its_margins() -> None:
    """The picture keeps its place, and grows."""
    result = paint(task="outpaint", image=picture(), left=10, up=4, width=None, height=None).pictures[0]
    assert result.shape == (68, 106, 3)
    assert np.abs(result[20:60, 30:90].astype(int) - picture()[16:56, 20:80]).mean() < 3


def test_strength_decides_how_much_changes() -> None:
    """Strength 0 gives the picture back, and more of it changes the more is allowed."""
    changes = [
        np.abs(
            paint(task="image-to-image", image=picture(), strength=strength).pictures[0].astype(int) - picture()
        ).mean()
        for strength in (0.0, 0.4, 1.0)
    ]
    assert changes[0] < 1 < changes[1] < changes[2]


def test_upscaling() -> None:
    """Fast upscaling gives four times the sides; what such a task has no use for is told."""
    result = paint(task="upscale-fast", image=picture(), steps=30, style="anime", width=None, height=None)
    assert result.pictures[0].shape == (256, 384, 3)
    assert set(result.ignored) == {"steps", "style"}


def test_every_task_but_try_on_is_done() -> None:
    """Each task of the canon paints a picture; what no classical means can do is refused by name."""
    extra = {"style-transfer": {"style_image": picture((9, 200, 9))}, "outpaint": {"left": 8, "mask": None}}
    for task in sorted(PAINTER.tasks):
        members = {
            "task": task,
            "image": picture(),
            "mask": half_mask(),
            "width": None,
            "height": None,
            **extra.get(task, {}),
        }
        if task.startswith("upscale") and task != "upscale-fast":
            continue  # four megapixels each
        assert paint(**members).pictures[0].dtype == np.uint8
    with pytest.raises(CannotPaint, match="cannot do try-on"):
        paint(task="try-on", image=picture())


@pytest.mark.parametrize(("members", "param"), [({"width": 4096, "height": 4096}, "size"), ({"task": "inpaint"}, "image"),
                                                ({"task": "inpaint", "image": picture()}, "mask")])  # fmt: skip
def test_refusals_name_their_member(members: dict[str, Any], param: str) -> None:
    """What is too large or missing is refused by name."""
    with pytest.raises(CannotPaint) as caught:
        paint(**members)
    assert caught.value.param == param


def test_the_sampler_reaches_the_distribution_that_it_knows() -> None:
    """Samples have the mean that was asked for and the variance of the spectrum."""
    mean = np.zeros((1, 64, 64), np.float32) + 1.5
    drawn = np.stack([sample(mean, mean * 0, seed=seed, steps=60, guidance=1.0, roughness=0.3) for seed in range(40)])
    assert abs(float(drawn.mean()) - 1.5) < 0.02
    assert abs(float(drawn.var()) - 1.0) < 0.15
    assert spectrum(64, 64, 0.3)[0, 0] == 0


def body(**members: Any) -> bytes:
    return json.dumps({"prompt": "a", **members}).encode()


def test_requests_are_read() -> None:
    """OpenAI's members and the further ones become a job; the task follows from what is there."""
    job = job_of(decode(body(size="128x64", seed=3, negative_prompt="b", n=2, steps=9)))
    assert (job.task, job.width, job.height, job.seed, job.count, job.steps) == ("text-to-image", 128, 64, 3, 2, 9)
    assert job.texts == [("a", 1.0), ("b", -1.0)]
    image = base64.b64encode(png(8, 8)).decode()
    assert job_of(decode(body(image=image))).task == "image-to-image"
    assert job_of(decode(body(image=image, mask=image))).task == "inpaint"
    assert job_of(decode(body())).seed != job_of(decode(body())).seed


def test_masks_mean_what_their_polarity_says() -> None:
    """Black, white and transparent masks all come out as 1 where the picture is painted anew."""
    image, white = (base64.b64encode(png(8, 8, color)).decode() for color in ((1, 2, 3), (255, 255, 255)))
    clear = base64.b64encode(png(8, 8, (1, 2, 3, 0))).decode()
    for members, wanted in (
        ({"image": image, "mask": white}, 1.0),
        ({"image": image, "mask": white, "mask_paints": "black"}, 0.0),
        ({"image": clear, "mask_paints": "alpha"}, 1.0),
    ):
        mask = job_of(decode(body(**members))).mask
        assert mask is not None
        assert float(mask.mean()) == wanted


@pytest.mark.parametrize(("members", "param"), [({"steps": 0}, "steps"), ({"n": 11}, "n"), ({"size": "8"}, "size"),
                                                ({"image": "aGVsbG8="}, "image"), ({"response_format": "url"}, "response_format")])  # fmt: skip
def test_bad_requests_name_their_member(members: dict[str, Any], param: str) -> None:
    """What is out of range or no picture is refused by name."""
    with pytest.raises(CannotPaint) as caught:
        job_of(decode(body(**members)))
    assert caught.value.param == param


def test_files_of_every_format() -> None:
    """PNG is exact; JPEG and WebP are what they say; JPEG shows transparency as white."""
    exact = Image.open(io.BytesIO(files.written(picture(), "png")))
    assert np.array_equal(np.asarray(exact), picture())
    clear = np.zeros((8, 8, 4), np.uint8)
    jpeg = Image.open(io.BytesIO(files.written(clear, "jpeg")))
    assert (jpeg.format, jpeg.getpixel((4, 4))) == ("JPEG", (255, 255, 255))
    assert Image.open(io.BytesIO(files.written(clear, "webp"))).format == "WEBP"


def test_a_directory_of_something_else_is_refused(tmp_path: Any) -> None:
    """The text says what is missing."""
    with pytest.raises(NotAnImageModel, match="model_index.json is missing"):
        open_painter(tmp_path, 1)
    assert isinstance(PAINTER, AbstractPainter)
