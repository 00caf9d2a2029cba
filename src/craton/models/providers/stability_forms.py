"""Stability's v2beta REST API: which path a request goes to, and the fields of its form.

Owns the tables of paths and fields and the choice among the generating models; sends nothing. Source: Stability's
API reference, v2beta (generate, edit, control, upscale).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from craton.models.canon.image import ImageRequest
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.images import sizes
from craton.models.dialects.images.dialect import cannot_do
from craton.models.dialects.images.masks import mask_painting
from craton.models.dialects.images.members import drop_rest
from craton.models.dialects.images.stability_reply import definite_seed
from craton.models.providers.multipart import Part

ROOT = "/v2beta/stable-image/"
_FILES = frozenset({"image", "mask", "style_image"})
_ENDING = ("seed", "output_format")
_STYLED = (*_ENDING, "negative", "style")


@dataclass(frozen=True, slots=True)
class Form:
    """One service: its path and the canonical members that it takes; `names` where it calls them otherwise."""

    path: str
    members: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    waits: bool = False


_NAMES = {"negative": "negative_prompt", "style": "style_preset", "find": "search_prompt"}

GENERATE: dict[str, Form] = {
    "ultra": Form("generate/ultra", ("prompt", "aspect_ratio", "image", "strength", *_STYLED)),
    "core": Form("generate/core", ("prompt", "aspect_ratio", *_STYLED)),
    "sd3": Form("generate/sd3", ("prompt", "aspect_ratio", "image", "strength", "cfg_scale", *_STYLED)),
}
TASKS: dict[str, Form] = {
    "inpaint": Form("edit/inpaint", ("image", "mask", "prompt", "grow_mask", *_STYLED)),
    "outpaint": Form("edit/outpaint", ("image", "left", "right", "up", "down", "creativity", "prompt", *_ENDING, "style")),
    "erase": Form("edit/erase", ("image", "mask", "grow_mask", *_ENDING)),
    "search-and-replace": Form("edit/search-and-replace", ("image", "prompt", "find", "grow_mask", *_STYLED)),
    "search-and-recolor": Form("edit/search-and-recolor", ("image", "prompt", "find", "grow_mask", *_STYLED),
                               {"find": "select_prompt"}),
    "remove-background": Form("edit/remove-background", ("image", "output_format")),
    "control-sketch": Form("control/sketch", ("image", "prompt", "control_strength", *_STYLED)),
    "control-structure": Form("control/structure", ("image", "prompt", "control_strength", *_STYLED)),
    "style-guide": Form("control/style", ("image", "prompt", "aspect_ratio", "fidelity", *_STYLED)),
    "style-transfer": Form(
        "control/style-transfer",
        ("image", "style_image", "prompt", "negative", "style_strength", "composition_fidelity", "change_strength", *_ENDING),
        {"image": "init_image"}),
    "upscale-fast": Form("upscale/fast", ("image", "output_format")),
    "upscale-conservative": Form("upscale/conservative", ("image", "prompt", "negative", "creativity", *_ENDING)),
    "upscale-creative": Form("upscale/creative", ("image", "prompt", "creativity", *_STYLED), waits=True),
}  # fmt: skip
# A part of the upstream's name of the model → the generating service, and what it is to say under `model`.
_GENERATORS: tuple[tuple[str, str, str], ...] = (
    ("ultra", "ultra", ""),
    ("core", "core", ""),
    ("sd3.5-large-turbo", "sd3", "sd3.5-large-turbo"),
    ("sd3.5-medium", "sd3", "sd3.5-medium"),
    ("sd3.5-flash", "sd3", "sd3.5-flash"),
    ("sd3", "sd3", "sd3.5-large"),
    ("", "core", ""),  # SDXL and services have no generating model of their own there
)


def write(request: ImageRequest, out: Outgoing) -> tuple[Form, list[Part]]:
    """The service and the parts of its form. Raises ValidationException for a task that Stability has nothing for."""
    given = request.given()
    definite_seed(given)
    given.pop("count", None)  # one picture a call: the provider calls as often as is asked for
    form, extra = _service(request, given, out)
    _shape(given, request, form, out)
    parts = [Part(name, value.encode()) for name, value in extra.items()]
    for member in form.members:
        if member in given:
            name = form.names.get(member) or _NAMES.get(member, member)
            parts.append(_part(name, given.pop(member), member))
    given.pop("mask_paints", None)
    drop_rest(given, request, out.ledger)
    return form, parts


def _service(request: ImageRequest, given: dict[str, Any], out: Outgoing) -> tuple[Form, dict[str, str]]:
    task: str = request.task
    if task in ("inpaint", "outpaint") and request.mask is None and request.find is not None and task == "inpaint":
        out.ledger.emulate(request.path("find"))  # a mask by words is this service's whole idea
        task = "search-and-replace"
    elif task == "outpaint" and request.mask is not None:
        out.ledger.emulate(request.path("mask"))
        task = "inpaint"
    if task in ("inpaint", "erase") and (request.mask is not None or request.mask_paints == "alpha"):
        _mask(given, request)
    if task in TASKS:
        if task == "outpaint" and not any(getattr(request, side) for side in ("left", "right", "up", "down")):
            raise cannot_do(request.task)
        return TASKS[task], _required(task, given)
    if task not in ("text-to-image", "image-to-image", "variation"):
        raise cannot_do(request.task)
    _, name, model = next(row for row in _GENERATORS if row[0] in out.model)
    form, extra = GENERATE[name], {"model": model} if model else {}
    if request.image is None:
        return form, {**extra, **({"mode": "text-to-image"} if name == "sd3" else {})}
    if "image" not in form.members:
        raise cannot_do(request.task)
    given.setdefault("strength", 0.5)  # the vendor demands one
    given.setdefault("prompt", "")
    return form, {**extra, **({"mode": "image-to-image"} if name == "sd3" else {})}


def _mask(given: dict[str, Any], request: ImageRequest) -> None:
    given.pop("mask", None)
    if request.mask_paints != "alpha":  # a picture's own transparency is taken without a mask
        given["mask"] = mask_painting(request, "white")


def _required(task: str, given: dict[str, Any]) -> dict[str, str]:
    if "prompt" in TASKS[task].members and task not in ("outpaint", "style-transfer"):
        given.setdefault("prompt", "")
    return {}


def _shape(given: dict[str, Any], request: ImageRequest, form: Form, out: Outgoing) -> None:
    """A size becomes the nearest ratio; what that does not say is ledgered."""
    width, height = given.pop("width", None), given.pop("height", None)
    if width is None and height is None:
        return
    width, height = width or height, height or width
    if "aspect_ratio" in form.members and request.image is None:
        given["aspect_ratio"] = sizes.nearest_ratio(width, height)
        if sizes.exact_ratio(width, height):
            return
    for name in ("width", "height"):
        if getattr(request, name) is not None:
            out.ledger.drop(request.path(name))


def _part(name: str, value: Any, member: str) -> Part:
    if member in _FILES:
        return Part(name, value, f"{name}.bin")
    return Part(name, f"{value:g}".encode() if isinstance(value, float) else str(value).encode())
