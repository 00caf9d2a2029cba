"""Picture files ↔ arrays of pixels, with Pillow.

Owns the limits that keep a small file from unfolding to gigabytes, and that a picture's rotation flag is obeyed.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from craton.engine.images.painter import CannotPaint, Field, Pixels

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 9_437_184
_JPEG_QUALITY = 92
_PNG_LEVEL = 4  # the default 6 takes twice as long for 3 % less


def opened(data: bytes, name: str) -> Image.Image:
    """The decoded picture. Raises CannotPaint for a file that is none, or is too large."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise CannotPaint(f"'{name}' has more than {MAX_PIXELS} pixels", name, "image_too_large")
        image.load()
        return ImageOps.exif_transpose(image) or image
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise CannotPaint(f"'{name}' cannot be decoded as PNG, JPEG or WebP", name, "invalid_image") from None


def pixels(image: Image.Image) -> Pixels:
    """RGB, or RGBA where the picture has transparency."""
    has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if has_alpha else "RGB"))


def mask_of(image: Image.Image, size: tuple[int, int]) -> Field:
    """How light each pixel is, 0 to 1, in the given (width, height)."""
    grey = image.convert("L")
    if grey.size != size:
        grey = grey.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(grey, dtype=np.float32) / 255


def written(picture: Pixels, kind: str) -> bytes:
    """A file in `png`, `jpeg` or `webp`; JPEG shows what is transparent as white."""
    image = Image.fromarray(picture)
    file = io.BytesIO()
    if kind == "png":
        image.save(file, "PNG", compress_level=_PNG_LEVEL)
    elif kind == "webp":
        image.save(file, "WEBP", quality=_JPEG_QUALITY, method=2)
    else:
        if image.mode == "RGBA":
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(white, image)
        image.convert("RGB").save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def mask_file(mask: Field) -> bytes:
    """A mask as a PNG in which black marks what was painted anew, as Titan and Nova show it."""
    return written(np.repeat(((1 - mask) * 255).astype(np.uint8)[:, :, None], 3, axis=2), "png")


def resized(picture: Pixels, width: int, height: int) -> Pixels:
    """The picture in another size."""
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def scaled(field: Field, width: int, height: int) -> Field:
    """A field of numbers in another size."""
    if field.shape == (height, width):
        return field
    image = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32), mode=None)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
