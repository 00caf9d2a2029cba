"""Masks: which pixels are painted anew is white for one vendor, black for the next, transparent for a third.

Owns the turning of one into the other, the only place of the gateway that decodes pixels; callers have checked the
picture's size by then, and run this beside the loop.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from craton.aws.wire.faults import validation
from craton.models.canon.image import ImageRequest

if TYPE_CHECKING:
    from PIL.Image import Image

Paints = Literal["white", "black", "alpha"]


def mask_painting(request: ImageRequest, wanted: Paints) -> bytes | None:
    """The request's mask with `wanted` pixels painted anew, as PNG if it had to be turned; None if there is none.

    `alpha` asks for a picture that is transparent where it is painted anew. Raises ValidationException for a file
    that cannot be decoded.
    """
    given: Paints = request.mask_paints or "white"
    source = request.image if given == "alpha" else request.mask
    if source is None or (given == wanted and given != "alpha"):
        return source
    from PIL import Image, ImageOps, UnidentifiedImageError  # most requests have no mask to be turned

    try:
        with Image.open(io.BytesIO(source)) as opened:
            painted = (
                ImageOps.invert(opened.convert("RGBA").getchannel("A")) if given == "alpha" else opened.convert("L")
            )
    except (UnidentifiedImageError, OSError, ValueError):
        raise validation(f"The mask in {request.path('mask')} cannot be decoded.") from None
    painted = ImageOps.invert(painted) if given == "black" else painted
    return _png(_shown(painted, wanted))


def _shown(painted: Image, wanted: Paints) -> Image:
    from PIL import Image, ImageOps

    if wanted == "white":
        return painted
    inverted = ImageOps.invert(painted)
    if wanted == "black":
        return inverted
    shown = Image.new("RGBA", painted.size, (255, 255, 255, 255))
    shown.putalpha(inverted)
    return shown


def _png(image: Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()
