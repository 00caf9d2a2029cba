"""What Titan Image Generator and Nova Canvas have in common: a `taskType`, an object for it, a configuration, a reply.

Owns the translation by tasks; the two dialects give their Structs and bounds. In both, black pixels of a mask are
painted anew when inpainting and kept when outpainting. Source: AWS's pages "Amazon Titan Image Generator G1 models"
and "Amazon Nova Canvas: request and response structure".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from craton.aws.wire.faults import validation
from craton.models.canon.image import ImageReply, ImageRequest, Painted, Task
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.images import pictures, sizes
from craton.models.dialects.images.dialect import cannot_do
from craton.models.dialects.images.masks import mask_painting
from craton.models.dialects.images.members import Given, Members, drop_rest
from craton.models.dialects.malformed import decode_reply, malformed

BLOCKED_PROMPT = (
    "This request has been blocked by our content filters. Our filters automatically flagged this prompt because it "
    "may conflict our AUP or AWS Responsible AI Policy. Please adjust your text prompt to submit a new request."
)
BLOCKED_INPUT = (
    "This request has been blocked by our content filters. Our filters automatically flagged the input image because "
    "it may conflict our AUP or AWS Responsible AI Policy. Please provide another image to submit a new request."
)
BLOCKED_ALL = "All of the images generated were blocked by our content filters."
BLOCKED_SOME = "Some of the images generated were blocked by our content filters."

NAMES = {
    "text": "prompt",
    "negative_text": "negative",
    "mask_image": "mask",
    "mask_prompt": "find",
    "condition_image": "image",
    "similarity_strength": "strength",
    "reference_image": "image",
    "number_of_images": "count",
}
_CONTROLS: dict[str, Task] = {"CANNY_EDGE": "control-structure", "SEGMENTATION": "control-segmentation"}
_MODES = {task: mode for mode, task in _CONTROLS.items()}


class Reply(msgspec.Struct, rename="camel"):
    images: list[str] | None = None
    mask_image: str | None = None
    error: str | None = None


class Params(NamedTuple):
    """One task: the name of its object, its fields, and the fields that only this schema has."""

    key: str
    attribute: str
    members: Members
    own: tuple[str, ...] = ()


class Limits(NamedTuple):
    """Of one schema: what pictures it takes, which sizes it draws, what it does where nothing is said."""

    bounds: pictures.Bounds
    draws: Any  # (width, height) → why not, or ""
    usual: dict[str, int]


_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


class AmazonTasks:
    """One of the two schemas. `tasks`: taskType → its object."""

    def __init__(self, tasks: Mapping[str, Params], config: Members, limits: Limits) -> None:
        self._tasks = tasks
        self._config = config
        self._limits = limits

    def read(self, native: Any) -> ImageRequest:
        """A decoded body → canon. Raises ValidationException that names the member at fault."""
        params = self._tasks[native.task_type]
        value = getattr(native, params.attribute)
        if value is None:
            raise malformed(f"#: required key [{params.key}] not found")
        for other in self._tasks.values():
            if other.key != params.key and getattr(native, other.attribute) is not None:
                raise malformed(f"#: extraneous key [{other.key}] is not permitted")
        given = params.members.read(value)
        images = given.pop("further_images", None)
        if images:
            given["image"], rest = images[0], images[1:]
            given["further_images"] = rest or None
        request = ImageRequest(
            task=_task(native.task_type, value),
            **given,
            **self._config.read(native.image_generation_config),
            extras={name: found for name in params.own if (found := getattr(value, name)) is not None},
            usual=self._limits.usual,
            paths=_paths(self._config, params.members),
        )
        self._check(request, images or [])
        if request.mask is not None:
            request.mask_paints = "white" if request.task == "outpaint" else "black"
        return request

    def write(self, request: ImageRequest, out: Outgoing) -> bytes:
        """Canon → a native body. Raises ValidationException for a task that this schema lacks."""
        kind = _TASK_TYPES.get(request.task, "")
        if kind not in self._tasks:
            raise cannot_do(request.task)
        params = self._tasks[kind]
        given = request.given()
        self._mask(given, request)
        self._size(given, request, out)
        if params.key == "imageVariationParams":
            given["further_images"] = [given.pop("image", b""), *given.get("further_images", ())]
        body = params.members.write(given, request, out.ledger)
        if request.task in _MODES:
            body["controlMode"] = _MODES[request.task]
        own = {name: request.extras[name] for name in params.own if name in request.extras}
        body |= {_camel(name): value for name, value in own.items()}
        config = self._config.write(given, request, out.ledger)
        foreign = {name: value for name, value in request.extras.items() if name not in own}
        drop_rest(given, msgspec.structs.replace(request, extras=foreign), out.ledger)
        whole = {"taskType": kind, params.key: body}
        return _encode({**whole, "imageGenerationConfig": config} if config else whole)

    def _mask(self, given: Given, request: ImageRequest) -> None:
        given.pop("mask_paints", None)
        if request.task in ("inpaint", "outpaint") and (request.mask or request.mask_paints == "alpha"):
            given["mask"] = mask_painting(request, "white" if request.task == "outpaint" else "black")

    def _size(self, given: Given, request: ImageRequest, out: Outgoing) -> None:
        """A ratio becomes its size where this schema draws it; a size that it does not draw is ledgered."""
        ratio = given.pop("aspect_ratio", None)
        if ratio is not None:
            given["width"], given["height"] = sizes.RATIOS[ratio]
        if "width" in given and self._limits.draws(given["width"], given.get("height", given["width"])):
            del given["width"]
            given.pop("height", None)
            out.ledger.drop(request.path("aspect_ratio" if ratio else "width"))

    def _check(self, request: ImageRequest, images: list[bytes]) -> None:
        bounds = self._limits.bounds
        path = request.path("further_images") if images else request.path("image")
        for index, data in enumerate(images or ([request.image] if request.image else [])):
            head = pictures.check(data, f"{path}.{index}" if images else path, bounds)
            if request.mask is not None:
                pictures.check_mask(request.mask, request.path("mask"), bounds, head, path)
        if request.task in ("inpaint", "outpaint") and (request.mask is None) == (request.find is None):
            where = request.path("mask").rpartition(".")[0]
            raise malformed(f"#/{where}: exactly one of [maskPrompt, maskImage] is required")
        if request.width is not None or request.height is not None:
            why = self._limits.draws(request.width or 1024, request.height or 1024)
            if why:
                raise malformed(f"#/imageGenerationConfig: {why}")


def read_reply(body: bytes) -> ImageReply:
    """A native reply. Raises ModelErrorException if it cannot be read, ValidationException for what it refuses."""
    reply = decode_reply(_REPLY, body)
    pictures_found = [Painted(base64=one) for one in reply.images or ()]
    if reply.error and not pictures_found:
        pictures_found = [Painted(base64="", finish="filtered output")]
    return ImageReply(pictures=pictures_found, mask=reply.mask_image)


def write_reply(reply: ImageReply) -> bytes:
    """The native reply. Raises ValidationException for a request that was filtered, as both models do."""
    for picture in reply.pictures:
        if picture.finish in _REFUSALS:
            raise validation(_REFUSALS[picture.finish])
    images = [picture.base64 for picture in reply.pictures if picture.base64]
    error = None if len(images) == len(reply.pictures) else BLOCKED_SOME if images else BLOCKED_ALL
    whole: dict[str, Any] = {"images": images, "error": error}
    return _encode({**whole, "maskImage": reply.mask} if reply.mask is not None else whole)


def _task(kind: str, value: Any) -> Task:
    if kind == "TEXT_IMAGE" and value.condition_image is not None:
        return _CONTROLS[value.control_mode or "CANNY_EDGE"]
    return _TASKS[kind]


_TASKS: dict[str, Task] = {
    "TEXT_IMAGE": "text-to-image",
    "INPAINTING": "inpaint",
    "OUTPAINTING": "outpaint",
    "IMAGE_VARIATION": "variation",
    "COLOR_GUIDED_GENERATION": "color-guided",
    "BACKGROUND_REMOVAL": "remove-background",
    "VIRTUAL_TRY_ON": "try-on",
}
_TASK_TYPES: dict[str, str] = {
    **{task: kind for kind, task in _TASKS.items()},
    **dict.fromkeys(_MODES, "TEXT_IMAGE"),
    "image-to-image": "IMAGE_VARIATION",
}
_REFUSALS: dict[str, str] = {"filtered prompt": BLOCKED_PROMPT, "filtered input": BLOCKED_INPUT}


def _paths(config: Members, params: Members) -> dict[str, str]:
    paths = {**config.paths, **params.paths}
    if "further_images" in paths:  # the first of the pictures to be varied is the picture
        paths["image"] = paths["further_images"]
    return paths


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


Quality = Literal["standard", "premium"]
Control = Literal["CANNY_EDGE", "SEGMENTATION"]
