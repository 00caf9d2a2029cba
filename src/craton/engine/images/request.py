"""`POST /v1/images/generations`: the JSON that comes, checked, as a `Job`.

OpenAI's members and the further ones that Craton's gateway sends; unknown members are refused by name, since each
would change the picture. Owns ranges and the decoding of the pictures within.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from craton.engine.images import files
from craton.engine.images.painter import CannotPaint, Field, Job

Fraction = Annotated[float, Meta(ge=0, le=1)]
Margin = Annotated[int, Meta(ge=0, le=2000)]
Color = Annotated[str, Meta(pattern=r"^#[0-9A-Fa-f]{6}\Z")]


class Weighted(msgspec.Struct):
    text: str
    weight: float = 1.0


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may come. `output_format` is the files' format; pictures are base64 of PNG, JPEG or WebP files."""

    model: str = ""
    prompt: str = ""
    n: Annotated[int, Meta(ge=1, le=10)] = 1
    size: Annotated[str, Meta(pattern=r"^(auto|[1-9][0-9]{1,3}x[1-9][0-9]{1,3})\Z")] = "auto"
    quality: str | None = None
    style: str | None = None
    output_format: Literal["png", "jpeg", "webp"] = "png"
    response_format: Literal["b64_json"] = "b64_json"
    user: str | None = None
    task: str = ""
    negative_prompt: str | None = None
    weighted: list[Weighted] | None = None
    image: bytes | None = None
    further_images: list[bytes] = []
    style_image: bytes | None = None
    mask: bytes | None = None
    mask_paints: Literal["white", "black", "alpha"] = "white"
    return_mask: bool = False
    search_prompt: str | None = None
    seed: Annotated[int, Meta(ge=0, le=4_294_967_295)] | None = None
    steps: Annotated[int, Meta(ge=1, le=150)] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=50)] | None = None
    strength: Fraction | None = None
    control_strength: Fraction | None = None
    creativity: Fraction | None = None
    fidelity: Fraction | None = None
    composition_fidelity: Fraction | None = None
    style_strength: Fraction | None = None
    change_strength: Fraction | None = None
    grow_mask: Annotated[int, Meta(ge=0, le=100)] | None = None
    left: Margin = 0
    right: Margin = 0
    up: Margin = 0
    down: Margin = 0
    colors: list[Color] = []


_DECODER = msgspec.json.Decoder(Request)
_SAME = frozenset(Request.__struct_fields__) & frozenset(Job.__struct_fields__) - {
    "task", "image", "further_images", "style_image", "mask", "seed",
}  # fmt: skip


def decode(body: bytes) -> Request:
    """Raises CannotPaint that names the member at fault."""
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as fault:
        text, _, path = str(fault).partition(" - at `$")
        raise CannotPaint(text, path.strip(".`"), "invalid_value") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise CannotPaint("The body is not valid JSON", "", "invalid_json") from None


def job_of(request: Request) -> Job:
    """The job, with its pictures decoded. A seed that is missing is drawn. Raises CannotPaint."""
    job = Job(**{name: getattr(request, name) for name in _SAME})
    job.count = request.n
    job.seed = request.seed if request.seed is not None else secrets.randbelow(4_294_967_294) + 1
    job.task = request.task or ("inpaint" if request.mask else "image-to-image" if request.image else "text-to-image")
    job.texts = _texts(request)
    if request.size != "auto":
        job.width, job.height = (int(side) for side in request.size.split("x"))
    _add_pictures(job, request)
    return job


def _texts(request: Request) -> list[tuple[str, float]]:
    if request.weighted:
        return [(one.text, one.weight) for one in request.weighted]
    texts = [(request.prompt, 1.0)] if request.prompt else []
    return [*texts, (request.negative_prompt, -1.0)] if request.negative_prompt else texts


def _add_pictures(job: Job, request: Request) -> None:
    if request.image is not None:
        opened = files.opened(request.image, "image")
        job.image = files.pixels(opened)
        job.mask = _mask(request, opened.size, job.image)
    job.further_images = [files.pixels(files.opened(one, "further_images")) for one in request.further_images]
    if request.style_image is not None:
        job.style_image = files.pixels(files.opened(request.style_image, "style_image"))


def _mask(request: Request, size: tuple[int, int], image: Any) -> Field | None:
    """1 where the picture is painted anew, in the picture's size."""
    if request.mask is None:
        if request.mask_paints != "alpha":
            return None
        if image.shape[2] < 4:
            raise CannotPaint("'image' has no transparent pixels and there is no mask", "mask", "missing_field")
        transparent: Field = 1 - image[:, :, 3].astype(np.float32) / 255
        return transparent
    light = files.mask_of(files.opened(request.mask, "mask"), size)
    return 1 - light if request.mask_paints == "black" else light
