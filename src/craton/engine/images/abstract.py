"""The painter in the box: prompts to abstract pictures on a bare processor, and every edit by classical means.

Owns the order of things: words to a palette and a composition, fields drawn by `field.sample`, decoded to colours,
then what the task wants done with picture and paint. Where a directory has a trained network and the prompt names a shape,
that draws instead. It never claims to see: what it finds by words in a picture is a colour, else what stands out, and its
answer says so (`emulated`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from craton.engine.images import edits, field, forms
from craton.engine.images.edits import Floats
from craton.engine.images.files import resized, scaled
from craton.engine.images.network import GUIDANCE, Asked, ShapeNetwork
from craton.engine.images.painter import CannotPaint, Field, Job, Painting, Pixels, unused
from craton.engine.images.words import PALETTE, TREATMENTS, Colors, Lexicon, Look, palette, to_colors

KIND = "craton.abstract"
_WORK_SIDE = 384  # fields are smooth: they are drawn this large and enlarged
_GUIDANCE = 7.0  # what callers mean by an ordinary cfg scale
_STEPS = 30
_UPSCALED_PIXELS = 4_194_304
_PAINTED = frozenset({"steps", "guidance_scale", "style"})
_MASKED = frozenset({"mask", "search_prompt", "grow_mask", "return_mask"})
_CARRIED: dict[str, frozenset[str]] = {
    "text-to-image": _PAINTED | {"width", "height"},
    "color-guided": _PAINTED | {"width", "height", "colors"},
    "style-guide": _PAINTED | {"width", "height"},
    "image-to-image": _PAINTED | {"width", "height", "strength", "further_images"},
    "variation": _PAINTED | {"width", "height", "strength", "further_images"},
    "control-sketch": _PAINTED | {"width", "height", "control_strength"},
    "control-structure": _PAINTED | {"width", "height", "control_strength"},
    "control-segmentation": _PAINTED | {"width", "height", "control_strength"},
    "inpaint": _PAINTED | _MASKED,
    "outpaint": _PAINTED | _MASKED | {"left", "right", "up", "down", "creativity"},
    "erase": _MASKED,
    "search-and-replace": _PAINTED | _MASKED,
    "search-and-recolor": _MASKED,
    "remove-background": frozenset(),
    "style-transfer": _PAINTED | {"style_image", "style_strength", "composition_fidelity", "change_strength"},
    "upscale-fast": frozenset(),
    "upscale-conservative": _PAINTED | {"creativity"},
    "upscale-creative": _PAINTED | {"creativity"},
}


class AbstractPainter:
    """One model directory with `words.json`, and what draws shapes, if something does."""

    def __init__(self, directory: Path, shapes: ShapeNetwork | None = None) -> None:
        self._shapes = shapes
        card = json.loads((directory / "craton.json").read_bytes())
        self._lexicon = Lexicon(directory / "words.json")
        self._width, self._height = int(card.get("width", 512)), int(card.get("height", 512))
        self._max_pixels = int(card.get("max_pixels", 4_194_304))
        self._tasks: dict[str, Callable[[Job, int, Painting], Pixels]] = {
            "text-to-image": self._text,
            "color-guided": self._text,
            "style-guide": self._text,
            "image-to-image": self._reworked,
            "variation": self._reworked,
            "control-sketch": self._controlled,
            "control-structure": self._controlled,
            "control-segmentation": self._controlled,
            "inpaint": self._inpainted,
            "outpaint": self._outpainted,
            "erase": self._erased,
            "search-and-replace": self._replaced,
            "search-and-recolor": self._recolored,
            "remove-background": self._cut_out,
            "style-transfer": self._restyled,
            "upscale-fast": self._upscaled,
            "upscale-conservative": self._upscaled,
            "upscale-creative": self._upscaled,
        }

    @property
    def tasks(self) -> frozenset[str]:
        return frozenset(self._tasks)

    def stats(self) -> dict[str, Any]:
        """Kind and sizes."""
        return {"kind": KIND, "width": self._width, "height": self._height, "max_pixels": self._max_pixels}

    def paint(self, job: Job) -> Painting:
        """Raises CannotPaint for a task or a size that it lacks."""
        if job.task not in self._tasks:
            raise CannotPaint(f"This model cannot do {job.task}", "task", "unsupported_task")
        if (job.width or self._width) * (job.height or self._height) > self._max_pixels:
            raise CannotPaint(f"'size' is more than {self._max_pixels} pixels", "size", "invalid_value")
        painting = Painting(pictures=[], seeds=[])
        for index in range(job.count):
            seed = (job.seed + index) % 2**32
            painting.pictures.append(self._tasks[job.task](job, seed, painting))
            painting.seeds.append(seed)
        painting.ignored += unused(job, _CARRIED[job.task])
        if job.style is not None and self._drawn(job) is not None and "style" not in painting.ignored:
            painting.ignored.append("style")
        if job.style is not None and job.style.lower() not in TREATMENTS and "style" not in painting.ignored:
            painting.ignored.append("style")
        return painting

    # --- paint --------------------------------------------------------------------------------------------------------

    def _drawn(self, job: Job) -> ShapeNetwork | None:
        """What draws the prompt, if it names a shape that something here has learned."""
        return self._shapes if self._shapes is not None and self._shapes.draws(job.prompt) else None

    def _draw(
        self,
        shapes: ShapeNetwork,
        job: Job,
        seed: int,
        over: Floats | None = None,
        strength: float = 1.0,
        mask: Field | None = None,
    ) -> Floats:
        """64 x 64 pixels of the prompt."""
        asked = Asked(
            prompt=job.prompt,
            negative=job.negative,
            steps=job.steps,
            guidance=None if job.guidance_scale is None else job.guidance_scale / _GUIDANCE * GUIDANCE,
            start=over,
            strength=strength,
            mask=mask,
        )
        return shapes.paint(asked, seed)

    def _paint(self, job: Job, seed: int, width: int, height: int, colors: Colors | None = None) -> Floats:
        """A picture of the prompt in this size."""
        shapes = self._drawn(job)
        if shapes is not None and colors is None:
            return edits.framed(self._draw(shapes, job, seed), width, height)
        wanted = self._lexicon.look([text for text in job.texts if text[1] > 0])
        unwanted = self._lexicon.look([text for text in job.texts if text[1] < 0])
        if job.style is not None:
            wanted.treat(job.style)
        colors = palette(wanted, unwanted) if colors is None else _dark_to_light(colors)
        shrink = min(1.0, _WORK_SIDE / max(width, height))
        rows, columns = max(8, round(height * shrink)), max(8, round(width * shrink))
        logits = field.sample(
            _composition(wanted, rows, columns, seed),
            _composition(unwanted, rows, columns, seed),
            seed=seed,
            steps=job.steps or _STEPS,
            guidance=(_GUIDANCE if job.guidance_scale is None else job.guidance_scale) / _GUIDANCE,
            roughness=float(np.clip(0.12 + wanted.roughness, 0, 0.9)),
        )
        if job.style == "pixel-art":
            logits = np.stack([scaled(one, max(8, columns // 6), max(8, rows // 6)) for one in logits])
            small = edits.to_pixels(_decoded(logits, colors))
            return edits.to_floats(np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST)))
        return _decoded(np.stack([scaled(one, width, height) for one in logits]), colors)

    def _text(self, job: Job, seed: int, painting: Painting) -> Pixels:
        colors = None
        if job.task == "color-guided" and job.colors:
            colors = to_colors((job.colors * PALETTE)[: max(PALETTE, len(job.colors))])
        elif job.image is not None:
            colors = edits.palette_of([edits.to_floats(job.image)])
        width, height = job.width or self._width, job.height or self._height
        return edits.to_pixels(self._paint(job, seed, width, height, colors))

    def _over(self, job: Job, seed: int, picture: Floats) -> Floats:
        height, width = picture.shape[:2]
        return self._paint(job, seed, width, height)

    # --- with a picture -----------------------------------------------------------------------------------------------

    def _reworked(self, job: Job, seed: int, painting: Painting) -> Pixels:
        """Coarse shapes give way first, contours last."""
        picture = edits.to_floats(self._sized(job))
        others = [edits.to_floats(one) for one in job.further_images]
        strength = 0.65 if job.strength is None else job.strength
        shapes = self._drawn(job)
        if shapes is not None:
            drawn = self._draw(shapes, job, seed, picture, strength)
            return edits.to_pixels(edits.stretched(drawn, picture.shape[1], picture.shape[0]))
        colors = None if job.prompt else edits.palette_of([picture, *others])
        paint = self._paint(job, seed, picture.shape[1], picture.shape[0], colors)
        coarse = edits.blurred(picture, max(picture.shape) / 64)
        return edits.to_pixels(coarse * (1 - strength) + paint * strength + (picture - coarse) * (1 - strength**2))

    def _controlled(self, job: Job, seed: int, painting: Painting) -> Pixels:
        picture = edits.to_floats(self._sized(job))
        strength = 0.7 if job.control_strength is None else job.control_strength
        paint = self._over(job, seed, picture)
        if job.task == "control-sketch":
            return edits.to_pixels(paint * (1 - strength * edits.edges(picture)[:, :, None]))
        light = edits.luma(picture if job.task == "control-structure" else edits.blurred(picture, 4.0))
        shaded = paint * (0.35 + 1.3 * light[:, :, None])
        return edits.to_pixels(paint * (1 - strength) + shaded * strength)

    def _inpainted(self, job: Job, seed: int, painting: Painting) -> Pixels:
        picture = edits.to_floats(_given(job))
        mask = self._mask(job, picture, painting)
        if not job.prompt:
            return edits.to_pixels(edits.filled(picture, mask))
        return edits.to_pixels(edits.mixed(picture, self._within(job, seed, picture, mask), mask))

    def _within(self, job: Job, seed: int, picture: Floats, mask: Field) -> Floats:
        """What the masked part becomes, in the picture's size; the network sees what is around it."""
        shapes = self._drawn(job)
        if shapes is None:
            return self._over(job, seed, picture)
        drawn = self._draw(shapes, job, seed, picture, mask=mask)
        return edits.stretched(drawn, picture.shape[1], picture.shape[0])

    def _outpainted(self, job: Job, seed: int, painting: Painting) -> Pixels:
        picture = edits.to_floats(_given(job))
        if not any((job.left, job.right, job.up, job.down)):
            mask = self._mask(job, picture, painting)
            return edits.to_pixels(edits.mixed(picture, self._over(job, seed, picture), mask))
        margins = ((job.up, job.down), (job.left, job.right))
        wide = np.pad(picture, (*margins, (0, 0)), mode="edge")
        if wide.shape[0] * wide.shape[1] > 4 * self._max_pixels:
            raise CannotPaint("The picture would become too large", "left", "invalid_value")
        outside = np.pad(np.zeros(picture.shape[:2], np.float32), margins, constant_values=1.0)
        creativity = 0.5 if job.creativity is None else job.creativity
        paint = (
            self._over(job, seed, wide)
            if job.prompt
            else self._paint(job, seed, wide.shape[1], wide.shape[0], edits.palette_of([picture]))
        )
        beyond = edits.blurred(wide, max(wide.shape) / 40) * (1 - creativity) + paint * creativity
        return edits.to_pixels(
            edits.mixed(wide, beyond, np.maximum(edits.blurred(outside, 6.0) * outside, outside * 0.5))
        )

    def _erased(self, job: Job, seed: int, painting: Painting) -> Pixels:
        picture = edits.to_floats(_given(job))
        return edits.to_pixels(edits.filled(picture, self._mask(job, picture, painting)))

    def _replaced(self, job: Job, seed: int, painting: Painting) -> Pixels:
        picture = edits.to_floats(_given(job))
        mask = self._mask(job, picture, painting)
        return edits.to_pixels(edits.mixed(picture, self._within(job, seed, picture, mask), mask))

    def _recolored(self, job: Job, seed: int, painting: Painting) -> Pixels:
        picture = edits.to_floats(_given(job))
        mask = self._mask(job, picture, painting)
        named = self._lexicon.colors_of(job.prompt)
        color = named[0] if len(named) else palette(self._lexicon.look(job.texts))[PALETTE // 2]
        return edits.to_pixels(edits.mixed(picture, edits.recolored(picture, color), mask))

    def _cut_out(self, job: Job, seed: int, painting: Painting) -> Pixels:
        picture = _given(job)
        kept = edits.foreground(edits.to_floats(picture))
        return np.dstack([picture[:, :, :3], (kept * 255).astype(np.uint8)])

    def _restyled(self, job: Job, seed: int, painting: Painting) -> Pixels:
        picture = edits.to_floats(_given(job))
        if job.style_image is None:
            raise CannotPaint("'style_image' is missing", "style_image", "missing_field")
        style = edits.to_floats(job.style_image)
        style_strength = 1.0 if job.style_strength is None else job.style_strength
        fidelity = 0.9 if job.composition_fidelity is None else job.composition_fidelity
        change = 0.9 if job.change_strength is None else job.change_strength
        restyled = edits.with_statistics(picture, style)
        paint = self._paint(job, seed, picture.shape[1], picture.shape[0], edits.palette_of([style]))
        restyled = restyled * fidelity + paint * (1 - fidelity)
        return edits.to_pixels(picture * (1 - style_strength * change) + restyled * style_strength * change)

    def _upscaled(self, job: Job, seed: int, painting: Painting) -> Pixels:
        picture = _given(job)
        height, width = picture.shape[:2]
        factor = 4.0 if job.task == "upscale-fast" else max(1.0, (_UPSCALED_PIXELS / (height * width)) ** 0.5)
        larger = edits.to_floats(resized(picture, round(width * factor), round(height * factor)))
        if job.task == "upscale-fast":
            return edits.to_pixels(edits.sharpened(larger, 0.4))
        creativity = (0.3 if job.task == "upscale-creative" else 0.1) if job.creativity is None else job.creativity
        paint = self._over(job, seed, larger)
        return edits.to_pixels(edits.sharpened(larger, 0.6) * (1 - creativity / 4) + paint * creativity / 4)

    # --- what a task works on -----------------------------------------------------------------------------------------

    def _sized(self, job: Job) -> Pixels:
        picture = _given(job)
        return resized(picture, job.width or picture.shape[1], job.height or picture.shape[0])

    def _mask(self, job: Job, picture: Floats, painting: Painting) -> Field:
        """The mask given, or what the words may mean; for outpainting, words name what stays."""
        if job.mask is not None:
            mask = scaled(job.mask, picture.shape[1], picture.shape[0])
        elif job.search_prompt is not None:
            if "search_prompt" not in painting.emulated:
                painting.emulated.append("search_prompt")
            named = self._lexicon.colors_of(job.search_prompt)
            mask = edits.like_colors(picture, named) if len(named) else edits.foreground(picture)
            if float(mask.mean()) < 0.005:
                mask = edits.foreground(picture)
            mask = 1 - mask if job.task == "outpaint" else mask
        else:
            raise CannotPaint("'mask' is missing", "mask", "missing_field")
        mask = edits.grown(np.clip(mask, 0, 1).astype(np.float32), job.grow_mask or 0)
        if job.return_mask:
            painting.mask = mask
        return mask


def _given(job: Job) -> Pixels:
    if job.image is None:
        raise CannotPaint("'image' is missing", "image", "missing_field")
    return job.image


def _composition(look: Look, height: int, width: int, seed: int) -> field.Fields:
    """The mean of each palette colour's field: high where the form is as light as the colour's place."""
    if not look.forms:
        return np.zeros((PALETTE, height, width), np.float32)
    form = forms.draw(look.forms, height, width, seed)
    places = np.arange(PALETTE, dtype=np.float32)[:, None, None]
    result: field.Fields = 2.8 * np.exp(-(((form[None] * (PALETTE - 1) - places) / 0.9) ** 2)).astype(np.float32)
    return result


def _decoded(logits: field.Fields, colors: Colors) -> Floats:
    """Fields → colours: each pixel a mixture of the palette, with a little light from the upper left."""
    sharp = np.exp(3.0 * (logits - logits.max(axis=0)))
    shares = sharp / sharp.sum(axis=0)
    picture = np.einsum("khw,kc->hwc", shares, colors, optimize=True)
    down, right = np.gradient(np.einsum("khw,k->hw", shares, np.arange(len(shares), dtype=np.float32)))
    slope = -(down + right)
    light = 1 + 0.12 * np.clip(slope / max(float(np.percentile(np.abs(slope), 99)), 1e-4), -1, 1)
    result: Floats = np.clip(picture * light[:, :, None], 0, 1).astype(np.float32)
    return result


def _dark_to_light(colors: Colors) -> Colors:
    order = np.argsort(edits.luma(colors[None])[0], kind="stable")
    spread = np.linspace(0, len(order) - 1, PALETTE).round().astype(int)
    spaced: Colors = colors[order[spread]]
    return spaced
