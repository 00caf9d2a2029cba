"""Luma Ray 2: one shot of five or nine seconds, from a text and up to two frames.

Owns its bounds, and the pixels of an aspect ratio: the shorter side is what `resolution` names. Source: reference
invoke-bodies-media.md; Bedrock's user guide, "Luma AI models".
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from craton.models.canon.video import Picture, Shot, VideoRequest
from craton.models.dialects.images import pictures
from craton.models.dialects.malformed import decode_native

_BOUNDS = pictures.Bounds(formats=("png", "jpeg"), min_side=512, max_side=4096, max_pixels=4096 * 4096)
_SHORT = {"540p": 540, "720p": 720}


class Source(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png"]
    data: bytes


class Frame(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["image"]
    source: Source


class Keyframes(msgspec.Struct, forbid_unknown_fields=True):
    frame0: Frame | None = None
    frame1: Frame | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    prompt: Annotated[str, Meta(min_length=1, max_length=5000)]
    aspect_ratio: Literal["1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21"] = "16:9"
    loop: bool = False
    duration: Literal["5s", "9s"] = "5s"
    resolution: Literal["540p", "720p"] = "720p"
    keyframes: Keyframes = msgspec.field(default_factory=Keyframes)


_BODY = msgspec.json.Decoder(Body)


class LumaRay:
    """See the file's head."""

    name = "luma.ray"

    def read_request(self, body: bytes, model_id: str) -> VideoRequest:
        """Raises ValidationException that names the member at fault."""
        native = decode_native(_BODY, body)
        width, height = sized(native.aspect_ratio, _SHORT[native.resolution])
        shot = Shot(
            native.prompt,
            int(native.duration[:-1]),
            _picture(native.keyframes.frame0, "keyframes.frame0.source.data"),
            _picture(native.keyframes.frame1, "keyframes.frame1.source.data"),
        )
        return VideoRequest(shots=(shot,), width=width, height=height, loop=native.loop)


def sized(ratio: str, short: int) -> tuple[int, int]:
    """Width and height of an aspect ratio whose shorter side is given; even, as codecs want them."""
    wide, high = (int(part) for part in ratio.split(":"))
    longer = round(short * max(wide, high) / min(wide, high) / 2) * 2
    return (longer, short) if wide >= high else (short, longer)


def _picture(frame: Frame | None, path: str) -> Picture | None:
    if frame is None:
        return None
    pictures.check(frame.source.data, path, _BOUNDS)
    return Picture(frame.source.data)
