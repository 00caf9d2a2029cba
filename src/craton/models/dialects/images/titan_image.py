"""Amazon Titan Image Generator G1 and G1 v2.

Owns its bounds and its table of sizes. What only v2 does is refused for v1. Source: reference invoke-bodies-media.md,
AWS's page "Amazon Titan Image Generator G1 models".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.images import amazon_tasks, pictures
from craton.models.dialects.images.amazon_tasks import NAMES, AmazonTasks, Control, Limits, Params, Quality
from craton.models.dialects.images.members import Members
from craton.models.dialects.malformed import decode_native, malformed

Text = Annotated[str, Meta(min_length=1, max_length=512)]
Color = Annotated[str, Meta(pattern=r"^#[0-9A-Fa-f]{6}\Z")]
Fraction = Annotated[float, Meta(ge=0, le=1)]

SIZES = frozenset(
    {
        (1024, 1024), (768, 768), (512, 512), (768, 1152), (384, 576), (1152, 768), (576, 384), (768, 1280), (384, 640),
        (1280, 768), (640, 384), (896, 1152), (448, 576), (1152, 896), (576, 448), (768, 1408), (384, 704), (1408, 768),
        (704, 384), (640, 1408), (320, 704), (1408, 640), (704, 320), (1152, 640), (1173, 640),
    }
)  # fmt: skip


class Object(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """An object of the body: unknown fields are refused."""


class TextToImage(Object, kw_only=True):
    text: Text
    negative_text: Text | None = None
    condition_image: bytes | None = None
    control_mode: Control | None = None
    control_strength: Fraction | None = None


class Inpainting(Object, kw_only=True):
    image: bytes
    text: Text | None = None
    negative_text: Text | None = None
    mask_prompt: Text | None = None
    mask_image: bytes | None = None
    return_mask: bool | None = None


class Outpainting(Inpainting, kw_only=True):
    text: Text
    out_painting_mode: Literal["DEFAULT", "PRECISE"] | None = None


class Variation(Object, kw_only=True):
    images: Annotated[list[bytes], Meta(min_length=1, max_length=5)]
    text: Text | None = None
    negative_text: Text | None = None
    similarity_strength: Annotated[float, Meta(ge=0.2, le=1)] | None = None


class ColorGuided(Object, kw_only=True):
    text: Text
    negative_text: Text | None = None
    colors: Annotated[list[Color], Meta(min_length=1, max_length=10)]
    reference_image: bytes | None = None


class BackgroundRemoval(Object, kw_only=True):
    image: bytes


class Config(Object, kw_only=True):
    quality: Quality | None = None
    number_of_images: Annotated[int, Meta(ge=1, le=5)] | None = None
    height: Annotated[int, Meta(ge=1, le=1408)] | None = None
    width: Annotated[int, Meta(ge=1, le=1408)] | None = None
    cfg_scale: Annotated[float, Meta(ge=1.1, le=10)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2_147_483_646)] | None = None


class Body(Object, kw_only=True):
    task_type: Literal[
        "TEXT_IMAGE",
        "INPAINTING",
        "OUTPAINTING",
        "IMAGE_VARIATION",
        "COLOR_GUIDED_GENERATION",
        "BACKGROUND_REMOVAL",
    ]
    text_to_image_params: TextToImage | None = None
    in_painting_params: Inpainting | None = None
    out_painting_params: Outpainting | None = None
    image_variation_params: Variation | None = None
    color_guided_generation_params: ColorGuided | None = None
    background_removal_params: BackgroundRemoval | None = None
    image_generation_config: Config | None = None


def _params(key: str, attribute: str, kind: type[msgspec.Struct], *own: str) -> Params:
    names = {**NAMES, "images": "further_images"}
    inverted = frozenset({"similarity_strength"})
    return Params(key, attribute, Members(kind, names, inverted=inverted, prefix=f"{key}."), own)


def _draws(width: int, height: int) -> str:
    return "" if (width, height) in SIZES else f"{width}x{height} is not a permitted combination of width and height"


_BODY = msgspec.json.Decoder(Body)
_TASKS = AmazonTasks(
    {
        "TEXT_IMAGE": _params("textToImageParams", "text_to_image_params", TextToImage),
        "INPAINTING": _params("inPaintingParams", "in_painting_params", Inpainting),
        "OUTPAINTING": _params("outPaintingParams", "out_painting_params", Outpainting, "out_painting_mode"),
        "IMAGE_VARIATION": _params("imageVariationParams", "image_variation_params", Variation),
        "COLOR_GUIDED_GENERATION": _params(
            "colorGuidedGenerationParams", "color_guided_generation_params", ColorGuided
        ),
        "BACKGROUND_REMOVAL": _params("backgroundRemovalParams", "background_removal_params", BackgroundRemoval),
    },
    Members(Config, NAMES, prefix="imageGenerationConfig."),
    Limits(
        pictures.Bounds(formats=("png", "jpeg"), min_side=64, max_side=4096, max_pixels=1408 * 1408),
        _draws,
        {"width": 1024, "height": 1024, "seed": 42},
    ),
)
_V2_TASKS = ("COLOR_GUIDED_GENERATION", "BACKGROUND_REMOVAL")


class TitanImage:
    """See the file's head."""

    name = "amazon.titan-image"

    def read_request(self, body: bytes, model_id: str) -> ImageRequest:
        """Raises ValidationException that names the member at fault."""
        native = decode_native(_BODY, body)
        if "generator-v1" in model_id:
            _refuse_v2(native)
        return _TASKS.read(native)

    def write_request(self, request: ImageRequest, out: Outgoing) -> bytes:
        """Raises ValidationException for a task that it lacks."""
        return _TASKS.write(request, out)

    def read_reply(self, body: bytes) -> ImageReply:
        """Raises ModelErrorException if it cannot be read."""
        return amazon_tasks.read_reply(body)

    def write_reply(self, reply: ImageReply, request: ImageRequest) -> bytes:
        """Raises ValidationException for a request that was filtered."""
        return amazon_tasks.write_reply(reply)


def _refuse_v2(native: Any) -> None:
    if native.task_type in _V2_TASKS:
        raise malformed(f"#/taskType: {native.task_type} is not a valid enum value")
    params = native.text_to_image_params
    if params is not None and (params.condition_image is not None or params.control_mode is not None):
        raise malformed("#/textToImageParams: extraneous key [conditionImage] is not permitted")
