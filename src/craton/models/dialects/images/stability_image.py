"""Stability's SD3 Large, SD3.5 Large, Stable Image Ultra and Core: a prompt and an aspect ratio.

Owns bodies of these four; Core takes no picture. Source: AWS's pages "Stable Image Ultra/Core" and "Stable Diffusion
3/3.5 Large request and response", reference invoke-bodies-media.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import Fault
from craton.models.canon.image import ImageReply, ImageRequest
from craton.models.dialects.dialect import Outgoing
from craton.models.dialects.images import pictures, sizes, stability_reply
from craton.models.dialects.images.dialect import cannot_do
from craton.models.dialects.images.members import Members, drop_rest
from craton.models.dialects.images.stability_reply import OutputFormat, Ratio, Seed, any_seed, definite_seed
from craton.models.dialects.malformed import decode_native, malformed

Fraction = Annotated[float, Meta(ge=0, le=1)]


class Body(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    prompt: Annotated[str, Meta(max_length=10_000)]
    negative_prompt: Annotated[str, Meta(max_length=10_000)] | None = None
    mode: Literal["text-to-image", "image-to-image"] | None = None
    image: bytes | None = None
    strength: Fraction | None = None
    aspect_ratio: Ratio | None = None
    seed: Seed | None = None
    output_format: OutputFormat | None = None


_BODY = msgspec.json.Decoder(Body)
USUAL = {"width": 1024, "height": 1024}
_MEMBERS = Members(Body, {"negative_prompt": "negative"})
_BOUNDS = pictures.Bounds(min_side=64, max_pixels=9_437_184, max_ratio=2.5)
_encode = msgspec.json.Encoder().encode


class StabilityImage:
    """See the file's head."""

    name = "stability.image"

    def read_request(self, body: bytes, model_id: str) -> ImageRequest:
        """Raises ValidationException that names the member at fault."""
        native = decode_native(_BODY, body)
        if native.image is None:
            if native.mode == "image-to-image":
                raise malformed("#: required key [image] not found")
            if native.strength is not None:
                raise malformed("#: extraneous key [strength] is not permitted")
        else:
            self._check_picture(native, native.image, model_id)
        task: Literal["image-to-image", "text-to-image"] = "image-to-image" if native.image else "text-to-image"
        return ImageRequest(task=task, **any_seed(_MEMBERS.read(native)), usual=USUAL, paths=_MEMBERS.paths)

    def write_request(self, request: ImageRequest, out: Outgoing) -> bytes:
        """Raises ValidationException for a task that is neither of the two."""
        if request.task not in ("text-to-image", "image-to-image"):
            raise cannot_do(request.task)
        given = request.given()
        to_ratio(given, request, out)
        definite_seed(given)
        body: dict[str, Any] = _MEMBERS.write(given, request, out.ledger)
        if request.task == "image-to-image":
            body["mode"] = request.task
        drop_rest(given, request, out.ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ImageReply:
        """Raises ModelErrorException if it cannot be read."""
        return stability_reply.read_reply(body)

    def write_reply(self, reply: ImageReply, request: ImageRequest) -> bytes:
        """The native reply."""
        return stability_reply.write_reply(reply)

    def _check_picture(self, native: Body, image: bytes, model_id: str) -> None:
        if "core" in model_id:
            raise malformed("#: extraneous key [image] is not permitted")
        if native.mode == "text-to-image":
            raise _not_with("image", "mode text-to-image")
        if native.aspect_ratio is not None:
            raise _not_with("aspect_ratio", "image")
        pictures.check(image, "image", _BOUNDS)


def to_ratio(given: dict[str, Any], request: ImageRequest, out: Outgoing) -> None:
    """Turn a size into the nearest ratio; a size that this ratio does not give is ledgered."""
    width, height = given.pop("width", None), given.pop("height", None)
    if width is None or height is None:
        return
    if request.task == "text-to-image":
        given["aspect_ratio"] = sizes.nearest_ratio(width, height)
        if sizes.exact_ratio(width, height):
            return
    out.ledger.drop(request.path("width"))
    out.ledger.drop(request.path("height"))


def _not_with(member: str, other: str) -> Fault:
    return malformed(f"#/{member}: cannot be used with {other}")
