"""OpenAI's images at the door: pictures made, edited and varied, by any image model.

Owns what is the door's: edits are forms, a mask's transparent parts are what is painted anew, and a picture is in the
answer, as base64 or where a URL is asked for as a data URL, since nothing is kept. The schema is the dialect's, how
pictures are made the feature's.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from craton.aws.wire.faults import validation
from craton.front.door_chat import off_the_loop
from craton.front.door_embeddings import known_members, resolve_kind
from craton.front.door_faults import DoorFault
from craton.front.door_form import BadForm, read_form
from craton.front.door_request import Asked, Whole
from craton.models.canon.image import ImageReply, ImageRequest, Task
from craton.models.dialects.images import pictures
from craton.models.dialects.images.masks import mask_painting
from craton.models.dialects.images.openai_images import Body, OpenAIImages

NO_STREAM = "Pictures are not streamed: stream must be false."
REFUSED = "Your request was refused by the model's content filter ({why})."

_DIALECT = OpenAIImages()
_KNOWN = {field.encode_name for field in msgspec.structs.fields(Body)}
_BOUNDS = pictures.Bounds(min_side=16, max_pixels=9_437_184)
_PICTURES = frozenset({"image", "image[]", "mask"})
_NUMBERS = frozenset({"n", "output_compression", "seed", "steps", "guidance_scale", "strength"})
# The beginning of a file → its media type.
_MEDIA_TYPES = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"RIFF", "webp"))


class _Shape(msgspec.Struct):
    """What is asked of the answer's form."""

    response_format: str | None = None
    stream: bool | None = None


async def generate(asked: Asked) -> Whole:
    """POST /images/generations."""
    return await paint(asked, asked.body)


async def edit(asked: Asked) -> Whole:
    """POST /images/edits: with a mask, or of the whole picture."""
    body = await off_the_loop(asked.body, lambda given: read_edit(asked, given))
    return await paint(asked, body)


async def vary(asked: Asked) -> Whole:
    """POST /images/variations."""
    body = await off_the_loop(asked.body, lambda given: read_edit(asked, given, "variation"))
    return await paint(asked, body)


def read_edit(asked: Asked, body: bytes, task: Task | None = None) -> bytes:
    """The dialect's body of a form. Raises ValidationException for what is no form."""
    try:
        fields = read_form(asked.call.headers.get(b"content-type", b""), body)
    except BadForm as error:
        raise validation(f"Malformed form: {error}.") from None
    members: dict[str, Any] = {"task": task} if task is not None else {}
    images: list[bytes] = []
    for field in fields:
        if field.name == "mask":
            pictures.check(field.body, "mask", _BOUNDS)
            masked = ImageRequest(task="inpaint", image=field.body, mask_paints="alpha")
            members |= {"mask": mask_painting(masked, "white"), "mask_paints": "white"}
        elif field.name in _PICTURES:
            images.append(field.body)
        elif field.filename is None:
            members[field.name] = _value(field.name, field.body.decode("utf-8", "replace"))
    if images:
        members["image"] = images[0]
        if images[1:]:
            members["further_images"] = images[1:]
    return msgspec.json.encode(members)


def _value(name: str, text: str) -> object:
    """A form holds texts alone; what are numbers elsewhere become numbers."""
    if name == "stream":
        return text == "true"
    if name in _NUMBERS:
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text  # the dialect says that it is none
    return text


async def paint(asked: Asked, body: bytes) -> Whole:
    """Ask for the pictures of a body in the dialect's form, and show them."""
    from craton.features.inference.images import paint as ask  # many servers paint nothing

    members = known_members(body, _KNOWN | {"stream"})
    shape = msgspec.convert(
        {name: msgspec.json.decode(members[name]) for name in ("response_format", "stream") if name in members}, _Shape
    )
    for name in ("response_format", "stream"):
        members.pop(name, None)
    if shape.stream:
        raise DoorFault("invalid", NO_STREAM, param="stream", code="unsupported_value")
    model = str(msgspec.json.decode(members["model"]))
    request = await off_the_loop(msgspec.json.encode(members), lambda given: _DIALECT.read_request(given, model))
    resolved = resolve_kind(asked.call, model, "image")
    reply = await ask(asked.call, resolved, request)
    check_pictures(reply)
    written = _DIALECT.write_reply(reply, request)
    return Whole(with_urls(written) if shape.response_format == "url" else written)


def check_pictures(reply: ImageReply) -> None:
    """Raises DoorFault if a filter left no picture at all."""
    if not any(picture.base64 for picture in reply.pictures):
        why = reply.pictures[0].finish if reply.pictures else "no picture"
        raise DoorFault("invalid", REFUSED.format(why=why), code="moderation_blocked")


def with_urls(written: bytes) -> bytes:
    """The same answer with data URLs, which need nobody to keep the pictures."""
    answer = msgspec.json.decode(written)
    for datum in answer["data"]:
        encoded = datum.pop("b64_json", "")
        begun = base64.b64decode(encoded[:16])
        kind = next((name for magic, name in _MEDIA_TYPES if begun.startswith(magic)), "png")
        datum["url"] = f"data:image/{kind};base64,{encoded}"
    return msgspec.json.encode(answer)
