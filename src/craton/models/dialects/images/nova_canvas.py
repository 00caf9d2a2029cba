"""Amazon Nova Canvas: Titan's shapes with longer texts, more sizes, styles and virtual try-on.

Owns its bounds. A try-on is carried for Nova alone: nobody else has one. Source: reference invoke-bodies-media.md,
AWS's page "Amazon Nova Canvas: request and response structure".
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
from craton.models.dialects.images.titan_image import Color, Fraction, Object
from craton.models.dialects.malformed import decode_native, malformed

Text = Annotated[str, Meta(min_length=1, max_length=1024)]
Side = Annotated[int, Meta(ge=320, le=4096)]
Switch = Literal["ON", "OFF", "DEFAULT"]
Shape = Literal["CONTOUR", "BOUNDING_BOX", "DEFAULT"]
_MAX_PIXELS = 4_194_304


class TextToImage(Object, kw_only=True):
    text: Text
    negative_text: Text | None = None
    style: (
        Literal[
            "3D_ANIMATED_FAMILY_FILM",
            "DESIGN_SKETCH",
            "FLAT_VECTOR_ILLUSTRATION",
            "GRAPHIC_NOVEL_ILLUSTRATION",
            "MAXIMALISM",
            "MIDCENTURY_RETRO",
            "PHOTOREALISM",
            "SOFT_DIGITAL_PAINTING",
        ]
        | None
    ) = None
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


class ImageMask(Object, kw_only=True):
    mask_image: bytes


class Styling(Object, kw_only=True):
    long_sleeve_style: Literal["SLEEVE_DOWN", "SLEEVE_UP"] | None = None
    tucking_style: Literal["UNTUCKED", "TUCKED"] | None = None
    outer_layer_style: Literal["CLOSED", "OPEN"] | None = None


class GarmentMask(Object, kw_only=True):
    garment_class: str
    mask_shape: Shape | None = None
    garment_styling: Styling | None = None


class PromptMask(Object, kw_only=True):
    mask_prompt: Text
    mask_shape: Shape | None = None


class Exclusions(Object, kw_only=True):
    preserve_body_pose: Switch | None = None
    preserve_hands: Switch | None = None
    preserve_face: Switch | None = None


class TryOn(Object, kw_only=True):
    source_image: bytes
    reference_image: bytes
    mask_type: Literal["IMAGE", "GARMENT", "PROMPT"]
    image_based_mask: ImageMask | None = None
    garment_based_mask: GarmentMask | None = None
    prompt_based_mask: PromptMask | None = None
    mask_exclusions: Exclusions | None = None
    merge_style: Literal["BALANCED", "SEAMLESS", "DETAILED"] | None = None
    return_mask: bool | None = None


class Config(Object, kw_only=True):
    quality: Quality | None = None
    number_of_images: Annotated[int, Meta(ge=1, le=5)] | None = None
    height: Side | None = None
    width: Side | None = None
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
        "VIRTUAL_TRY_ON",
    ]
    text_to_image_params: TextToImage | None = None
    in_painting_params: Inpainting | None = None
    out_painting_params: Outpainting | None = None
    image_variation_params: Variation | None = None
    color_guided_generation_params: ColorGuided | None = None
    background_removal_params: BackgroundRemoval | None = None
    virtual_try_on_params: TryOn | None = None
    image_generation_config: Config | None = None


def _params(key: str, attribute: str, kind: type[msgspec.Struct], *own: str) -> Params:
    names = {**NAMES, "images": "further_images"}
    if kind is TryOn:
        names |= {"source_image": "image", "reference_image": "style_image"}
    inverted = frozenset({"similarity_strength"})
    return Params(key, attribute, Members(kind, names, inverted=inverted, prefix=f"{key}."), own)


def _draws(width: int, height: int) -> str:
    shown = f"{width}x{height}"
    if width % 16 or height % 16:
        return f"{shown}: width and height must be divisible by 16"
    if max(width, height) > 4 * min(width, height):
        return f"{shown}: the aspect ratio must be between 1:4 and 4:1"
    return f"{shown} is more than {_MAX_PIXELS} pixels" if width * height > _MAX_PIXELS else ""


_BODY = msgspec.json.Decoder(Body)
_OF_TRY_ON = (
    "mask_type",
    "image_based_mask",
    "garment_based_mask",
    "prompt_based_mask",
    "mask_exclusions",
    "merge_style",
)
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
        "VIRTUAL_TRY_ON": _params("virtualTryOnParams", "virtual_try_on_params", TryOn, *_OF_TRY_ON),
    },
    Members(Config, NAMES, prefix="imageGenerationConfig."),
    Limits(
        pictures.Bounds(formats=("png", "jpeg"), min_side=320, max_side=4096, max_pixels=_MAX_PIXELS, max_ratio=4),
        _draws,
        {"width": 1024, "height": 1024, "seed": 12},
    ),
)
_MASKS = {"IMAGE": "imageBasedMask", "GARMENT": "garmentBasedMask", "PROMPT": "promptBasedMask"}


class NovaCanvas:
    """See the file's head."""

    name = "amazon.nova-canvas"

    def read_request(self, body: bytes, model_id: str) -> ImageRequest:
        """Raises ValidationException that names the member at fault."""
        native = decode_native(_BODY, body)
        _check_try_on(native.virtual_try_on_params)
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


def _check_try_on(params: Any) -> None:
    if params is None:
        return
    for kind, key in _MASKS.items():
        given = getattr(params, f"{kind.lower()}_based_mask") is not None
        if given != (kind == params.mask_type):
            trouble = "extraneous" if given else "required"
            ending = "is not permitted" if given else "not found"
            raise malformed(f"#/virtualTryOnParams: {trouble} key [{key}] {ending}")
