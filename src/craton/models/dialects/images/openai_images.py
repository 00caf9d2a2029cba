"""OpenAI's images API, and the same with further members, which is what Craton's own image models take.

Owns the JSON of `POST /v1/images/generations` and its reply. The further members (`seed`, `steps`, `task`, `image`, …)
are read always and written only for targets with the quirk `extended`; what OpenAI lacks goes to the ledger. Source:
OpenAI's API reference, Images.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta

from craton.models.canon.image import Finish, ImageReply, ImageRequest, Painted, Prompt, Task
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.images import pictures, sizes
from craton.models.dialects.images.dialect import cannot_do
from craton.models.dialects.images.members import Given, Members, drop_rest
from craton.models.dialects.malformed import decode_native, decode_reply, malformed

Fraction = Annotated[float, Meta(ge=0, le=1)]
Pixels = Annotated[int, Meta(ge=0, le=2000)]
Text = Annotated[str, Meta(max_length=32_000)]


class Body(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """OpenAI's members, then Craton's. `user`, `moderation` and the like say nothing to a model and are read over."""

    prompt: Text | None = None
    model: str | None = None
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: Annotated[str, Meta(pattern=r"^(auto|[1-9][0-9]{1,3}x[1-9][0-9]{1,3})\Z")] | None = None
    quality: str | None = None
    style: str | None = None
    output_format: Literal["png", "jpeg", "webp"] | None = None
    response_format: Literal["b64_json"] | None = None
    background: str | None = None
    moderation: str | None = None
    output_compression: int | None = None
    user: str | None = None
    task: Task | None = None
    negative_prompt: Text | None = None
    weighted: list[Prompt] | None = None
    image: bytes | None = None
    further_images: list[bytes] | None = None
    style_image: bytes | None = None
    mask: bytes | None = None
    mask_paints: Literal["white", "black", "alpha"] | None = None
    return_mask: bool | None = None
    search_prompt: Text | None = None
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
    left: Pixels | None = None
    right: Pixels | None = None
    up: Pixels | None = None
    down: Pixels | None = None
    colors: list[str] | None = None


class Datum(msgspec.Struct):
    b64_json: str = ""
    seed: int | None = None
    finish: Finish = "success"


class Reply(msgspec.Struct):
    """`ignored` and `emulated`: members that Craton's own engine could not carry, or carried by other means."""

    data: list[Datum]
    mask: str | None = None
    ignored: list[str] = []
    emulated: list[str] = []


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode
# Canonical member by the engine's name of it, where they differ.
NAMES = {"n": "count", "negative_prompt": "negative", "search_prompt": "find", "guidance_scale": "cfg_scale"}
_MEMBERS = Members(Body, NAMES)
_PATHS = {**_MEMBERS.paths, "width": "size", "height": "size", "aspect_ratio": "size"}
_BOUNDS = pictures.Bounds(min_side=16, max_pixels=9_437_184)
# Tasks whose picture only guides: the answer has a size of its own.
_FRESH = ("style-guide", "color-guided", "control-structure", "control-segmentation")
# What OpenAI itself takes of the members above.
_OPENAI = frozenset({"prompt", "n", "quality", "style", "output_format"})
# By the beginning of a model's name: the sizes that it draws.
_SIZES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("dall-e-2", ("256x256", "512x512", "1024x1024")),
    ("dall-e-3", ("1024x1024", "1792x1024", "1024x1792")),
    ("", ("1024x1024", "1536x1024", "1024x1536")),
)
_VALUES: tuple[tuple[str, dict[str, frozenset[str]]], ...] = (
    ("dall-e-3", {"quality": frozenset({"standard", "hd"}), "style": frozenset({"vivid", "natural"})}),
    ("dall-e-2", {"quality": frozenset({"standard"}), "style": frozenset()}),
    ("", {"quality": frozenset({"low", "medium", "high", "auto"}), "style": frozenset()}),
)


