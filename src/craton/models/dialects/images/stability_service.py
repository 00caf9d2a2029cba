"""Stability's thirteen image services: edit, control, style and upscale, told apart by the model's id.

Owns their bodies, one Struct each, and which id is which task. Source: AWS's page "Stability AI Image Services".
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import validation
from craton.models.canon.image import ImageReply, ImageRequest, Task
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.images import pictures, stability_reply
from craton.models.dialects.images.dialect import cannot_do
from craton.models.dialects.images.masks import mask_painting
from craton.models.dialects.images.members import Members, drop_rest
from craton.models.dialects.images.stability_image import USUAL, to_ratio
from craton.models.dialects.images.stability_reply import (
    OutputFormat,
    Ratio,
    Seed,
    Style,
    Text,
    any_seed,
    definite_seed,
)
from craton.models.dialects.malformed import decode_native, malformed

Fraction = Annotated[float, Meta(ge=0, le=1)]
Grown = Annotated[int, Meta(ge=0, le=20)]
Margin = Annotated[int, Meta(ge=0, le=2000)]
Upscaled = Annotated[float, Meta(ge=0.1, le=0.5)]


class Plain(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What every service has."""

    image: bytes
    output_format: OutputFormat | None = None


class Seeded(Plain, kw_only=True):
    seed: Seed | None = None


class Prompted(Seeded, kw_only=True):
    prompt: Text
    negative_prompt: Text | None = None


class Styled(Prompted, kw_only=True):
    style_preset: Style | None = None


class Conservative(Prompted, kw_only=True):
    creativity: Upscaled | None = None


class Creative(Styled, kw_only=True):
    creativity: Upscaled | None = None


class Inpaint(Styled, kw_only=True):
    mask: bytes | None = None
    grow_mask: Grown | None = None


class Erase(Seeded, kw_only=True):
    """AWS's own example sends the picture inside a list of one; its service takes that too."""

    image: bytes | Annotated[list[bytes], Meta(min_length=1, max_length=1)]  # type: ignore[assignment]
    mask: bytes | None = None
    grow_mask: Grown | None = None


class Outpaint(Seeded, kw_only=True):
    prompt: Text | None = None
    style_preset: Style | None = None
    creativity: Annotated[float, Meta(ge=0.1, le=1)] | None = None
    left: Margin | None = None
    right: Margin | None = None
    up: Margin | None = None
    down: Margin | None = None


class Recolor(Styled, kw_only=True):
    select_prompt: Text
    grow_mask: Grown | None = None


class Replace(Styled, kw_only=True):
    search_prompt: Text
    grow_mask: Grown | None = None


class Control(Styled, kw_only=True):
    control_strength: Fraction | None = None


class StyleGuide(Styled, kw_only=True):
    aspect_ratio: Ratio | None = None
    fidelity: Fraction | None = None


class StyleTransfer(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    init_image: bytes
    style_image: bytes
    prompt: Text | None = None
    negative_prompt: Text | None = None
    seed: Seed | None = None
    output_format: OutputFormat | None = None
    composition_fidelity: Fraction | None = None
    style_strength: Fraction | None = None
    change_strength: Annotated[float, Meta(ge=0.1, le=1)] | None = None


class Service(NamedTuple):
    """One service: its task, its body, what pictures it takes."""

    task: Task
    decoder: msgspec.json.Decoder[Any]
    members: Members
    bounds: pictures.Bounds


_NAMES = {
    "negative_prompt": "negative",
    "style_preset": "style",
    "search_prompt": "find",
    "select_prompt": "find",
    "init_image": "image",
}
_EDITED = pictures.Bounds(min_side=64, max_pixels=9_437_184, max_ratio=2.5)
_MASK = pictures.Bounds(min_side=1, max_pixels=9_437_184)  # another size than the picture's is resized
Body = TypeVar("Body", bound=msgspec.Struct)


def _service(task: Task, body: type[Body], bounds: pictures.Bounds = _EDITED) -> Service:
    return Service(task, msgspec.json.Decoder(body), Members(body, _NAMES), bounds)


# A part of the model's id → the service.
SERVICES: dict[str, Service] = {
    "creative-upscale": _service("upscale-creative", Creative, pictures.Bounds(min_side=64, min_pixels=4096,
                                                                               max_pixels=1_048_576)),
    "conservative-upscale": _service("upscale-conservative", Conservative),
    "fast-upscale": _service("upscale-fast", Plain, pictures.Bounds(min_side=32, max_side=1536, min_pixels=1024,
                                                                    max_pixels=1_048_576)),
    "inpaint": _service("inpaint", Inpaint),
    "outpaint": _service("outpaint", Outpaint),
    "erase-object": _service("erase", Erase),
    "search-recolor": _service("search-and-recolor", Recolor),
    "search-replace": _service("search-and-replace", Replace),
    "remove-background": _service("remove-background", Plain),
    "control-sketch": _service("control-sketch", Control),
    "control-structure": _service("control-structure", Control),
    "style-guide": _service("style-guide", StyleGuide),
    "style-transfer": _service("style-transfer", StyleTransfer),
}  # fmt: skip
_MASKED = ("inpaint", "erase")
_encode = msgspec.json.Encoder().encode


class StabilityService:
    """See the file's head."""

    name = "stability.service"

    def read_request(self, body: bytes, model_id: str) -> ImageRequest:
        """Raises ValidationException that names the member at fault."""
        service = _by_id(model_id)
        native = decode_native(service.decoder, body)
        given = any_seed(service.members.read(native))
        if isinstance(given["image"], list):
            given["image"] = given["image"][0]
        request = ImageRequest(task=service.task, **given, usual=USUAL, paths=service.members.paths)
        _check(request, service)
        if service.task in _MASKED:
            request.mask_paints = "white" if request.mask is not None else "alpha"
        return request

    def write_request(self, request: ImageRequest, out: Outgoing) -> bytes:
        """Raises ValidationException unless the target's model is the service for the task."""
        service = _by_id(out.model)
        if service.task != request.task:
            raise cannot_do(request.task)
        given = request.given()
        if given.pop("mask_paints", None) == "alpha":
            given.pop("mask", None)
        elif request.mask is not None:
            given["mask"] = mask_painting(request, "white")
        to_ratio(given, request, out)
        definite_seed(given)
        body = service.members.write(given, request, out.ledger)
        drop_rest(given, request, out.ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ImageReply:
        """Raises ModelErrorException if it cannot be read."""
        return stability_reply.read_reply(body)

    def write_reply(self, reply: ImageReply, request: ImageRequest) -> bytes:
        """The native reply."""
        return stability_reply.write_reply(reply)


def _by_id(model_id: str) -> Service:
    for part, service in SERVICES.items():
        if part in model_id:
            return service
    raise validation(f"No image service is known for the model {model_id}.")


def _check(request: ImageRequest, service: Service) -> None:
    for member in ("image", "style_image"):
        data = getattr(request, member)
        if data is not None:
            pictures.check(data, request.path(member), service.bounds)
    if request.mask is not None:
        pictures.check(request.mask, "mask", _MASK)
    if service.task == "outpaint" and not any((request.left, request.right, request.up, request.down)):
        raise malformed("#: at least one of [left, right, up, down] must be greater than 0")
