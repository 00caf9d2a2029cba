"""Stable Diffusion XL 0.8 and 1.0: `text_prompts` with weights, and masks on a first picture.

Owns these bodies and replies. A weight below zero marks what should not be seen. Source: AWS's pages "Stability.ai
Diffusion 1.0" (text to image, image to image, masking), which follow Stability's v1 REST API.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.models.canon.image import Finish, ImageReply, ImageRequest, Painted, Prompt, Task
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.images import pictures, sizes
from craton.models.dialects.images.dialect import cannot_do
from craton.models.dialects.images.masks import mask_painting
from craton.models.dialects.images.members import Members, drop_rest
from craton.models.dialects.images.stability_reply import Style, any_seed, definite_seed
from craton.models.dialects.malformed import decode_native, decode_reply, malformed

# What SDXL 1.0 was trained on; the older preview took any multiple of 64.
SIZES = (
    (1024, 1024), (1152, 896), (1216, 832), (1344, 768), (1536, 640), (640, 1536), (768, 1344), (832, 1216), (896, 1152),
)  # fmt: skip
_USUAL, _USUAL_PREVIEW = {"width": 1024, "height": 1024}, {"width": 512, "height": 512}
_MAX_PREVIEW_PIXELS = 1_048_576


class TextPrompt(msgspec.Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(max_length=2000)]
    weight: float | None = None


class Body(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """`samples` is fixed at one on Bedrock."""

    text_prompts: Annotated[list[TextPrompt], Meta(min_length=1)]
    cfg_scale: Annotated[float, Meta(ge=0, le=35)] | None = None
    clip_guidance_preset: Literal["FAST_BLUE", "FAST_GREEN", "NONE", "SIMPLE", "SLOW", "SLOWER", "SLOWEST"] | None = (
        None
    )
    height: Annotated[int, Meta(ge=128, le=1536)] | None = None
    width: Annotated[int, Meta(ge=128, le=1536)] | None = None
    sampler: (
        Literal[
            "DDIM",
            "DDPM",
            "K_DPMPP_2M",
            "K_DPMPP_2S_ANCESTRAL",
            "K_DPM_2",
            "K_DPM_2_ANCESTRAL",
            "K_EULER",
            "K_EULER_ANCESTRAL",
            "K_HEUN",
            "K_LMS",
        ]
        | None
    ) = None
    samples: Annotated[int, Meta(ge=1, le=1)] | None = None
    seed: Annotated[int, Meta(ge=0, le=4_294_967_295)] | None = None
    steps: Annotated[int, Meta(ge=10, le=150)] | None = None
    style_preset: Style | None = None
    extras: dict[str, Any] | None = None
    init_image: bytes | None = None
    init_image_mode: Literal["IMAGE_STRENGTH", "STEP_SCHEDULE"] | None = None
    image_strength: Annotated[float, Meta(ge=0, le=1)] | None = None
    step_schedule_start: Annotated[float, Meta(ge=0, le=1)] | None = None
    step_schedule_end: Annotated[float, Meta(ge=0, le=1)] | None = None
    mask_source: Literal["MASK_IMAGE_WHITE", "MASK_IMAGE_BLACK", "INIT_IMAGE_ALPHA"] | None = None
    mask_image: bytes | None = None


class Artifact(msgspec.Struct):
    base64: str = ""
    seed: int | None = None
    finishReason: str = "SUCCESS"  # noqa: N815 - the wire's own name


class Reply(msgspec.Struct):
    artifacts: list[Artifact]


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode
# Fields that only this schema has. `extras` are undocumented switches of Stability's own.
_OWN = ("clip_guidance_preset", "sampler", "extras", "init_image_mode", "step_schedule_start", "step_schedule_end")
_MEMBERS = Members(
    Body,
    {
        "style_preset": "style",
        "init_image": "image",
        "image_strength": "strength",
        "mask_image": "mask",
        "samples": "count",
        "extras": "",
    },
    inverted=frozenset({"image_strength"}),
)
_PATHS = {**_MEMBERS.paths, "prompt": "text_prompts", "negative": "text_prompts", "weighted": "text_prompts.weight",
          "mask_paints": "mask_source"}  # fmt: skip
_BOUNDS = pictures.Bounds(min_side=64, max_pixels=9_437_184)
_MASKS: dict[str, Literal["white", "black", "alpha"]] = {
    "MASK_IMAGE_WHITE": "white",
    "MASK_IMAGE_BLACK": "black",
    "INIT_IMAGE_ALPHA": "alpha",
}
_FINISHES: dict[str, Finish] = {"SUCCESS": "success", "CONTENT_FILTERED": "filtered output", "ERROR": "failed"}


class StabilitySDXL:
    """See the file's head."""

    name = "stability.sdxl"

    def read_request(self, body: bytes, model_id: str) -> ImageRequest:
        """Raises ValidationException that names the member at fault."""
        native = decode_native(_BODY, body)
        _check_size(native, model_id)
        task = _task(native)
        return ImageRequest(
            task=task,
            **any_seed(_MEMBERS.read(native)),
            **_prompts(native.text_prompts),
            mask_paints=_MASKS[native.mask_source] if native.mask_source else None,
            extras={name: value for name in _OWN if (value := getattr(native, name)) is not None},
            usual=_USUAL if "xl-v1" in model_id else _USUAL_PREVIEW,
            paths=_PATHS,
        )

    def write_request(self, request: ImageRequest, out: Outgoing) -> bytes:
        """Raises ValidationException for a task that it lacks."""
        if request.task not in ("text-to-image", "image-to-image", "inpaint"):
            raise cannot_do(request.task)
        given = request.given()
        _to_size(given, request, out)
        definite_seed(given)
        body: dict[str, Any] = {"text_prompts": _text_prompts(given)}
        if request.task == "inpaint":
            given.pop("mask_paints", None)
            paints = request.mask_paints or "white"
            body["mask_source"] = next(name for name, meaning in _MASKS.items() if meaning == paints)
            if paints == "alpha":
                given.pop("mask", None)
            elif request.mask is not None:
                given["mask"] = mask_painting(request, paints)
        body |= {name: value for name, value in _MEMBERS.write(given, request, out.ledger).items() if name not in body}
        body |= {name: request.extras[name] for name in _OWN if name in request.extras}
        drop_rest(given, _without_own(request), out.ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ImageReply:
        """Raises ModelErrorException if it cannot be read."""
        artifacts = decode_reply(_REPLY, body).artifacts
        return ImageReply(
            pictures=[
                Painted(base64=one.base64, seed=one.seed, finish=_FINISHES.get(one.finishReason, "failed"))
                for one in artifacts
            ]
        )

    def write_reply(self, reply: ImageReply, request: ImageRequest) -> bytes:
        """The native reply; all filters are one reason here."""
        reasons = {"success": "SUCCESS", "failed": "ERROR"}
        artifacts = [
            {"seed": one.seed or 0, "base64": one.base64, "finishReason": reasons.get(one.finish, "CONTENT_FILTERED")}
            for one in reply.pictures
        ]
        return _encode({"result": "success", "artifacts": artifacts})


def _task(native: Body) -> Task:
    if native.init_image is None:
        for name in ("image_strength", "init_image_mode", "mask_image", "mask_source"):
            if getattr(native, name) is not None:
                raise malformed("#: required key [init_image] not found")
        return "text-to-image"
    head = pictures.check(native.init_image, "init_image", _BOUNDS)
    if native.mask_source is None:
        if native.mask_image is not None:
            raise malformed("#: required key [mask_source] not found")
        return "image-to-image"
    if native.mask_source == "INIT_IMAGE_ALPHA":
        return "inpaint"
    if native.mask_image is None:
        raise malformed("#: required key [mask_image] not found")
    pictures.check_mask(native.mask_image, "mask_image", _BOUNDS, head, "init_image")
    return "inpaint"


def _check_size(native: Body, model_id: str) -> None:
    if native.width is None and native.height is None:
        return
    width, height = native.width or 1024, native.height or 1024
    if "xl-v1" in model_id:
        if (width, height) not in SIZES:
            allowed = ", ".join(f"{w}x{h}" for w, h in SIZES)
            raise malformed(
                f"#/width, #/height: the allowed dimensions are {allowed}, but we received {width}x{height}"
            )
        return
    for name, value in (("width", width), ("height", height)):
        if value % 64:
            raise malformed(f"#/{name}: {value} is not a multiple of 64")
    if width * height > _MAX_PREVIEW_PIXELS:
        raise malformed(f"#/width, #/height: {width}x{height} is more than {_MAX_PREVIEW_PIXELS} pixels")


def _prompts(texts: list[TextPrompt]) -> dict[str, Any]:
    """Prompt and negative prompt; the weights themselves only where they say more than that."""
    weighted = [Prompt(one.text, 1.0 if one.weight is None else one.weight) for one in texts]
    positive = [one.text for one in weighted if one.weight >= 0]
    negative = [one.text for one in weighted if one.weight < 0]
    if not positive:
        raise malformed("#/text_prompts: at least one prompt needs a weight above zero")
    found: dict[str, Any] = {"prompt": ", ".join(positive), "negative": ", ".join(negative) if negative else None}
    if (
        len(positive) > 1
        or len(negative) > 1
        or any(abs(one.weight) != 1 for one in weighted)
        or weighted[0].weight < 0
    ):
        found["weighted"] = weighted
    return found


def _text_prompts(given: dict[str, Any]) -> list[dict[str, Any]]:
    prompt, negative, weighted = given.pop("prompt", ""), given.pop("negative", None), given.pop("weighted", None)
    if weighted:
        return [{"text": one.text, "weight": one.weight} for one in weighted]
    texts = [{"text": prompt[:2000], "weight": 1.0}]
    return texts + ([{"text": negative[:2000], "weight": -1.0}] if negative is not None else [])


def _to_size(given: dict[str, Any], request: ImageRequest, out: Outgoing) -> None:
    """A ratio becomes its size; a size that the model does not draw is ledgered."""
    ratio = given.pop("aspect_ratio", None)
    if ratio is not None:
        size = sizes.RATIOS[ratio]
        given["width"], given["height"] = size if size in SIZES else min(SIZES, key=lambda one: _distance(one, size))
        if size not in SIZES:
            out.ledger.emulate(request.path("aspect_ratio"))


def _distance(one: tuple[int, int], other: tuple[int, int]) -> float:
    return abs(one[0] / one[1] - other[0] / other[1])


def _without_own(request: ImageRequest) -> ImageRequest:
    foreign = {name: value for name, value in request.extras.items() if name not in _OWN}
    return msgspec.structs.replace(request, extras=foreign)
