"""The reply that SD3, Ultra, Core and the image services share: parallel lists of seeds, reasons and pictures.

Source: AWS's pages on Stability AI models. A request that was filtered has its reasons alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.models.canon.image import Finish, ImageReply, Painted
from craton.models.dialects.malformed import decode_reply

Seed = Annotated[int, Meta(ge=0, le=4_294_967_294)]
Text = Annotated[str, Meta(max_length=10_000)]
OutputFormat = Literal["jpeg", "png", "webp"]
Ratio = Literal["16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"]
Style = Literal[
    "3d-model",
    "analog-film",
    "anime",
    "cinematic",
    "comic-book",
    "digital-art",
    "enhance",
    "fantasy-art",
    "isometric",
    "line-art",
    "low-poly",
    "modeling-compound",
    "neon-punk",
    "origami",
    "photographic",
    "pixel-art",
    "tile-texture",
]

REASONS: dict[Finish, str | None] = {
    "success": None,
    "filtered prompt": "Filter reason: prompt",
    "filtered input": "Filter reason: input image",
    "filtered output": "Filter reason: output image",
    "failed": "Inference error",
}
_FINISHES: dict[str | None, Finish] = {reason: finish for finish, reason in REASONS.items()}


MAX_SEED = 4_294_967_294


def any_seed(given: dict[str, Any]) -> dict[str, Any]:
    """Members as the canon has them: Stability's seed 0 asks for any."""
    if given.get("seed") == 0:
        del given["seed"]
    return given


def definite_seed(given: dict[str, Any]) -> None:
    """Members as Stability takes them: a seed 0 that means 0 is another definite one."""
    if given.get("seed") == 0:
        given["seed"] = MAX_SEED


class Reply(msgspec.Struct):
    """Seeds come as numbers, and from some versions as strings."""

    seeds: list[int | str] = []
    finish_reasons: list[str | None] = []
    images: list[str] = []


_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode


def read_reply(body: bytes) -> ImageReply:
    """A native reply. Raises ModelErrorException if it cannot be read."""
    reply = decode_reply(_REPLY, body)
    pictures = []
    for index in range(max(len(reply.images), len(reply.finish_reasons))):
        reason = reply.finish_reasons[index] if index < len(reply.finish_reasons) else None
        pictures.append(
            Painted(
                base64=reply.images[index] if index < len(reply.images) else "",
                seed=int(reply.seeds[index]) if index < len(reply.seeds) else None,
                finish=_FINISHES.get(reason, "failed"),
            )
        )
    return ImageReply(pictures=pictures)


def write_reply(reply: ImageReply) -> bytes:
    """The native reply; without one picture there are only reasons."""
    reasons = [REASONS[picture.finish] for picture in reply.pictures]
    if not any(picture.base64 for picture in reply.pictures):
        return _encode({"finish_reasons": reasons})
    return _encode(
        {
            "seeds": [picture.seed or 0 for picture in reply.pictures],
            "finish_reasons": reasons,
            "images": [picture.base64 for picture in reply.pictures],
        }
    )
