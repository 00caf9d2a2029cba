"""Pipelines of `diffusers` from a directory: Stable Diffusion, SDXL, SD3, Flux and whatever else `AutoPipeline` opens.

Owns the opening (safetensors only, no code from the directory, nothing fetched), which tasks a pipeline has, and the
parameters that its call takes: what it does not take is told (`ignored`), a task that it lacks is refused. Needs the
extra craton[images].
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

from craton.engine.images import edits
from craton.engine.images.files import resized, scaled
from craton.engine.images.painter import CannotPaint, Field, Job, Painting, Pixels, unused

_PAINTED = frozenset({"steps", "guidance_scale", "width", "height", "style"})
_CARRIED: dict[str, frozenset[str]] = {
    "text-to-image": _PAINTED,
    "image-to-image": _PAINTED | {"strength"},
    "variation": _PAINTED | {"strength"},
    "inpaint": _PAINTED | {"strength", "grow_mask"},
    "erase": _PAINTED | {"grow_mask"},
    "outpaint": _PAINTED | {"left", "right", "up", "down", "grow_mask"},
}
_OPENING: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "low_cpu_mem_usage": False}
_FROM_PICTURE = ("image-to-image", "variation")
_MASKED = ("inpaint", "erase", "outpaint")


class DiffusersPainter:
    """One directory with `model_index.json`.

    Raises ValueError if the directory is no pipeline that can be opened, ImportError without the extra.
    """

    def __init__(self, directory: Path, threads: int) -> None:
        import torch
        from diffusers import AutoPipelineForText2Image
        from diffusers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        torch.set_num_threads(threads)
        self._torch = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if self._device == "cuda" else torch.float32
        open_directory: Any = AutoPipelineForText2Image.from_pretrained
        try:
            opened = open_directory(str(directory), **_OPENING, dtype=dtype)
        except (OSError, KeyError, ValueError) as fault:
            raise ValueError(f"{directory} cannot be opened as a pipeline: {fault}") from fault
        self._text = opened.to(self._device)
        self._text.set_progress_bar_config(disable=True)
        self._from_picture, self._inpaint = self._variants()
        self._step = self._divisor()

    @property
    def tasks(self) -> frozenset[str]:
        found = {"text-to-image"}
        found |= set(_FROM_PICTURE) if self._from_picture is not None else set()
        return frozenset(found | (set(_MASKED) if self._inpaint is not None else set()))

    def stats(self) -> dict[str, Any]:
        """Kind, device and tasks."""
        return {"kind": type(self._text).__name__, "device": self._device, "tasks": sorted(self.tasks)}

    def paint(self, job: Job) -> Painting:
        """Raises CannotPaint for what the pipeline has no means for."""
        if job.task not in self.tasks:
            raise CannotPaint(f"This model cannot do {job.task}", "task", "unsupported_task")
        painting = Painting(pictures=[], seeds=[], ignored=unused(job, _CARRIED[job.task]))
        pipeline = self._pipeline(job)
        arguments = self._arguments(pipeline, job, painting)
        crop = self._add_pictures(arguments, job)
        filtered = set()
        for index in range(job.count):
            seed = (job.seed + index) % 2**32
            generator = self._torch.Generator("cpu").manual_seed(seed)
            try:
                found = pipeline(**arguments, generator=generator)
            except ValueError as fault:
                raise CannotPaint(f"The pipeline refused the request: {_first_line(fault)}", "", "refused") from fault
            painting.pictures.append(_cropped(np.asarray(found.images[0].convert("RGB")), *crop))
            painting.seeds.append(seed)
            if any(getattr(found, "nsfw_content_detected", None) or ()):
                filtered.add(index)
        painting.filtered = frozenset(filtered)
        return painting

    def _variants(self) -> tuple[Any | None, Any | None]:
        from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

        found: list[Any | None] = []
        for kind in (AutoPipelineForImage2Image, AutoPipelineForInpainting):
            try:
                made = kind.from_pipe(self._text)
                made.set_progress_bar_config(disable=True)
            except (ValueError, TypeError, AttributeError):  # the family has none, or needs other parts
                made = None
            found.append(made)
        return found[0], found[1]

    def _divisor(self) -> int:
        """What a side must be a multiple of: latents are that much smaller, and halved on their way through a UNet."""
        scale = int(getattr(self._text, "vae_scale_factor", 8))
        network = getattr(self._text, "unet", None)
        if network is None:
            return scale * 2
        return scale << (len(network.config.block_out_channels) - 1)

    def _pipeline(self, job: Job) -> Any:
        if job.task in _FROM_PICTURE:
            return self._from_picture
        return self._inpaint if job.task in _MASKED else self._text

    def _arguments(self, pipeline: Any, job: Job, painting: Painting) -> dict[str, Any]:
        takes = inspect.signature(pipeline.__call__).parameters
        prompt = job.prompt
        if job.style is not None:
            prompt = f"{prompt}, {job.style.replace('-', ' ').replace('_', ' ').lower()} style".lstrip(", ")
            painting.emulated.append("style")
        if any(abs(weight) != 1 for _, weight in job.texts):
            painting.ignored.append("weighted")
        arguments: dict[str, Any] = {"prompt": prompt}
        wanted = {"negative_prompt": job.negative or None, "guidance_scale": job.guidance_scale,
                  "num_inference_steps": job.steps, "strength": job.strength}  # fmt: skip
        for name, value in wanted.items():
            if value is None:
                continue
            if name in takes:
                arguments[name] = value
            else:
                painting.ignored.append({"num_inference_steps": "steps"}.get(name, name))
        if job.negative and "true_cfg_scale" in takes:  # Flux needs a scale of its own for it
            arguments["true_cfg_scale"] = job.guidance_scale or 4.0
        if job.task in _FROM_PICTURE and "strength" in takes:
            arguments.setdefault("strength", 0.65)
        return arguments

    def _add_pictures(self, arguments: dict[str, Any], job: Job) -> tuple[int, int]:
        """Put pictures and sizes among the arguments; the (width, height) to crop the answer to."""
        from PIL import Image

        if job.image is None:
            if job.task != "text-to-image":
                raise CannotPaint("'image' is missing", "image", "missing_field")
            if job.width is None and job.height is None:
                return (0, 0)
            width, height = job.width or job.height or 0, job.height or job.width or 0
            arguments |= {"width": self._up(width), "height": self._up(height)}
            return width, height
        picture, mask = _canvas(job)
        width, height = job.width or picture.shape[1], job.height or picture.shape[0]
        size = self._up(width), self._up(height)
        arguments["image"] = Image.fromarray(resized(picture[:, :, :3], *size))
        if job.task in _MASKED:
            if mask is None:
                raise CannotPaint("'mask' is missing", "mask", "missing_field")
            grown = edits.grown(np.clip(mask, 0, 1), job.grow_mask or 0)
            arguments["mask_image"] = Image.fromarray((scaled(grown, *size).clip(0, 1) * 255).astype(np.uint8))
            arguments |= {"width": size[0], "height": size[1]}
        return width, height

    def _up(self, side: int) -> int:
        """The next size that the pipeline can paint; what is over is cut off."""
        return -(-side // self._step) * self._step


def _canvas(job: Job) -> tuple[Pixels, Field | None]:
    """The picture, wider by the margins of an outpainting, and its mask."""
    picture = job.image
    if picture is None:
        raise CannotPaint("'image' is missing", "image", "missing_field")
    margins = ((job.up, job.down), (job.left, job.right))
    if not any((job.left, job.right, job.up, job.down)):
        return picture, job.mask
    inner = np.zeros(picture.shape[:2], np.float32)
    return np.pad(picture, (*margins, (0, 0)), mode="edge"), np.pad(inner, margins, constant_values=1.0)


def _cropped(picture: Pixels, width: int, height: int) -> Pixels:
    """The middle of a picture, if it is larger than this."""
    if not width or picture.shape[:2] == (height, width):
        return picture
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def _first_line(fault: Exception) -> str:
    return str(fault).partition("\n")[0][:200]