class OpenAIImages:
    """See the file's head."""

    name = "openai.images"

    def read_request(self, body: bytes, model_id: str) -> ImageRequest:
        """Raises ValidationException that names the member at fault."""
        native = decode_native(_BODY, body)
        task: Task = native.task or (
            "inpaint" if native.mask else "image-to-image" if native.image else "text-to-image"
        )
        if task == "text-to-image" and not native.prompt:
            raise malformed("#: required key [prompt] not found")
        if task != "text-to-image" and native.image is None:
            raise malformed("#: required key [image] not found")
        for name in ("image", "style_image", "mask"):
            data = getattr(native, name)
            if data is not None:
                pictures.check(data, name, _BOUNDS)
        given = _MEMBERS.read(native)
        if native.size not in (None, "auto"):
            given["width"], given["height"] = (int(side) for side in str(native.size).split("x"))
        return ImageRequest(task=task, **given, paths=_PATHS)

    def write_request(self, request: ImageRequest, out: Outgoing) -> bytes:
        """Raises ValidationException for a task beside text-to-image, unless the target is one of Craton's own."""
        if out.quirks.get("extended"):
            return _encode(_extended(request, out))
        if request.task != "text-to-image":
            raise cannot_do(request.task)
        fields = openai_fields(request, out)
        if out.model.startswith("dall-e"):
            fields["response_format"] = "b64_json"
        return _encode(fields)

    def read_reply(self, body: bytes) -> ImageReply:
        """Raises ModelErrorException if it cannot be read."""
        return canonical(decode_reply(_REPLY, body))

    def write_reply(self, reply: ImageReply, request: ImageRequest) -> bytes:
        """The native reply, with our own members beside OpenAI's."""
        data = [
            {"b64_json": one.base64, **({"seed": one.seed} if one.seed is not None else {}),
             **({"finish": one.finish} if one.finish != "success" else {})}
            for one in reply.pictures
        ]  # fmt: skip
        whole: dict[str, Any] = {"created": int(time.time()), "data": data}
        return _encode({**whole, "mask": reply.mask} if reply.mask is not None else whole)


def read_extended(body: bytes) -> Reply:
    """What Craton's own engine answered. Raises ModelErrorException if it cannot be read."""
    return decode_reply(_REPLY, body)


def canonical(reply: Reply) -> ImageReply:
    """The reply without what it says of members."""
    pictures_found = [Painted(base64=one.b64_json, seed=one.seed, finish=one.finish) for one in reply.data]
    return ImageReply(pictures=pictures_found, mask=reply.mask)


def openai_fields(request: ImageRequest, out: Outgoing, *, carried: frozenset[str] = frozenset()) -> Given:
    """The fields of OpenAI's own API; `carried` members are written elsewhere (the files of an edit)."""
    given = {name: value for name, value in request.given().items() if name not in carried}
    size = _openai_size(given, request, out)
    fields: Given = {"model": out.model, **size}
    taken = {name: given.pop(NAMES.get(name, name)) for name in _OPENAI if NAMES.get(name, name) in given}
    accepted = _by_model(_VALUES, out.model)
    for name, value in taken.items():
        wrong = name in accepted and value not in accepted[name]
        if wrong or (name == "output_format" and out.model.startswith("dall-e")):
            if (name, value) not in (("quality", "standard"), ("output_format", "png")):  # what it does anyway
                out.ledger.drop(request.path(name))
        else:
            fields[name] = value
    drop_rest(given, request, out.ledger)
    return fields


def _extended(request: ImageRequest, out: Outgoing) -> Given:
    given = request.given()
    fields: Given = {"model": out.model, "task": request.task}
    if "seed" in request.usual:
        given.setdefault("seed", request.usual["seed"])
    width, height = given.pop("width", None), given.pop("height", None)
    ratio = given.pop("aspect_ratio", None)
    if ratio is not None:
        width, height = sizes.RATIOS[ratio]
    if request.image is None or request.task in _FRESH:
        width, height = width or request.usual.get("width"), height or request.usual.get("height")
    if width is not None or height is not None:
        fields["size"] = f"{width or height}x{height or width}"
    fields |= _MEMBERS.write(given, request, out.ledger)
    drop_rest(given, request, out.ledger)
    return fields


def _openai_size(given: Given, request: ImageRequest, out: Outgoing) -> dict[str, str]:
    """The size that comes nearest in shape; where it is another than the one asked for, that is ledgered."""
    width, height, ratio = (given.pop(name, None) for name in ("width", "height", "aspect_ratio"))
    if ratio is not None:
        width, height = sizes.RATIOS[ratio]
    if width is None and height is None:
        return {}
    wanted = (width or height), (height or width)
    drawn = cast("Sequence[str]", out.quirks.get("sizes") or _by_model(_SIZES, out.model))
    best = min(drawn, key=lambda size: _distance(size, wanted))
    if best != f"{wanted[0]}x{wanted[1]}":
        for name in ("aspect_ratio",) if ratio is not None else ("width", "height"):
            out.ledger.drop(request.path(name))
    return {"size": best}


def _distance(size: str, wanted: tuple[int, int]) -> tuple[float, int]:
    width, height = (int(side) for side in size.split("x"))
    return abs(width / height - wanted[0] / wanted[1]), abs(width - wanted[0])


def _by_model(rows: tuple[tuple[str, Any], ...], model: str) -> Any:
    return next(value for prefix, value in rows if model.startswith(prefix))
